//! Whether a page fits an answer, and what the host holds of them. `batch_bytes` and `slices`
//! are read by the component, and the limits are the host's, so that only here both are known.

use super::section::Section;
use super::units::{show_size, size};
use super::value::{integer, text};

/// What the embedded component takes where `batch_bytes` is not set.
const BATCH_BYTES: u64 = 16 << 20;

/// The most slices that the embedded component reads side by side.
const SLICES_MAX: u32 = 16;

/// What the host may have to hold of answers at once, each of at most so many bytes. The
/// embedded component has two pages of each slice under way: one that is published, and the
/// next one.
pub(super) fn held_at_once(config: &Section<'_>, most: u64, is_embedded: bool) -> u64 {
    let slices = config.node().and_then(|node| node.get("slices"));
    let slices = slices.and_then(|node| integer(1..=SLICES_MAX)(node).ok());
    match is_embedded {
        true => most * 2 * u64::from(slices.unwrap_or(1)),
        false => most,
    }
}

/// Refuses pages that would have to be asked for in halves, and would grow again after that,
/// for ever. `is_embedded`: the default is that of the embedded component. A size that is none
/// is the component's to refuse.
pub(super) fn check(config: &Section<'_>, most: u64, is_embedded: bool) {
    let shown = show_size(most);
    let written = config.node().and_then(|node| node.get("batch_bytes"));
    let batch_bytes = written.and_then(|node| size(&text(node).ok()?).ok());
    match (written, batch_bytes) {
        (Some(_), Some(bytes)) if bytes > most => config.refuse(
            "batch_bytes",
            &format!(
                "is more than an answer may have, {shown} (max_response_bytes): a page must fit one, so write \"{shown}\" or less, or raise that"
            ),
        ),
        (None, _) if is_embedded && BATCH_BYTES > most => config.refuse(
            "max_response_bytes",
            &format!(
                "is less than a page may have, {} unless batch_bytes is set: a page must fit an answer, so write batch_bytes = \"{shown}\" or less beside it, or raise it",
                show_size(BATCH_BYTES)
            ),
        ),
        _ => {}
    }
}
