//! Whether an index takes every state as it is, and keeps it so: it has to map nothing.
//!
//! An index that was there before, or got its fields from a template, would refuse a state
//! whose fields do not fit, and collect those of all others until it is full.

use std::collections::BTreeMap;

use anyhow::anyhow;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::answer::parse;
use crate::state_store::StoreError;

/// One index of the answer; an alias may stand for several.
#[derive(Deserialize)]
struct Index {
    mappings: Mappings,
}

#[derive(Deserialize)]
struct Mappings {
    dynamic: Option<Value>,
    #[serde(default)]
    properties: Map<String, Value>,
    #[serde(rename = "_source")]
    source: Option<Value>,
}

/// Judges the answer to `GET /INDEX/_mapping`.
///
/// # Errors
/// [`StoreError::Invalid`] says which index is to be named instead.
pub(super) fn check(place: &str, answer: &[u8]) -> Result<(), StoreError> {
    let indices: BTreeMap<String, Index> = parse(place, answer)?;
    let mut indices = indices.into_values();
    match indices.find_map(|index| wrong(&index.mappings)) {
        None => Ok(()),
        Some(wrong) => Err(StoreError::Invalid(anyhow!(
            "{place} is not made for states, as {wrong}: name another index in storage_config, one that is not there yet, and see that no index template has fields for it"
        ))),
    }
}

/// What is wrong with these mappings.
fn wrong(mappings: &Mappings) -> Option<String> {
    let dynamic = match &mappings.dynamic {
        Some(Value::String(text)) => text,
        Some(Value::Bool(false)) => "false",
        _ => "true",
    };
    let fields: Vec<_> = mappings.properties.keys().take(3).cloned().collect();
    if !fields.is_empty() {
        Some(format!("it maps fields ({}, ..)", fields.join(", ")))
    } else if dynamic != "false" {
        Some(format!(
            "its mapping has \"dynamic\": {dynamic:?}, not \"false\""
        ))
    } else {
        let source = mappings.source.as_ref()?;
        Some(format!(
            "its mapping keeps only a part of a document, \"_source\": {source}"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_is_one_for_states_if_it_maps_nothing() {
        let rows = [
            (r#"{"i":{"mappings":{"dynamic":"false"}}}"#, None),
            (
                r#"{"i":{"mappings":{"dynamic":false,"properties":{}}}}"#,
                None,
            ),
            (r#"{"i":{"mappings":{}}}"#, Some("\"dynamic\": \"true\"")),
            (
                r#"{"i":{"mappings":{"dynamic":"strict"}}}"#,
                Some("\"strict\""),
            ),
            (
                r#"{"i":{"mappings":{"dynamic":"runtime"}}}"#,
                Some("\"runtime\""),
            ),
            (
                r#"{"i":{"mappings":{"dynamic":"false","properties":{"data":{},"id":{}}}}}"#,
                Some("(data, id, ..)"),
            ),
            (
                r#"{"i":{"mappings":{"dynamic":"false","_source":{"enabled":false}}}}"#,
                Some("\"enabled\":false"),
            ),
            (
                r#"{"i":{"mappings":{"dynamic":"false"}},"j":{"mappings":{"dynamic":"true"}}}"#,
                Some("\"true\""),
            ),
        ];
        for (answer, wrong) in rows {
            match (check("index i at c", answer.as_bytes()), wrong) {
                (Ok(()), None) => {}
                (Err(StoreError::Invalid(cause)), Some(part)) => {
                    let said = cause.to_string();
                    let parts = [part, "index i at c", "name another index"];
                    assert!(parts.iter().all(|part| said.contains(part)), "{said}");
                }
                (checked, _) => panic!("{answer}: {checked:?}"),
            }
        }
    }
}
