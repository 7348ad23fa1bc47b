//! What the cluster says of the configured index: the field's unit, the refresh interval.

use std::collections::BTreeMap;

use serde_json::Value;

use super::field_caps::{FieldCaps, Flaw, check_sortable};
use crate::config::Config;
use crate::error::Error;
use crate::paging::Pagination;
use crate::time::Unit;

/// The least time that a document is given to become visible.
const SETTLE_MIN_MS: u64 = 5_000;
/// The time where the refresh interval can not be known.
pub const SETTLE_UNKNOWN_MS: u64 = 60_000;

/// How the field that orders is mapped in the indices that exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mapping {
    /// As something that sorts in this unit.
    Sorted(Unit),
    /// In no index; without documents that is no mistake yet.
    Nowhere,
}

impl Mapping {
    /// Reads the answer to `_field_caps`.
    ///
    /// Where `date` and `date_nanos` mix, milliseconds: they hold every date of both.
    ///
    /// # Errors
    /// Permanent, if the field is neither a date nor a whole number of a known unit (nor, by
    /// document id, a keyword), has no doc values, or lies in a nested object.
    pub fn parse(config: &Config, body: &[u8]) -> Result<Self, Error> {
        let caps = FieldCaps::parse(body)?;
        let flawed = |Flaw { how, remedy }: Flaw| not_readable(config, &how, remedy);
        let types = caps.types(config.order()).map_err(flawed)?;
        let kinds: Vec<_> = types.iter().map(|(kind, _)| *kind).collect();
        let mapping = Self::of(config, &kinds)?;
        check_sortable(&types).map_err(flawed)?;
        Ok(mapping)
    }

    fn of(config: &Config, kinds: &[&str]) -> Result<Self, Error> {
        let is_number = |kind: &&str| NUMBERS.contains(kind);
        let by_id = config.pagination == Pagination::DocumentId;
        match (kinds, config.timestamp_unit) {
            ([], _) => Ok(Self::Nowhere),
            (["keyword"], _) if by_id => Ok(Self::Sorted(Unit::Text)),
            (["long"], _) if by_id => Ok(Self::Sorted(Unit::Number)),
            (kinds, _) if by_id => Err(is_mapped(config, kinds)),
            (["date_nanos"], None) => Ok(Self::Sorted(Unit::Ns)),
            (["date"] | ["date", "date_nanos"], None) => Ok(Self::Sorted(Unit::Ms)),
            (kinds, Some(unit)) if kinds.iter().all(|kind| holds(kind, unit)) => {
                Ok(Self::Sorted(unit))
            }
            (kinds, None) if kinds.iter().all(is_number) => Err(Error::config(
                "timestamp_unit",
                format!(
                    "is missing, as timestamp_field {:?} is mapped as {}; say what one step of it is, \"s\", \"ms\", \"us\" or \"ns\", or \"sequence\" if it is no time but only grows",
                    config.order(),
                    kinds.join(" and ")
                ),
            )),
            (kinds, _) => Err(is_mapped(config, kinds)),
        }
    }
}

fn is_mapped(config: &Config, kinds: &[&str]) -> Error {
    let wanted = match (config.pagination, config.timestamp_unit) {
        (Pagination::DocumentId, _) => {
            "it must be mapped as keyword or long, in all indices alike: give it such a mapping and reindex"
        }
        (_, Some(_)) => {
            "with \"timestamp_unit\" it must be mapped as long, or for \"s\" as integer: leave that key out for dates"
        }
        (_, None) => {
            "it must be mapped as date or date_nanos, or as a whole number with \"timestamp_unit\": give it such a mapping and reindex"
        }
    };
    not_readable(
        config,
        &format!("is mapped as {}", kinds.join(" and ")),
        wanted,
    )
}

/// Whether a field of this type can be asked for any value that another index may have, and for
/// one behind the last: a shorter one refuses what it can not hold.
fn holds(kind: &str, unit: Unit) -> bool {
    kind == "long" || (kind == "integer" && unit == Unit::NumberS)
}

/// Types of whole numbers.
const NUMBERS: [&str; 4] = ["byte", "integer", "long", "short"];

fn not_readable(config: &Config, how: &str, remedy: &str) -> Error {
    let (key, field, index) = (config.field_key(), config.order(), &config.index);
    Error::permanent(format!(
        "{key} {field:?} of index {index:?} {how}; {remedy}, or name another field"
    ))
}

/// Twice the largest refresh interval of the indices, and at least 5 s.
///
/// None where one of them refreshes only on demand, or the answer can not be read.
pub fn settle_ms(settings: &[u8]) -> Option<u64> {
    let indices: BTreeMap<String, Value> = serde_json::from_slice(settings).ok()?;
    let mut largest = 0;
    for index in indices.values() {
        let value = ["settings", "defaults"]
            .iter()
            .find_map(|of| index.get(of)?.get("index.refresh_interval")?.as_str())?;
        largest = largest.max(time_value_ms(value)?);
    }
    Some(SETTLE_MIN_MS.max(largest.saturating_mul(2)))
}

/// A time value of the cluster, such as "1s"; none for "-1", which is never.
fn time_value_ms(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    match unit {
        "nanos" | "micros" => Some(1),
        "ms" => Some(number),
        "s" => number.checked_mul(1_000),
        "m" => number.checked_mul(60_000),
        "h" => number.checked_mul(3_600_000),
        "d" => number.checked_mul(86_400_000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(field: &str) -> Config {
        Config::parse(&format!(
            r#"{{"index": "logs-*", "timestamp_field": "{field}"}}"#
        ))
        .unwrap()
    }

    #[test]
    fn the_unit_follows_the_mapping() {
        let rows = [
            (r#"{"t":{"date":{}}}"#, Ok(Mapping::Sorted(Unit::Ms))),
            (
                r#"{"t":{"date_nanos":{},"unmapped":{}}}"#,
                Ok(Mapping::Sorted(Unit::Ns)),
            ),
            (
                r#"{"t":{"date":{},"date_nanos":{}}}"#,
                Ok(Mapping::Sorted(Unit::Ms)),
            ),
            (r#"{"t":{"unmapped":{}}}"#, Ok(Mapping::Nowhere)),
            ("{}", Ok(Mapping::Nowhere)),
            (r#"{"t":{"keyword":{}}}"#, Err("is mapped as keyword")),
            (
                r#"{"t":{"date":{"aggregatable":false}}}"#,
                Err("can not be sorted by; map it with \"doc_values\": true"),
            ),
            (
                r#"{"t":{"date":{},"date_nanos":{"aggregatable":false}}}"#,
                Err("can not be sorted by; map it with \"doc_values\": true"),
            ),
            (
                r#"{"t":{"date":{},"long":{}}}"#,
                Err("is mapped as date and long"),
            ),
            (
                r#"{"t":{"date":{}},"a":{"nested":{}},"a.b":{"long":{}}}"#,
                Ok(Mapping::Sorted(Unit::Ms)),
            ),
        ];
        let nested = (
            "a.t",
            r#"{"a.t":{"date":{}},"a":{"nested":{}}}"#,
            Err("lies in \"a\""),
        );
        let rows = rows.map(|(fields, expected)| ("t", fields, expected));
        for (field, fields, expected) in rows.into_iter().chain([nested]) {
            let body = format!(r#"{{"indices":["i"],"fields":{fields}}}"#);
            match (Mapping::parse(&config(field), body.as_bytes()), expected) {
                (Ok(mapping), Ok(expected)) => assert_eq!(mapping, expected),
                (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
                (other, expected) => panic!("{fields}: {other:?} instead of {expected:?}"),
            }
        }
    }

    #[test]
    fn settle_is_twice_the_largest_refresh_interval() {
        let rows = [
            (
                r#"{"i":{"settings":{},"defaults":{"index.refresh_interval":"1s"}}}"#,
                Some(5_000),
            ),
            (
                r#"{"i":{"settings":{"index.refresh_interval":"30s"},"defaults":{}},"j":{"settings":{},"defaults":{"index.refresh_interval":"1s"}}}"#,
                Some(60_000),
            ),
            (
                r#"{"i":{"settings":{"index.refresh_interval":"-1"},"defaults":{}}}"#,
                None,
            ),
            (r#"{"i":{"settings":{},"defaults":{}}}"#, None),
            ("{}", Some(5_000)),
            ("forbidden", None),
        ];
        for (settings, expected) in rows {
            assert_eq!(settle_ms(settings.as_bytes()), expected, "{settings}");
        }
    }
}
