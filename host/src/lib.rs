//! Documents from Elasticsearch and OpenSearch into Apache Iggy, every one exactly once.
pub mod assembly;
mod bindings;
pub mod capability;
pub mod cli;
pub mod clock;
pub mod cluster;
pub mod component;
pub mod config;
pub mod instance;
mod io_remedy;
mod logging;
pub mod mini_elasticsearch;
pub mod publisher;
pub mod retry;
pub mod runner;
pub mod sandbox;
pub mod source_state;
pub mod state_store;
