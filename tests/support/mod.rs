//! What tests are made of: clusters, TLS, an Iggy on the wire, and a source with its folder.

pub(crate) mod authority;
pub(crate) mod fixture;
pub(crate) mod iggy;
pub(crate) mod program;
pub(crate) mod proxy;
pub(crate) mod rebuilt;
pub(crate) mod sample;
pub(crate) mod servers;
pub(crate) mod world;
