//! What a source is configured to do: the keys of its component that the doctor judges by.
//!
//! The component has checked them; here are its defaults once more, and nothing else of it.

use std::time::Duration;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::field::{Field, Step, Values};
use crate::config::{self, parse_duration};

/// How a source would read.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Plan {
    pub(super) index: String,
    timestamp_field: Option<String>,
    timestamp_unit: Option<Step>,
    pub(super) tiebreaker_field: Option<String>,
    #[serde(default = "everything")]
    pub(super) query: Value,
    /// Fields that every search defines, for the query.
    pub(super) runtime_mappings: Option<Value>,
    pub(super) routing: Option<String>,
    pub(super) preference: Option<String>,
    /// What is delivered of a document.
    #[serde(rename = "_source")]
    pub(super) source: Option<Value>,
    #[serde(default = "batch_size")]
    pub(super) batch_size: u64,
    #[serde(default = "edge_max")]
    pub(super) edge_max: u64,
    settle: Option<String>,
    scroll_timeout: Option<String>,
    #[serde(default)]
    pub(super) pagination: Pagination,
    pub(super) id_field: Option<String>,
    pub(super) start: Option<String>,
    /// The largest answer, in bytes; a key of the host's.
    #[serde(skip)]
    pub(super) max_response_bytes: u64,
}

/// A way of paging.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Pagination {
    /// By a date, again and again.
    #[default]
    Timestamp,
    /// By an id that only grows, again and again.
    DocumentId,
    /// What is there now, once.
    Scroll,
    /// As far as a window reaches.
    Offset,
}

impl Pagination {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Timestamp => "timestamp",
            Self::DocumentId => "document_id",
            Self::Scroll => "scroll",
            Self::Offset => "offset",
        }
    }
}

impl Plan {
    /// # Errors
    /// What another component than the embedded one may take for its configuration.
    pub(super) fn of(source: &config::Source) -> anyhow::Result<Self> {
        let plan: Self =
            serde_json::from_value(source.guest_config.clone()).with_context(|| {
                format!(
                    "source {}: the doctor knows the configuration of the embedded component only",
                    source.key
                )
            })?;
        Ok(Self {
            max_response_bytes: source.max_response_bytes,
            ..plan
        })
    }

    /// The field that it reads by, if there is one; `_id` is none, as nothing maps it.
    pub(super) fn field(&self) -> Option<Field<'_>> {
        let (name, key, values) = match self.pagination {
            Pagination::DocumentId => (&self.id_field, "id_field", Values::Ids),
            _ => {
                let values = Values::of_step(self.timestamp_unit);
                (&self.timestamp_field, "timestamp_field", values)
            }
        };
        let name = name.as_deref()?;
        Some(Field { name, key, values })
    }

    /// How old a document must be, where that is configured.
    pub(super) fn settle(&self) -> Option<Duration> {
        self.settle
            .as_ref()
            .and_then(|text| parse_duration(text).ok())
    }

    /// How long a scroll stays open between two pages.
    pub(super) fn scroll_timeout(&self) -> Duration {
        let configured = self.scroll_timeout.as_ref();
        let configured = configured.and_then(|text| parse_duration(text).ok());
        configured.unwrap_or(Duration::from_secs(300))
    }
}

fn everything() -> Value {
    json!({"match_all": {}})
}

fn batch_size() -> u64 {
    1_000
}

fn edge_max() -> u64 {
    65_536
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The plan of this component's configuration beside `index` and `timestamp_field`.
    pub(in crate::doctor) fn plan(more: Value) -> Plan {
        let mut keys = json!({"index": "logs-*", "timestamp_field": "t"});
        keys.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let plan: Plan = serde_json::from_value(keys).unwrap();
        Plan {
            max_response_bytes: 64 << 20,
            ..plan
        }
    }

    #[test]
    fn what_is_not_configured_has_the_defaults_of_the_component() {
        let bare = plan(json!({}));
        assert_eq!((bare.batch_size, bare.edge_max), (1_000, 65_536));
        assert_eq!(
            (bare.settle(), bare.pagination),
            (None, Pagination::Timestamp)
        );
        let full = plan(json!({"settle": "2m", "pagination": "document_id", "unknown": 1}));
        assert_eq!(full.settle(), Some(Duration::from_secs(120)));
        assert_eq!(full.pagination, Pagination::DocumentId);
    }

    #[test]
    fn a_source_reads_by_a_date_a_number_or_an_id() {
        let rows = [
            (json!({}), Some(("t", Values::Dates))),
            (
                json!({"timestamp_unit": "us"}),
                Some(("t", Values::Times(Step::Us))),
            ),
            (
                json!({"timestamp_unit": "sequence"}),
                Some(("t", Values::Sequence)),
            ),
            (json!({"pagination": "document_id"}), None),
            (
                json!({"pagination": "document_id", "id_field": "uid"}),
                Some(("uid", Values::Ids)),
            ),
        ];
        for (keys, expected) in rows {
            let plan = plan(keys.clone());
            let field = plan.field().map(|field| (field.name, field.values));
            assert_eq!(field, expected, "{keys}");
        }
    }
}
