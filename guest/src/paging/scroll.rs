//! By scroll: for an export without a timestamp, and for servers without points in time.
//!
//! A scroll moves on with every call, whether its answer arrives or not, so that a call is
//! never repeated: after any failure a new scroll begins at the segment's start, whose
//! documents the edge knows. After a clean stop, with no call under way, it goes on.
//!
//! With a timestamp later scrolls read what is new. Without one, documents are read in the
//! order of their sequence numbers, once: an update gets a new number and a new document any
//! number, so that a second read could not tell what is new. The export is then complete.

use crate::config::Config;

/// Whether this is an export that has an end.
pub fn is_export(config: &Config) -> bool {
    config.pagination == super::Pagination::Scroll && config.timestamp_field.is_none()
}

/// How many documents a receipt goes by. What a scroll holds can not be counted again; the
/// index can, where deletions may have made it fewer, and nothing but a loss or a late
/// document more.
pub fn counted(now: u64, read: u64) -> u64 {
    now.max(read)
}
