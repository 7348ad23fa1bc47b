//! Whether the field that tells documents of one timestamp apart can do that, as
//! `_field_caps` has it.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::config::Config;
use crate::error::Error;

/// Types of whole numbers that 64 bits with a sign hold.
const LONG: [&str; 2] = ["_seq_no", "long"];
/// Types that refuse a longer number in a query, as it would come from an index of the others.
const SHORT: [&str; 3] = ["byte", "integer", "short"];

#[derive(Deserialize)]
struct FieldCaps {
    fields: BTreeMap<String, BTreeMap<String, Capability>>,
}

/// What a field of one type can do.
#[derive(Deserialize)]
struct Capability {
    /// Where it has doc values.
    aggregatable: bool,
    /// Absent: all that map the field.
    #[serde(default)]
    indices: Vec<String>,
    /// Absent: all of these, or none.
    #[serde(default)]
    non_aggregatable_indices: Vec<String>,
}

/// Whether an index maps the field; without one configured there is nothing to map.
///
/// # Errors
/// Permanent, if it is no whole number, has no doc values, or lies in a nested object.
pub fn is_mapped(config: &Config, body: &[u8]) -> Result<bool, Error> {
    let Some(field) = config.tiebreaker_field.as_deref() else {
        return Ok(true);
    };
    let caps: FieldCaps = serde_json::from_slice(body).map_err(|e| {
        Error::transient(format!(
            "the cluster's answer to _field_caps can not be read: {e}"
        ))
    })?;
    let refuse = |how: &str, remedy: &str| {
        Err(Error::permanent(format!(
            "tiebreaker_field {field:?} of index {:?} {how}; {remedy}, or name another field",
            config.index
        )))
    };
    let parents = caps.fields.iter().filter(|(name, _)| lies_in(field, name));
    let mut nested = parents.filter(|(_, types)| types.contains_key("nested"));
    if let Some((parent, _)) = nested.next() {
        let how = format!("lies in {parent:?}, which is mapped as nested");
        return refuse(&how, "keep it outside of nested objects");
    }
    let types = caps.fields.get(field).into_iter().flatten();
    let types: Vec<_> = types.filter(|(kind, _)| *kind != "unmapped").collect();
    for (kind, capability) in &types {
        if !is_whole(kind) {
            let how = format!("is mapped as {kind}{}", among(&capability.indices));
            let remedy = "it must be mapped as long, integer, short or byte: give it such a mapping and reindex";
            return refuse(&how, remedy);
        }
        if !capability.aggregatable {
            let without = match capability.non_aggregatable_indices.as_slice() {
                [] => &capability.indices,
                _ => &capability.non_aggregatable_indices,
            };
            let how = format!("can not be sorted by{}", among(without));
            return refuse(&how, "map it with \"doc_values\": true and reindex");
        }
    }
    let short = types.iter().find(|(kind, _)| is_short(kind));
    if let Some((kind, capability)) = short
        && !types.iter().all(|(kind, _)| is_short(kind))
    {
        let indices = among(&capability.indices);
        let how = format!("is mapped as {kind}{indices}, and as long in others");
        return refuse(&how, "map it as long in all of them and reindex");
    }
    Ok(!types.is_empty())
}

fn is_whole(kind: &str) -> bool {
    LONG.contains(&kind) || is_short(kind)
}

fn is_short(kind: &str) -> bool {
    SHORT.contains(&kind)
}

/// Whether a field is part of an object.
fn lies_in(field: &str, parent: &str) -> bool {
    field
        .strip_prefix(parent)
        .is_some_and(|rest| rest.starts_with('.'))
}

/// The first of these indices, if there are any; a pattern may match thousands.
fn among(indices: &[String]) -> String {
    const NAMED_MAX: usize = 5;
    let first: Vec<_> = indices.iter().take(NAMED_MAX).map(String::as_str).collect();
    match (first.as_slice(), indices.len().saturating_sub(NAMED_MAX)) {
        ([], _) => String::new(),
        (first, 0) => format!(" in {}", first.join(", ")),
        (first, more) => format!(" in {} and {more} more", first.join(", ")),
    }
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
    fn only_an_object_that_the_field_lies_in_matters() {
        let nested = r#"{"nested":{"aggregatable":false}}"#;
        let fields = |parent: &str| {
            format!(r#"{{"{parent}":{nested},"o.n":{{"long":{{"aggregatable":true}}}}}}"#)
        };
        let error = judged("o.n", &fields("o")).unwrap_err().to_string();
        assert!(
            error.contains("lies in \"o\", which is mapped as nested"),
            "{error}"
        );
        assert_eq!(judged("o.n", &fields("other")), Ok(true));
        assert_eq!(judged("o.n", &fields("o.")), Ok(true));
    }

    #[test]
    fn many_indices_are_not_all_named() {
        let indices: Vec<_> = (0..7).map(|n| format!("i{n}")).collect();
        assert_eq!(among(&indices), " in i0, i1, i2, i3, i4 and 2 more");
        assert_eq!(among(&indices[..2]), " in i0, i1");
    }

    #[test]
    fn without_the_field_nothing_is_looked_at() {
        let config = Config::parse(r#"{"index": "i", "timestamp_field": "t"}"#).unwrap();
        assert_eq!(is_mapped(&config, b"{}"), Ok(true));
    }
}
