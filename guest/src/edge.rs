//! The edge: the documents that a later read may meet again.
//!
//! An entry says "delivered". Its flag says whether the running pass has met it, since a
//! receipt compares what the pass met with what the cluster counts: a document that was
//! delivered and deleted since is in the edge, but in no count.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::key::Key;

/// The documents delivered since the segment's start, in reading order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edge {
    entries: BTreeMap<(Key, u128), bool>,
}

impl Edge {
    /// How many documents are remembered.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether this document was delivered, as far as the edge reaches.
    pub fn holds(&self, key: Key, id: u128) -> bool {
        self.entries.contains_key(&(key, id))
    }

    /// Remembers a document as delivered and met. True if the pass had not met it before.
    pub fn meet(&mut self, key: Key, id: u128) -> bool {
        self.entries.insert((key, id), true) != Some(true)
    }

    /// How many documents the pass met before `to`.
    pub fn met_before(&self, to: Key) -> u64 {
        let met = self
            .entries
            .range(..(to, 0))
            .filter(|(_, met)| **met)
            .count();
        met as u64
    }

    /// How many documents of exactly this timestamp are remembered.
    pub fn count_at(&self, timestamp: i64) -> u64 {
        let group = (
            Key {
                timestamp,
                seq_no: i64::MIN,
            },
            0,
        )
            ..=(
                Key {
                    timestamp,
                    seq_no: i64::MAX,
                },
                u128::MAX,
            );
        self.entries.range(group).count() as u64
    }

    /// Forgets what comes before `to`.
    pub fn forget_before(&mut self, to: Key) {
        self.entries = self.entries.split_off(&(to, 0));
    }

    /// A new pass begins, which has met nothing yet.
    pub fn begin_pass(&mut self) {
        self.entries.values_mut().for_each(|met| *met = false);
    }

    /// 33 bytes an entry, little-endian: timestamp, sequence number, id, met.
    fn pack(&self) -> Vec<u8> {
        let mut packed = Vec::with_capacity(self.entries.len() * ENTRY);
        for ((key, id), met) in &self.entries {
            packed.extend(key.timestamp.to_le_bytes());
            packed.extend(key.seq_no.to_le_bytes());
            packed.extend(id.to_le_bytes());
            packed.push(u8::from(*met));
        }
        packed
    }

    fn unpack(packed: &[u8]) -> Option<Self> {
        let (entries, rest) = packed.as_chunks::<ENTRY>();
        rest.is_empty().then_some(())?;
        let entries = entries.iter().map(unpack_entry).collect::<Option<_>>()?;
        Some(Self { entries })
    }
}

const ENTRY: usize = 33;

fn unpack_entry(entry: &[u8; ENTRY]) -> Option<((Key, u128), bool)> {
    let (timestamp, rest) = entry.split_first_chunk()?;
    let (seq_no, rest) = rest.split_first_chunk()?;
    let (id, met) = rest.split_first_chunk()?;
    let key = Key {
        timestamp: i64::from_le_bytes(*timestamp),
        seq_no: i64::from_le_bytes(*seq_no),
    };
    Some(((key, u128::from_le_bytes(*id)), met.first() == Some(&1)))
}

impl Serialize for Edge {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD_NO_PAD.encode(self.pack()))
    }
}

impl<'de> Deserialize<'de> for Edge {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let packed = STANDARD_NO_PAD.decode(text).map_err(de::Error::custom)?;
        Self::unpack(&packed).ok_or_else(|| de::Error::custom("the edge is cut off"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(entries: &[(i64, i64, u128)]) -> Edge {
        let mut edge = Edge::default();
        for (timestamp, seq_no, id) in entries {
            edge.meet((*timestamp, *seq_no).into(), *id);
        }
        edge
    }

    #[test]
    fn a_document_is_met_once_in_a_pass() {
        let mut edge = edge(&[(1, 0, 7)]);
        assert!(!edge.meet(Key::at(1), 7), "the next page repeats its edge");
        edge.begin_pass();
        assert_eq!(edge.met_before(Key::at(2)), 0);
        assert!(edge.holds(Key::at(1), 7), "it stays delivered");
        assert!(edge.meet(Key::at(1), 7));
    }

    #[test]
    fn forgetting_keeps_the_border() {
        let mut edge = edge(&[(1, 5, 1), (2, 0, 2), (2, 3, 3), (2, 3, 4), (3, 0, 5)]);
        assert_eq!(edge.count_at(2), 3);
        edge.forget_before((2, 3).into());
        assert_eq!(
            (edge.len(), edge.count_at(2), edge.met_before(Key::at(3))),
            (3, 2, 2)
        );
    }

    #[test]
    fn an_edge_survives_being_saved() {
        let mut before = edge(&[(-1, 0, u128::MAX), (i64::MAX, 9, 1)]);
        before.begin_pass();
        before.meet((i64::MAX, 9).into(), 1);
        let text = serde_json::to_string(&before).unwrap();
        assert_eq!(serde_json::from_str::<Edge>(&text).unwrap(), before);
    }

    #[test]
    fn a_cut_edge_is_an_error() {
        let text = serde_json::to_string(&edge(&[(1, 0, 1)])).unwrap();
        assert!(serde_json::from_str::<Edge>(&text.replacen("AQ", "", 1)).is_err());
    }
}
