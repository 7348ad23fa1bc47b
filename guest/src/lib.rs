//! The Elasticsearch source: paging and state, as a WebAssembly component.
//!
//! A functional core with a thin shell. Everything here but [`component`] is free of
//! bindings, so it builds and is tested natively too:
//!
//! | file | what it knows |
//! |---|---|
//! | `source` | the life of a source: open, poll, backlog, close |
//! | `reader` | one poll: the order of fetching, publishing, checking and saving |
//! | `paging/` | one file per mode: from a page and the progress so far to what comes next |
//! | `cluster/` | requests, answers, errors and differences of Elasticsearch and OpenSearch |
//! | `state`, `saves` | what is saved, in the format that users see, and when |
//! | `output` | where the output ends, and what of it the state may say |
//! | `edge`, `key`, `message`, `payload`, `time` | the values that the above are made of |
//! | `host` | the capabilities as a trait, so that tests can stand in for them |
//! | `component` | the same capabilities from the generated bindings; nothing else names those |

#[cfg(target_family = "wasm")]
mod component;

pub mod cluster;
pub mod config;
pub mod edge;
pub mod error;
pub mod host;
pub mod key;
pub mod message;
pub mod output;
pub mod paging;
pub mod payload;
pub mod reader;
pub mod saves;
pub mod source;
pub mod state;
pub mod time;
