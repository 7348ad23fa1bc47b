//! By scroll: for an export without a timestamp, and for servers without points in time.
//!
//! A scroll moves on with every call, whether its answer arrives or not, so that a call is
//! never repeated: after any failure a new scroll begins at the segment's start, whose
//! documents the edge knows. After a clean stop, with no call under way, it goes on.
//!
//! Its pages repeat nothing: every one but the last must be full, and one that is not has the
//! segment read again in a new scroll. A whole page may lack as well, as whatever sends a call
//! twice skips one. That is known when the scroll ends, from what its first page counted, and
//! must be known before the edge forgets: a segment before the end is counted in the index as it
//! is. If that differs, as documents came or went since or as a page lacks, the segment is read
//! again in a scroll of its own, whose end says it exactly.
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

/// How many documents the last receipt of a scroll goes by, after so many of its segment were
/// met. None before its end. What a scroll holds can not be counted again, but its first page
/// counted it: what lacks is what no page brought.
pub fn counted(pass: &Pass, met: u64, to: &Key) -> Option<u64> {
    let lacks = pass.total?.saturating_sub(pass.met);
    (*to == pass.end()).then_some(met + lacks)
}
