//! What a component may do, one small module for each import of its world.
//!
//! Each has an owned context, a borrowed view that implements the generated trait, and
//! nothing of the store's type (the shape is that of wasmtime's wasi-keyvalue). What comes
//! from the guest is hostile: handles, spans, names and sizes are checked where they enter.

pub mod grants;
pub mod http;
pub mod log;
pub mod publisher;
pub mod state;
pub(crate) mod text;
