//! The order in which documents are read: by timestamp, then by sequence number.

use serde::{Deserialize, Serialize};

use crate::time::Unit;

/// A place in the reading order. Several documents can share one, one per shard at
/// the most: a sequence number is unique in its shard only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "(i64, Option<i64>)", from = "(i64, Option<i64>)")]
pub struct Key {
    /// The sort value of the timestamp field, in the source's [`Unit`].
    pub timestamp: i64,
    /// The document's `_seq_no`.
    pub seq_no: i64,
}

impl Key {
    /// Before every document.
    pub const MIN: Self = Self::at(i64::MIN);

    /// Before every document of this timestamp.
    pub const fn at(timestamp: i64) -> Self {
        Self {
            timestamp,
            seq_no: i64::MIN,
        }
    }

    /// Before every document of a later timestamp.
    pub const fn behind(timestamp: i64) -> Self {
        Self::at(timestamp.saturating_add(1))
    }

    /// Whether it is before every document of its timestamp.
    pub fn begins_group(self) -> bool {
        self.seq_no == i64::MIN
    }

    /// For people: the timestamp as a date, with the sequence number where it matters.
    pub fn describe(self, unit: Unit) -> String {
        match self {
            Self::MIN => "the beginning".to_owned(),
            Self {
                timestamp,
                seq_no: i64::MIN,
            } => unit.to_iso(timestamp),
            Self { timestamp, seq_no } => {
                format!("{} (sequence number {seq_no})", unit.to_iso(timestamp))
            }
        }
    }
}

impl From<Key> for (i64, Option<i64>) {
    fn from(key: Key) -> Self {
        (key.timestamp, (!key.begins_group()).then_some(key.seq_no))
    }
}

impl From<(i64, Option<i64>)> for Key {
    fn from((timestamp, seq_no): (i64, Option<i64>)) -> Self {
        let seq_no = seq_no.unwrap_or(i64::MIN);
        Self { timestamp, seq_no }
    }
}

#[cfg(test)]
impl From<(i64, i64)> for Key {
    fn from((timestamp, seq_no): (i64, i64)) -> Self {
        Self { timestamp, seq_no }
    }
}
