//! Durations and sizes, as users write and read them.

use std::time::Duration;

/// Units of time in milliseconds, the largest first.
const TIMES: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Units of memory in bytes, the largest first.
const SIZES: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("KB", 1_000),
    ("B", 1),
];

/// Reads a duration like `"30s"`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let expected = || {
        format!(
            "\"{text}\" is no duration: write a whole number and ms, s, m, h or d, like \"30s\""
        )
    };
    let ms = amount(text, &TIMES).ok_or_else(expected)?;
    Ok(Duration::from_millis(ms))
}

/// Reads a size in bytes like `"64MiB"`.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let expected = || {
        format!(
            "\"{text}\" is no size: write bytes, or a whole number and KB, KiB, MB, MiB, GB or GiB, like \"64MiB\""
        )
    };
    amount(text, &SIZES).ok_or_else(expected)
}

/// A duration in its largest whole unit; fractions of a millisecond are left out.
pub(crate) fn show_duration(duration: Duration) -> String {
    let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    show(ms, &TIMES, "0s")
}

/// A size in its largest whole unit.
pub(crate) fn show_size(bytes: u64) -> String {
    show(bytes, &SIZES, "0B")
}

fn amount(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at_checked(digits)?;
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

fn show(amount: u64, units: &[(&str, u64)], zero: &str) -> String {
    let whole = units
        .iter()
        .find(|(_, factor)| amount > 0 && amount.is_multiple_of(*factor));
    whole.map_or(zero.to_owned(), |(name, factor)| {
        format!("{}{name}", amount / factor)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_a_whole_number_and_a_unit() {
        for (text, ms) in [
            ("5ms", 5),
            ("30s", 30_000),
            ("5m", 300_000),
            ("1h", 3_600_000),
            ("2d", 172_800_000),
            ("0s", 0),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(ms)));
            assert_eq!(show_duration(Duration::from_millis(ms)), text);
        }
        for text in [
            "",
            "30",
            "s",
            "1.5s",
            "-1s",
            "1 s",
            "1S",
            "1h30m",
            "99999999999999999999s",
            "18446744073709551615d",
        ] {
            assert!(
                duration(text).is_err_and(|e| e.contains("like \"30s\"")),
                "{text}"
            );
        }
    }

    #[test]
    fn sizes_are_decimal_or_binary() {
        for (text, bytes) in [
            ("1B", 1),
            ("3KB", 3_000),
            ("3KiB", 3_072),
            ("64MB", 64_000_000),
            ("64MiB", 67_108_864),
            ("2GB", 2_000_000_000),
            ("1GiB", 1 << 30),
        ] {
            assert_eq!(size(text), Ok(bytes));
            assert_eq!(show_size(bytes), text);
        }
        for text in [
            "",
            "64",
            "MB",
            "64M",
            "64mb",
            "1.5MB",
            "-1B",
            "99999999999GiB",
        ] {
            assert!(
                size(text).is_err_and(|e| e.contains("like \"64MiB\"")),
                "{text}"
            );
        }
    }
}
