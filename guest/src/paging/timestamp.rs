//! By timestamp: for everything that has one, at any size, for ever.
//!
//! Every page begins where the last one ended, inclusive, and drops what it has: documents of
//! several shards can share that place. A page of a point in time may be asked for again, so
//! that the next one is on its way while one is published.

use super::Read;
use super::context::Begin;

/// Where a page begins.
pub fn begin(read: Read) -> Begin {
    read.after.map_or(Begin::First, Begin::At)
}
