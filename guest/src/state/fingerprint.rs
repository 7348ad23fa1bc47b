//! Which documents a state is about.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cluster::shards::Slice;
use crate::config::Config;
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
                "timestamp_field",
                self.timestamp_field == now.timestamp_field,
            ),
            ("query", self.query == now.query),
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
                self.runtime_mappings == now.runtime_mappings,
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
}
