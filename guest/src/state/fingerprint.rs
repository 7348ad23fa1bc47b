//! Which documents a state is about.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cluster::shards::Slice;
use crate::config::{Config, Content};
use crate::error::Error;
use crate::paging::Pagination;
use crate::time::Unit;

/// What decides which documents there are, and which ids they get.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// The index expression.
    pub index: String,
    /// The field that orders.
    pub timestamp_field: String,
    /// The user's query.
    pub query: Value,
    /// The namespace of message ids.
    pub id_namespace: String,
    /// By offset, a state is about all documents; in other ways about those from a place on.
    #[serde(default, skip_serializing_if = "is_false")]
    pub by_offset: bool,
    /// What one step of a numeric timestamp is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp_unit: Option<Unit>,
    /// What tells documents of one timestamp apart, where that is not the sequence number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tiebreaker_field: Option<String>,
    /// The routing values whose shards are asked. States of versions without it asked all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routing: Option<String>,
    /// Fields that the query may name; none in states of versions without them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime_mappings: Option<Value>,
    /// What is delivered, once an id was made of it, as there was no sequence number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Value>,
    /// Which shards are read, as it is configured; all of them where nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slice: Option<String>,
}

fn is_false(value: &bool) -> bool {
    !value
}

impl Fingerprint {
    /// Of this configuration.
    pub fn of(config: &Config) -> Self {
        Self {
            index: config.index.clone(),
            timestamp_field: config.order().to_owned(),
            query: config.query.clone(),
            id_namespace: config.id_namespace.clone(),
            by_offset: config.pagination == Pagination::Offset,
            timestamp_unit: config.timestamp_unit,
            tiebreaker_field: config.tiebreaker_field.clone(),
            routing: config.routing.clone(),
            runtime_mappings: config.runtime_mappings.clone(),
            content: None,
            slice: name_of(config.slice),
        }
    }

    /// The same documents, as far as they are in this slice.
    pub fn in_slice(&self, slice: Slice) -> Self {
        Self {
            slice: name_of(slice),
            ..self.clone()
        }
    }

    /// From now on there are ids that this content made: another one would make others of the
    /// same documents.
    pub fn names_by(&mut self, content: &Content) {
        self.content.get_or_insert_with(|| content.as_json());
    }

    /// Refuses to go on with another selection: what it adds behind the watermark would
    /// never be read, and nobody would notice.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] names the key.
    pub(super) fn check(&self, config: &Config) -> Result<(), Error> {
        let now = Self::of(config);
        let rows = [
            ("index", self.index == now.index),
            (
                config.field_key(),
                self.timestamp_field == now.timestamp_field,
            ),
            ("query", are_same(&self.query, &now.query)),
            ("id_namespace", self.id_namespace == now.id_namespace),
            ("pagination", self.by_offset == now.by_offset),
            ("timestamp_unit", self.timestamp_unit == now.timestamp_unit),
            (
                "tiebreaker_field",
                self.tiebreaker_field == now.tiebreaker_field,
            ),
            ("routing", self.routing == now.routing),
            (
                "runtime_mappings",
                match (&self.runtime_mappings, &now.runtime_mappings) {
                    (Some(saved), Some(now)) => are_same(saved, now),
                    (saved, now) => saved == now,
                },
            ),
            (
                config.content.key(),
                self.content.is_none() || self.content == Some(config.content.as_json()),
            ),
        ];
        match rows.iter().find(|(_, same)| !same) {
            Some((key, _)) => Err(Error::config(
                *key,
                "is not the one that the saved state was made with; change it back, or choose another \"state_id\", which reads from the beginning",
            )),
            None if self.slice != now.slice => Err(Error::config(
                "slice",
                "is not the one that the saved state was made with; change it back, or change the number of slices with \"state migrate\"",
            )),
            None => Ok(()),
        }
    }
}

/// Whether two values are the same, but for the last digits of a fraction: earlier builds read
/// some in another way, and saved what they had read.
fn are_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(a), Value::Number(b)) if a.is_f64() && b.is_f64() => {
            let is_near = |(a, b): (f64, f64)| (a - b).abs() <= 4.0 * f64::EPSILON * a.abs();
            a.as_f64().zip(b.as_f64()).is_some_and(is_near)
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| are_same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            let is_there = |(key, a): (_, &Value)| b.get(key).is_some_and(|b| are_same(a, b));
            a.len() == b.len() && a.iter().all(is_there)
        }
        _ => one == other,
    }
}

/// As it is configured.
fn name_of(slice: Slice) -> Option<String> {
    slice.is_part().then(|| slice.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_of_a_version_without_routing_and_runtime_mappings_is_of_all_shards() {
        let saved = r#"{"index": "i", "timestamp_field": "t", "query": {"match_all": {}}, "id_namespace": ""}"#;
        let saved: Fingerprint = serde_json::from_str(saved).unwrap();
        let now = |more: &str| {
            let json = format!(r#"{{"index": "i", "timestamp_field": "t"{more}}}"#);
            saved.check(&Config::parse(&json).unwrap())
        };
        assert_eq!(now(""), Ok(()));
        assert_eq!(now(r#", "_source": ["a"], "preference": "_local""#), Ok(()));
        assert!(now(r#", "routing": "a""#).is_err());
    }

    #[test]
    fn the_last_digit_of_a_fraction_makes_no_other_query_and_all_else_does() {
        let config = |bound: &str, more: &str| {
            let query =
                format!(r#"{{"bool":{{"filter":[{{"range":{{"n":{{"gte":{bound}}}}}}}{more}]}}}}"#);
            let json = format!(r#"{{"index": "i", "timestamp_field": "t", "query": {query}}}"#);
            Config::parse(&json).unwrap()
        };
        let saved = Fingerprint::of(&config("97.45365320034684", ""));
        let rows = [
            ("97.45365320034684", "", true),
            ("97.45365320034685", "", true),
            ("97.4536532003478", "", false),
            ("-97.45365320034685", "", false),
            ("97", "", false),
            ("\"97.45365320034684\"", "", false),
            ("97.45365320034684", r#",{"match_all":{}}"#, false),
        ];
        for (bound, more, is_same) in rows {
            let checked = saved.check(&config(bound, more));
            assert_eq!(checked.is_ok(), is_same, "{bound}{more}: {checked:?}");
        }
    }

    #[test]
    fn what_ids_were_made_of_stays_and_anything_else_may_change() {
        let config = |more: &str| {
            let json = format!(r#"{{"index": "i", "timestamp_field": "t"{more}}}"#);
            Config::parse(&json).unwrap()
        };
        let rows = [
            ("", None),
            (r#", "_source": ["a"]"#, Some("_source")),
            (r#", "fields": ["a"]"#, Some("fields")),
        ];
        let mut saved = Fingerprint::of(&config(""));
        for (more, _) in rows {
            assert_eq!(saved.check(&config(more)), Ok(()), "{more}");
        }
        saved.names_by(&config("").content);
        let saved = serde_json::to_string(&saved).unwrap();
        let saved: Fingerprint = serde_json::from_str(&saved).unwrap();
        for (more, refused) in rows {
            let error = saved.check(&config(more)).err();
            let key = error.map(|error| error.to_string());
            let starts =
                |key: &&str| key.starts_with(&format!("{}: is not", refused.unwrap_or("")));
            assert_eq!(
                key.as_deref().filter(starts).is_some(),
                refused.is_some(),
                "{more}: {key:?}"
            );
        }
    }
}
