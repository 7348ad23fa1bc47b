//! Whether the field that tells documents of one timestamp apart can do that, as
//! `_field_caps` has it.

use super::field_caps::{FieldCaps, Flaw, check_sortable};
use crate::config::Config;
use crate::error::Error;

/// Types of whole numbers that 64 bits with a sign hold.
const LONG: [&str; 2] = ["_seq_no", "long"];
/// Types that refuse a longer number in a query, as it would come from an index of the others.
const SHORT: [&str; 3] = ["byte", "integer", "short"];

/// Whether an index maps the field; without one configured there is nothing to map.
///
/// # Errors
/// Permanent, if it is no whole number, has no doc values, or lies in a nested object.
pub fn is_mapped(config: &Config, body: &[u8]) -> Result<bool, Error> {
    let Some(field) = config.tiebreaker_field.as_deref() else {
        return Ok(true);
    };
    let caps = FieldCaps::parse(body)?;
    judge(&caps, field).map_err(|Flaw { how, remedy }| {
        Error::permanent(format!(
            "tiebreaker_field {field:?} of index {:?} {how}; {remedy}, or name another field",
            config.index
        ))
    })
}

fn judge(caps: &FieldCaps, field: &str) -> Result<bool, Flaw> {
    let types = caps.types(field)?;
    if let Some((kind, can)) = types.iter().find(|(kind, _)| !is_whole(kind)) {
        return Err(Flaw {
            how: format!("is mapped as {kind}{}", can.among()),
            remedy: "it must be mapped as long, integer, short or byte: give it such a mapping and reindex",
        });
    }
    check_sortable(&types)?;
    let short = types.iter().find(|(kind, _)| is_short(kind));
    match short.filter(|_| !types.iter().all(|(kind, _)| is_short(kind))) {
        None => Ok(!types.is_empty()),
        Some((kind, can)) => Err(Flaw {
            how: format!("is mapped as {kind}{}, and as long in others", can.among()),
            remedy: "map it as long in all of them and reindex",
        }),
    }
}

fn is_whole(kind: &str) -> bool {
    LONG.contains(&kind) || is_short(kind)
}

fn is_short(kind: &str) -> bool {
    SHORT.contains(&kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(field: &str) -> Config {
        Config::parse(&format!(
            r#"{{"index": "logs-*", "timestamp_field": "t", "tiebreaker_field": "{field}"}}"#
        ))
        .unwrap()
    }

    fn judged(field: &str, fields: &str) -> Result<bool, Error> {
        let body = format!(r#"{{"indices":["a","b"],"fields":{fields}}}"#);
        is_mapped(&config(field), body.as_bytes())
    }

    #[test]
    fn whole_numbers_with_doc_values_break_ties_and_nothing_else_does() {
        let can = r#"{"aggregatable":true}"#;
        let rows = [
            (format!(r#"{{"n":{{"long":{can}}}}}"#), Ok(true)),
            (
                format!(r#"{{"n":{{"byte":{can},"integer":{can},"short":{can},"unmapped":{{"aggregatable":false}}}}}}"#),
                Ok(true),
            ),
            (
                r#"{"n":{"long":{"aggregatable":true,"indices":["a"]},"short":{"aggregatable":true,"indices":["b"]}}}"#.to_owned(),
                Err("is mapped as short in b, and as long in others; map it as long in all of them"),
            ),
            ("{}".to_owned(), Ok(false)),
            (
                r#"{"n":{"unmapped":{"aggregatable":false}}}"#.to_owned(),
                Ok(false),
            ),
            // The timestamp's own type says nothing about this field.
            (
                format!(r#"{{"t":{{"keyword":{can}}},"n":{{"long":{can}}}}}"#),
                Ok(true),
            ),
            (
                format!(r#"{{"n":{{"keyword":{can}}}}}"#),
                Err("\"n\" of index \"logs-*\" is mapped as keyword; it must be mapped as long, integer"),
            ),
            (
                r#"{"n":{"text":{"aggregatable":false,"indices":["b"]},"long":{"aggregatable":true,"indices":["a"]}}}"#.to_owned(),
                Err("is mapped as text in b; it must"),
            ),
            (
                format!(r#"{{"n":{{"unsigned_long":{can}}}}}"#),
                Err("is mapped as unsigned_long; it must"),
            ),
            (
                format!(r#"{{"n":{{"date":{can}}}}}"#),
                Err("is mapped as date; it must"),
            ),
            (
                r#"{"n":{"long":{"aggregatable":false}}}"#.to_owned(),
                Err("can not be sorted by; map it with \"doc_values\": true"),
            ),
            (
                r#"{"n":{"long":{"aggregatable":false,"non_aggregatable_indices":["b"]}}}"#.to_owned(),
                Err("can not be sorted by in b; map it"),
            ),
        ];
        for (fields, expected) in rows {
            match (judged("n", &fields), expected) {
                (Ok(mapped), Ok(expected)) => assert_eq!(mapped, expected, "{fields}"),
                (Err(error @ Error::Permanent(_)), Err(part)) => {
                    let message = error.to_string();
                    assert!(
                        message.starts_with("tiebreaker_field ") && message.contains(part),
                        "{message}"
                    );
                }
                (other, expected) => panic!("{fields}: {other:?} instead of {expected:?}"),
            }
        }
    }

    #[test]
    fn without_the_field_nothing_is_looked_at() {
        let config = Config::parse(r#"{"index": "i", "timestamp_field": "t"}"#).unwrap();
        assert_eq!(is_mapped(&config, b"{}"), Ok(true));
    }
}
