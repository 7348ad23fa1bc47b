//! Lists, sizes and dates, as the doctor writes them.

use chrono::{DateTime, SecondsFormat};

/// How many names a sentence holds.
const NAMES_MAX: usize = 5;

/// The first names, and how many more there are.
pub(super) fn names(names: &[impl AsRef<str>]) -> String {
    let first: Vec<_> = names.iter().take(NAMES_MAX).map(AsRef::as_ref).collect();
    let first = first.join(", ");
    match names.len().saturating_sub(NAMES_MAX) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

/// "1 index", "2 indices": a number and what it counts, in either form.
pub(super) fn number(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// Documents, counted.
pub(super) fn documents(count: u64) -> String {
    number(count, "document", "documents")
}

/// Indices, counted and named.
pub(super) fn indices(all: &[impl AsRef<str>]) -> String {
    let count = number(all.len() as u64, "index", "indices");
    format!("{count} ({})", names(all))
}

/// A size that is only estimated.
pub(super) fn bytes(count: u64) -> String {
    let units = [("GB", 1e9), ("MB", 1e6), ("KB", 1e3)];
    let count = count as f64;
    match units.iter().find(|(_, unit)| count >= *unit) {
        Some((name, unit)) => format!("{:.1} {name}", count / unit),
        None => format!("{count} bytes"),
    }
}

/// Milliseconds since the epoch as a date, where there is one.
pub(super) fn date(ms: i64) -> String {
    DateTime::from_timestamp_millis(ms).map_or_else(
        || format!("{ms} ms from 1970"),
        |date| date.to_rfc3339_opts(SecondsFormat::Millis, true),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_end_in_a_number() {
        let all = ["a", "b", "c", "d", "e", "f", "g"];
        assert_eq!(indices(&all), "7 indices (a, b, c, d, e and 2 more)");
        assert_eq!(indices(&all[..1]), "1 index (a)");
    }

    #[test]
    fn sizes_and_dates_are_for_people() {
        let rows = [
            (0, "0 bytes"),
            (999, "999 bytes"),
            (1_000, "1.0 KB"),
            (2_340_000_000, "2.3 GB"),
        ];
        for (count, text) in rows {
            assert_eq!(bytes(count), text);
        }
        assert_eq!(date(1_767_225_600_000), "2026-01-01T00:00:00.000Z");
        assert_eq!(date(i64::MAX), "9223372036854775807 ms from 1970");
    }
}
