//! Documents from Elasticsearch and OpenSearch into Apache Iggy, every one exactly once.
//!
//! The program `elasticsearch-source` does that by itself; README.md says how. This library
//! is what it is made of, and an API for programs that want the documents themselves:
//!
//! ```
//! # use elasticsearch_source::SourceConfig;
//! # use elasticsearch_source::mini_elasticsearch::{MiniElasticsearch, Options};
//! use elasticsearch_source::{ElasticsearchSource, StateManagerExt};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let cluster = MiniElasticsearch::start(Options::default())?;
//! # let folder = tempfile::tempdir()?;
//! # let mappings = serde_json::json!({"properties": {"@timestamp": {"type": "date"}}});
//! # cluster.create_index("logs-1", 1, &mappings)?;
//! # cluster.insert("logs-1", Some("a"), r#"{"@timestamp":"2026-01-15T10:30:00Z"}"#)?;
//! # let toml = format!("[sources.logs.config]\nurl = \"{}\"\nindex = \"logs-*\"\ntimestamp_field = \"@timestamp\"\nstate = {{ storage_config = {{ base_path = '{}' }} }}", cluster.url(), folder.path().display());
//! # let (id, config) = (1, SourceConfig::from_toml(&toml)?);
//! // Create connector with state management enabled
//! let mut connector = ElasticsearchSource::new(id, config);
//!
//! // Open connector (automatically loads state if available)
//! connector.open().await?;
//!
//! // Start polling (automatically saves state)
//! let messages = connector.poll().await?;
//! # assert_eq!(messages.len(), 1);
//!
//! // Close connector (automatically saves final state)
//! connector.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! Messages are taken when the next `poll` or `close` is called, and only then the stored
//! state covers them; see [`ElasticsearchSource`]. [`StateManagerExt`] looks at that state,
//! exports, imports and resets it.
//!
//! # What else is here
//!
//! | module | what it is |
//! |---|---|
//! | [`api`] | the Rust API: what this page exports |
//! | [`config`] | TOML in, validated configuration out, every mistake with its place |
//! | [`assembly`] | from a configuration to sources that are ready to run |
//! | [`runner`], [`status`], [`retry`] | when to poll, try again and stop, and what a source is doing |
//! | [`hot_swap`] | another version of a component, while its source runs |
//! | [`sandbox`], [`component`], [`instance`], [`source_state`] | the WebAssembly component that pages, under wasmtime |
//! | [`capability`] | what a component may do: HTTP to one cluster, publish, one state, log |
//! | [`account`], [`stopwatch`] | what a component has the host hold, and the time inside it |
//! | [`cluster`], [`clock`] | the cluster and the time that it is told of |
//! | [`publisher`] | messages into streams and topics, each exactly once |
//! | [`state_store`], [`state_manager`] | where states are kept, by one process at a time; what people do with them |
//! | [`doctor`] | what a user needs to know before trusting a source |
//! | [`mini_elasticsearch`] | an Elasticsearch in this process, for demos and tests |
//! | [`cli`] | the program |
//!
//! These modules serve the program; they change as it does.

pub mod account;
pub mod api;
pub mod assembly;
mod bindings;
mod bounds;
pub mod capability;
pub mod cli;
pub mod clock;
pub mod cluster;
pub mod component;
pub mod config;
pub mod doctor;
pub mod hot_swap;
pub mod instance;
mod io_remedy;
mod logging;
pub mod mini_elasticsearch;
mod over_limit;
pub mod publisher;
pub mod retry;
pub mod runner;
pub mod sandbox;
pub mod source_state;
pub mod state_manager;
pub mod state_store;
pub mod status;
pub mod stopwatch;
mod trapped;
mod wildcard;

pub use api::{ElasticsearchSource, Error, ErrorKind, SourceStates, StateManagerExt};
pub use config::Source as SourceConfig;
pub use publisher::destination::{HeaderValue, Message};
pub use state_manager::{Cleaned, Kept, StateStats};
pub use state_store::{Calls, StateNumbers};
