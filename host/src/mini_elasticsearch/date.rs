//! Dates as the servers read them: ISO 8601, epoch numbers, and patterns.
//!
//! A text names an instant in nanoseconds; what a field keeps of it (milliseconds or
//! nanoseconds) is the field's business. Date mathematics (`now-1d`) is not here: the
//! connector refuses it, as its meaning changes from request to request.

use chrono::{DateTime, SecondsFormat};

use super::civil::Civil;
use super::mapping::Kind;

/// Seconds since the epoch, and nanoseconds within the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Instant {
    pub(super) seconds: i64,
    pub(super) nanos: u32,
}

impl Instant {
    /// Milliseconds since the epoch, rounded down.
    pub(super) fn millis(self) -> i64 {
        self.seconds
            .saturating_mul(1_000)
            .saturating_add(i64::from(self.nanos / 1_000_000))
    }

    /// Nanoseconds since the epoch, or why a `date_nanos` field cannot hold them.
    pub(super) fn nanos(self) -> Result<i64, String> {
        let text =
            || DateTime::from_timestamp(self.seconds, self.nanos).map_or_else(String::new, iso);
        if self.seconds < 0 {
            return Err(format!(
                "date[{}] is before the epoch in 1970 and cannot be stored in nanosecond resolution",
                text()
            ));
        }
        let nanos = self
            .seconds
            .checked_mul(1_000_000_000)
            .and_then(|n| n.checked_add(i64::from(self.nanos)));
        nanos.ok_or_else(|| {
            format!("date[{}] is after 2262-04-11T23:47:16.854775807 and cannot be stored in nanosecond resolution", text())
        })
    }
}

fn iso(date: DateTime<chrono::Utc>) -> String {
    date.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// Milliseconds since the epoch as the servers print them.
pub(super) fn iso_millis(millis: i64) -> String {
    let date = DateTime::from_timestamp_millis(millis);
    date.map_or_else(
        || millis.to_string(),
        |date| date.to_rfc3339_opts(SecondsFormat::Millis, true),
    )
}

/// Nanoseconds since the epoch as the servers print them: with three digits at least.
fn iso_nanos(nanos: i64) -> String {
    let date = DateTime::from_timestamp_nanos(nanos).to_rfc3339_opts(SecondsFormat::Nanos, true);
    let (millis, rest) = date.split_at(date.len() - "000000Z".len());
    let rest = rest.trim_end_matches(['0', 'Z']);
    format!("{millis}{rest}Z")
}

/// The formats of a field or of a range, tried in order.
#[derive(Debug, Clone)]
pub(super) struct Formats {
    text: String,
    formats: Vec<Format>,
}

#[derive(Debug, Clone)]
enum Format {
    Iso,
    /// Read alike, and written with all digits.
    IsoNanos,
    EpochMillis,
    EpochSecond,
    Pattern(Vec<Part>),
}

/// A part of a pattern.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part {
    /// A letter, so many times.
    Letter(char, usize),
    Literal(char),
}

impl Formats {
    /// What a date field without a `format` reads.
    pub(super) const DEFAULT: &'static str = "strict_date_optional_time||epoch_millis";

    /// Reads `a||b`; the error says what is not known.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let formats = text
            .split("||")
            .map(Format::parse)
            .collect::<Result<_, _>>()?;
        Ok(Self {
            text: text.to_owned(),
            formats,
        })
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// A value of a date field in the first format; nothing where that is not known here, as
    /// nanoseconds in a format without them, which the two products write differently.
    pub(super) fn write(&self, kind: Kind, value: i64) -> Option<String> {
        match (self.formats.first()?, kind) {
            (Format::IsoNanos, Kind::DateNanos) => Some(iso_nanos(value)),
            (Format::Iso | Format::IsoNanos, Kind::Date) => Some(iso_millis(value)),
            (Format::EpochMillis, Kind::Date) => Some(value.to_string()),
            _ => None,
        }
    }

    /// The instant that `text` names; `round_up` fills what it leaves open with the
    /// largest value instead of the smallest.
    pub(super) fn instant(&self, text: &str, round_up: bool) -> Option<Instant> {
        self.formats
            .iter()
            .find_map(|format| format.instant(text, round_up))
    }
}

impl Format {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "strict_date_optional_time" | "date_optional_time" | "iso8601" => Ok(Self::Iso),
            "strict_date_optional_time_nanos" => Ok(Self::IsoNanos),
            "epoch_millis" => Ok(Self::EpochMillis),
            "epoch_second" => Ok(Self::EpochSecond),
            _ => pattern(text).map(Self::Pattern),
        }
    }

    fn instant(&self, text: &str, round_up: bool) -> Option<Instant> {
        match self {
            Self::Iso | Self::IsoNanos => Civil::iso(text)?.instant(round_up),
            Self::EpochMillis => epoch(text, 3, round_up),
            Self::EpochSecond => epoch(text, 0, round_up),
            Self::Pattern(parts) => Civil::pattern(text, parts)?.instant(round_up),
        }
    }
}

fn pattern(text: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut quoted = false;
    for c in text.chars() {
        match (c, parts.last_mut()) {
            ('\'', _) => quoted = !quoted,
            (_, Some(Part::Letter(letter, count))) if !quoted && *letter == c => *count += 1,
            _ if quoted || !c.is_ascii_alphabetic() => parts.push(Part::Literal(c)),
            _ if "yuMdHmsSXZ".contains(c) => parts.push(Part::Letter(c, 1)),
            _ => {
                return Err(format!(
                    "Invalid format: [{text}]: Unknown pattern letter: {c}"
                ));
            }
        }
    }
    Ok(parts)
}

/// A decimal number of 10^-`digits` seconds, with a fraction or without.
fn epoch(text: &str, digits: u32, round_up: bool) -> Option<Instant> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let places = 9 - digits as usize;
    if fraction.len() > places || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let fill = if round_up && fraction.is_empty() {
        "9"
    } else {
        "0"
    };
    let fraction: i128 = format!("{fraction}{}", fill.repeat(places - fraction.len()))
        .parse()
        .ok()?;
    let unit = 10_i128.pow(9 - digits);
    let whole: i128 = whole.parse::<i64>().ok()?.into();
    let nanos = whole * unit
        + if whole < 0 || text.starts_with('-') {
            -fraction
        } else {
            fraction
        };
    let seconds = i64::try_from(nanos.div_euclid(1_000_000_000)).ok()?;
    Some(Instant {
        seconds,
        nanos: u32::try_from(nanos.rem_euclid(1_000_000_000)).ok()?,
    })
}
