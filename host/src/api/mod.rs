//! The Rust API: documents into the program that calls, instead of into Iggy.
//!
//! ```text
//! ElasticsearchSource ── Session ── runner::Source, Instance   the same component and host
//!                          ├─ Mailbox         the output: messages for the caller
//!                          └─ DeferredStore   the state, stored when they are taken
//! ```
//!
//! **Invariant:** the stored state covers no message that the caller has not taken, which it
//! says with the next call of `poll` or `close`.

mod deferred;
mod error;
mod mailbox;
mod session;
mod source;
mod source_states;
mod states;

pub use error::{Error, ErrorKind};
pub use source::ElasticsearchSource;
pub use source_states::SourceStates;
pub use states::StateManagerExt;
