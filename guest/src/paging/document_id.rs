//! By document id: for documents without a timestamp whose ids only grow.
//!
//! The order is that of `_id`, or of a field that holds such an id, text or number. All else is
//! as by timestamp; but an id does not say when it was written, so that the horizon is what was
//! seen long enough ago (see [`super::sightings`]). What appears behind it breaks the promise
//! that ids grow: one count in each cycle, of everything behind, shows it.
//!
//! `_id` can be sorted by, where the cluster allows it, but no server selects a range of it. So a
//! page of ids begins behind a place and ends where the source cuts it off, and what stands
//! between two places is counted by listing the ids.

use super::PAGE_MAX;
use crate::config::Config;
use crate::error::Error;
use crate::key::Key;

/// Whether no range of what orders the documents can be asked for.
pub fn has_no_ranges(config: &Config) -> bool {
    config.pagination == super::Pagination::DocumentId && config.id_field.is_none()
}

/// How many of a page's hits stand before the end of the pass.
pub fn before<'a>(keys: impl Iterator<Item = &'a Key>, end: &Key) -> usize {
    keys.take_while(|key| *key < end).count()
}

/// How many hits to list after so many brought nothing new, as more documents than that share one
/// place.
///
/// # Errors
/// Permanent, if no cluster answers more.
pub fn larger_list(size: u64) -> Result<u64, Error> {
    if size >= PAGE_MAX {
        return Err(Error::permanent(format!(
            "{PAGE_MAX} documents or more share one id and sequence number; name a field in \"id_field\" that is different in each"
        )));
    }
    Ok(size.saturating_mul(2).min(PAGE_MAX))
}
