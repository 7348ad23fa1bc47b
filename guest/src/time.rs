//! Timestamps as the cluster sorts them: 64-bit integers, never floats.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

/// What one step of a timestamp is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// The sort values of a `date` field.
    Ms,
    /// The sort values of a `date_nanos` field.
    Ns,
}

impl Unit {
    /// The `numeric_type` that makes every index sort in this unit, whatever it maps.
    pub const fn numeric_type(self) -> &'static str {
        match self {
            Self::Ms => "date",
            Self::Ns => "date_nanos",
        }
    }

    /// A point in time; beyond the range of the unit, its last value.
    pub fn from_millis(self, millis: u64) -> i64 {
        let millis = i64::try_from(millis).unwrap_or(i64::MAX);
        match self {
            Self::Ms => millis,
            Self::Ns => millis.saturating_mul(1_000_000),
        }
    }

    /// A point in time, rounded down, so that an inclusive bound misses nothing.
    pub fn from_date(self, date: DateTime<Utc>) -> i64 {
        match self {
            Self::Ms => date.timestamp_millis(),
            Self::Ns => date.timestamp_nanos_opt().unwrap_or(i64::MIN),
        }
    }

    /// The date of a sort value; none where the calendar ends.
    pub fn to_date(self, timestamp: i64) -> Option<DateTime<Utc>> {
        match self {
            Self::Ms => DateTime::from_timestamp_millis(timestamp),
            Self::Ns => Some(DateTime::from_timestamp_nanos(timestamp)),
        }
    }

    /// The milliseconds since the epoch, rounded down; 0 before it.
    pub fn to_millis(self, timestamp: i64) -> u64 {
        let millis = self.to_date(timestamp).map(|date| date.timestamp_millis());
        millis.map_or(u64::MAX, |millis| u64::try_from(millis).unwrap_or(0))
    }

    /// As `strict_date_optional_time_nanos` reads it, the one format that `date` and
    /// `date_nanos` fields accept alike whatever their own format is.
    pub fn to_iso(self, timestamp: i64) -> String {
        self.to_date(timestamp).map_or_else(
            || timestamp.to_string(),
            |date| date.to_rfc3339_opts(SecondsFormat::Nanos, true),
        )
    }
}

/// A wall-clock time for people and for the state, in milliseconds since the epoch.
pub fn millis_to_date(millis: u64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(i64::try_from(millis).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sort_value_becomes_the_same_instant_in_a_range() {
        let rows = [
            (
                Unit::Ms,
                1_767_225_600_123,
                "2026-01-01T00:00:00.123000000Z",
            ),
            (
                Unit::Ns,
                1_767_225_600_123_456_789,
                "2026-01-01T00:00:00.123456789Z",
            ),
            (Unit::Ms, -1, "1969-12-31T23:59:59.999000000Z"),
            (Unit::Ns, 0, "1970-01-01T00:00:00.000000000Z"),
        ];
        for (unit, timestamp, iso) in rows {
            assert_eq!(unit.to_iso(timestamp), iso);
            assert_eq!(unit.from_date(iso.parse().unwrap()), timestamp);
        }
    }

    #[test]
    fn a_finer_date_is_rounded_down() {
        let date = "2026-01-01T00:00:00.123999999Z".parse().unwrap();
        assert_eq!(Unit::Ms.from_date(date), 1_767_225_600_123);
    }
}
