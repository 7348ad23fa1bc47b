//! The output side: messages into streams and topics, each exactly once.
//!
//! [`outbox`] holds the logic, over the [`destination::Destination`] trait; the other
//! modules are one backend each, and [`shape`] what a stream makes of a message. Nothing here retries, schedules, or saves state.

pub mod destination;
pub mod discard;
pub mod file;
pub mod iggy;
mod ndjson;
pub mod outbox;
pub mod queue;
pub mod shape;
pub mod shaped;
pub mod stdout;
