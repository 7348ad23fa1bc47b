//! Timestamps as the cluster sorts them: 64-bit integers, never floats.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use crate::key::Point;

/// What the values of the field that orders are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// The sort values of a `date` field.
    Ms,
    /// The sort values of a `date_nanos` field.
    Ns,
    /// A whole number of seconds.
    NumberS,
    /// A whole number of milliseconds.
    NumberMs,
    /// A whole number of microseconds.
    NumberUs,
    /// A whole number of nanoseconds.
    NumberNs,
    /// The sequence number of a document, which is no time.
    Sequence,
    /// A whole number that only grows.
    Number,
    /// A text that only grows.
    Text,
}

impl Unit {
    /// The `numeric_type` that makes every index sort dates in this unit, whatever it maps.
    pub const fn numeric_type(self) -> Option<&'static str> {
        match self {
            Self::Ms => Some("date"),
            Self::Ns => Some("date_nanos"),
            _ => None,
        }
    }

    /// The type of the field where an index does not map it.
    pub const fn unmapped_type(self) -> &'static str {
        match self {
            Self::Ms | Self::Ns => "date",
            Self::Text => "keyword",
            _ => "long",
        }
    }

    /// Whether a state in this unit can go on where the other one was found: dates are sorted in
    /// the unit that is asked for, whichever of its two kinds an index maps.
    pub fn orders_with(self, other: Self) -> bool {
        self == other || (self.numeric_type().is_some() && other.numeric_type().is_some())
    }

    /// For people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NumberS => "s",
            Self::Ms | Self::NumberMs => "ms",
            Self::NumberUs => "us",
            Self::Ns | Self::NumberNs => "ns",
            Self::Sequence => "sequence numbers",
            Self::Number => "growing numbers",
            Self::Text => "growing texts",
        }
    }

    /// Whether it says when something was.
    pub const fn is_time(self) -> bool {
        !matches!(self, Self::Sequence | Self::Number | Self::Text)
    }

    /// Whether new documents have larger values than all before them, at which time that may
    /// have been.
    pub const fn grows(self) -> bool {
        matches!(self, Self::Number | Self::Text)
    }

    /// Steps in a second; of what is no time, as good as any.
    const fn per_second(self) -> i64 {
        match self {
            Self::NumberS => 1,
            Self::Ms | Self::NumberMs => 1_000,
            Self::NumberUs => 1_000_000,
            _ => 1_000_000_000,
        }
    }

    /// Steps in a minute.
    const fn minute_length(self) -> i64 {
        60 * self.per_second()
    }

    /// In which minute since the epoch it lies. What is no time lies in one.
    pub fn minute(self, point: &Point) -> i64 {
        match point.number().filter(|_| self.is_time()) {
            Some(timestamp) => timestamp.div_euclid(self.minute_length()),
            None => 0,
        }
    }

    /// The first value of a minute; the least of all where there is only one.
    pub fn begin_of_minute(self, minute: i64) -> Point {
        if self.is_time() {
            minute.saturating_mul(self.minute_length()).into()
        } else {
            Point::MIN
        }
    }

    /// A point in time, rounded down; beyond the range of the unit, its last value. Every
    /// number of a sequence is there before any time.
    pub fn from_millis(self, millis: u64) -> i64 {
        if !self.is_time() {
            return i64::MAX;
        }
        nearest(i128::from(millis) * i128::from(self.per_second()) / 1_000)
    }

    /// A point in time, rounded down, so that an inclusive bound misses nothing; beyond the range
    /// of the unit, its first or last value.
    pub fn from_date(self, date: DateTime<Utc>) -> i64 {
        let (seconds, nanos) = (date.timestamp(), date.timestamp_subsec_nanos());
        let nanos = i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
        nearest(nanos.div_euclid(i128::from(1_000_000_000 / self.per_second())))
    }

    /// The date of a value; none where the calendar ends, and for a sequence.
    pub fn to_date(self, timestamp: i64) -> Option<DateTime<Utc>> {
        if !self.is_time() {
            return None;
        }
        let (seconds, steps) = (
            timestamp.div_euclid(self.per_second()),
            timestamp.rem_euclid(self.per_second()),
        );
        let nanos = u32::try_from(steps * (1_000_000_000 / self.per_second())).ok()?;
        DateTime::from_timestamp(seconds, nanos)
    }

    /// The milliseconds since the epoch, rounded down; 0 before it. None where it is no date.
    pub fn to_millis(self, point: &Point) -> Option<u64> {
        let millis = self.to_date(point.number()?)?.timestamp_millis();
        Some(u64::try_from(millis).unwrap_or(0))
    }

    /// For people: a date where it is one.
    pub fn describe(self, point: &Point) -> String {
        self.to_iso(point).unwrap_or_else(|| point.to_string())
    }

    /// A date for people, and as `strict_date_optional_time_nanos` reads it, the one format that
    /// `date` and `date_nanos` fields accept alike whatever their own format is.
    pub fn to_iso(self, point: &Point) -> Option<String> {
        let date = self.to_date(point.number()?)?;
        Some(date.to_rfc3339_opts(SecondsFormat::Nanos, true))
    }
}

/// The value of a unit that is nearest to so many steps.
fn nearest(steps: i128) -> i64 {
    let end = if steps < 0 { i64::MIN } else { i64::MAX };
    i64::try_from(steps).unwrap_or(end)
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
            (Unit::NumberS, -1, "1969-12-31T23:59:59.000000000Z"),
            (
                Unit::NumberUs,
                1_767_225_600_000_001,
                "2026-01-01T00:00:00.000001000Z",
            ),
            (Unit::Ns, 0, "1970-01-01T00:00:00.000000000Z"),
        ];
        for (unit, timestamp, iso) in rows {
            assert_eq!(unit.to_iso(&timestamp.into()).as_deref(), Some(iso));
            assert_eq!(unit.from_date(iso.parse().unwrap()), timestamp);
        }
    }

    #[test]
    fn a_date_between_two_values_is_the_one_before_and_one_beyond_the_unit_its_end() {
        let rows = [
            (
                Unit::Ms,
                "2026-01-01T00:00:00.123999999Z",
                1_767_225_600_123,
            ),
            (Unit::Ns, "2300-01-01T00:00:00Z", i64::MAX),
            (Unit::Ns, "1600-01-01T00:00:00Z", i64::MIN),
            (Unit::NumberNs, "2300-01-01T00:00:00Z", i64::MAX),
            (Unit::Ms, "2300-01-01T00:00:00Z", 10_413_792_000_000),
        ];
        for (unit, date, timestamp) in rows {
            assert_eq!(unit.from_date(date.parse().unwrap()), timestamp, "{date}");
        }
    }
}
