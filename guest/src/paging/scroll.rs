//! By scroll: for an export without a timestamp, and for servers without points in time.
//!
//! A scroll moves on with every call, whether its answer arrives or not, so that a call is
//! never repeated: after any failure a new scroll begins at the segment's start, whose
//! documents the edge knows. After a clean stop, with no call under way, it goes on.
//!
//! Its pages repeat nothing: every one but the last must be full, and one that is not has the
//! segment read again in a new scroll.
//!
//! With a timestamp later scrolls read what is new. Without one, documents are read in the
//! order of their sequence numbers, once: an update gets a new number and a new document any
//! number, so that a second read could not tell what is new. The export is then complete.

use super::progress::Pass;
use crate::config::Config;
use crate::key::Key;

/// Whether this is an export that has an end.
pub fn is_export(config: &Config) -> bool {
    config.pagination == super::Pagination::Scroll && config.timestamp_field.is_none()
}

/// How many documents a receipt goes by. What a scroll holds can not be counted again, but its
/// first page counted it: what lacks is what no page brought.
pub fn counted(pass: Option<&Pass>, met: u64, to: &Key) -> u64 {
    let ended = pass.filter(|pass| *to == pass.end());
    let lacks = ended.and_then(|pass| Some(pass.total?.saturating_sub(pass.met)));
    met + lacks.unwrap_or(0)
}
