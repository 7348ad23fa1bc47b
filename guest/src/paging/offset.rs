//! By offset: for small indices without a timestamp that change.
//!
//! Every cycle reads all from the first hit on, in one point in time, and suppresses what
//! was delivered before, all of which the edge holds. The offset is where the last cycle
//! ended, for people; no cycle begins there, as what was deleted or added since has moved
//! everything behind it.

use super::Read;
use super::context::Begin;
use crate::error::Error;

/// The default of `index.max_result_window`, beyond which no cluster counts offsets.
const WINDOW: u64 = 10_000;

/// Where a page begins.
pub fn begin(read: Read) -> Begin {
    Begin::Hit(read.hits)
}

/// How many hits to ask for after so many.
pub fn size(size: u64, hits: u64) -> u64 {
    size.min(WINDOW.saturating_sub(hits)).max(1)
}

/// Refuses what does not fit.
///
/// # Errors
/// Permanent, if there are more documents than the window or the edge holds.
pub fn check(total: u64, edge_max: u64) -> Result<(), Error> {
    let (most, remedy) = match total {
        _ if total <= WINDOW.min(edge_max) => return Ok(()),
        _ if total <= WINDOW => {
            let raise = format!(", as \"edge_max\" is; raise \"edge_max\" to {WINDOW}, or");
            (edge_max, raise)
        }
        _ => (WINDOW, ";".to_owned()),
    };
    Err(Error::permanent(format!(
        "{total} documents match, and pagination \"offset\" reads at most {most}{remedy} set \"timestamp_field\" and leave out \"pagination\", or export them once with pagination \"scroll\""
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_page_ends_at_the_window() {
        assert_eq!(
            [size(700, 0), size(700, 9_800), size(700, 10_000)],
            [700, 200, 1]
        );
    }

    #[test]
    fn what_does_not_fit_names_other_ways() {
        assert!(check(10_000, 65_536).is_ok() && check(200, 200).is_ok());
        let rows = [
            (10_001, 65_536, "at most 10000; set"),
            (10_001, 200, "at most 10000; set"),
            (
                201,
                200,
                "at most 200, as \"edge_max\" is; raise \"edge_max\" to 10000, or set",
            ),
        ];
        for (total, edge_max, part) in rows {
            let error = check(total, edge_max).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
            assert!(
                error.contains("timestamp_field") && error.contains("scroll"),
                "{error}"
            );
        }
    }
}
