//! The edge: the documents that a later read may meet again.
//!
//! An entry says "delivered". Of the id, its lower 64 bits are kept: they only have to tell
//! documents apart that have the same timestamp and sequence number. Its flag says whether the running pass has met it, since a
//! receipt compares what the pass met with what the cluster counts: a document that was
//! delivered and deleted since is in the edge, but in no count.

mod packed;

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use crate::key::Key;

/// The documents delivered since the segment's start, in reading order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edge {
    entries: Entries,
}

/// Places and the lower halves of ids, and whether the pass has met them.
type Entries = BTreeMap<(Key, u64), bool>;

impl Edge {
    /// An edge of documents that were delivered, and met or not.
    pub fn of(entries: impl IntoIterator<Item = (Key, u128, bool)>) -> Self {
        let entries = entries.into_iter();
        let entries = entries.map(|(key, id, met)| ((key, short(id)), met));
        Self {
            entries: entries.collect(),
        }
    }

    /// How many documents are remembered.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether this document was delivered, as far as the edge reaches.
    pub fn holds(&self, key: &Key, id: u128) -> bool {
        self.entries.contains_key(&(key.clone(), short(id)))
    }

    /// Remembers a document as delivered and met. True if the pass had not met it before.
    pub fn meet(&mut self, key: &Key, id: u128) -> bool {
        self.entries.insert((key.clone(), short(id)), true) != Some(true)
    }

    /// How many documents the pass met before `to`.
    pub fn met_before(&self, to: &Key) -> u64 {
        let met = self
            .entries
            .range(..(to.clone(), 0))
            .filter(|(_, met)| **met)
            .count();
        met as u64
    }

    /// How many documents from this place on are remembered.
    pub fn count_from(&self, from: &Key) -> u64 {
        self.since(from).count() as u64
    }

    /// How many documents of this very place the pass met.
    pub fn met_at(&self, place: &Key) -> u64 {
        let entries = self
            .entries
            .range((place.clone(), 0)..=(place.clone(), u64::MAX));
        entries.filter(|(_, met)| **met).count() as u64
    }

    /// What is remembered from this place on.
    pub fn since(&self, from: &Key) -> impl Iterator<Item = &(Key, u64)> {
        let entries = self.entries.range((from.clone(), 0)..);
        entries.map(|(entry, _)| entry)
    }

    /// What is remembered between two places, the second exclusive.
    pub fn between(&self, from: &Key, to: &Key) -> impl Iterator<Item = &(Key, u64)> {
        self.since(from).take_while(move |(key, _)| key < to)
    }

    /// The place of the document that this many come before.
    pub fn place_of(&self, number: u64) -> Option<Key> {
        let mut places = self.entries.keys().map(|(key, _)| key);
        places.nth(usize::try_from(number).ok()?).cloned()
    }

    /// How many of them the pass met.
    pub fn met_from(&self, from: &Key) -> u64 {
        let entries = self.entries.range((from.clone(), 0)..);
        entries.filter(|(_, met)| **met).count() as u64
    }

    /// Forgets what comes before `to` and was accounted for.
    pub fn forget_before(&mut self, to: &Key) {
        let kept = self.entries.split_off(&(to.clone(), 0));
        let before = std::mem::replace(&mut self.entries, kept);
        self.entries
            .extend(before.into_iter().filter(|(_, met)| *met));
    }

    /// Forgets so many, in reading order.
    pub fn forget_first(&mut self, number: u64) {
        for _ in 0..number {
            self.entries.pop_first();
        }
    }

    /// Takes out what the pass did not meet between two places.
    pub fn take_unmet(&mut self, from: &Key, to: &Key) -> Self {
        let range = (from.clone(), 0)..(to.max(from).clone(), 0);
        let unmet = self.entries.extract_if(range, |_, met| !*met);
        Self {
            entries: unmet.collect(),
        }
    }

    /// Forgets one document. True if it was remembered.
    pub fn forget(&mut self, key: &Key, id: u128) -> bool {
        self.entries.remove(&(key.clone(), short(id))).is_some()
    }

    /// A new pass begins, which has met nothing yet.
    pub fn begin_pass(&mut self) {
        self.entries.values_mut().for_each(|met| *met = false);
    }

    /// What was met before `to` was accounted for: it is delivered and no more.
    pub fn account_before(&mut self, to: &Key) {
        let before = self.entries.range_mut(..(to.clone(), 0));
        before.for_each(|(_, met)| *met = false);
    }

    /// Remembers what another edge does, too.
    pub fn join(&mut self, other: &Self) {
        let others = other.entries.iter();
        let others = others.map(|(entry, met)| (entry.clone(), *met));
        self.entries.extend(others);
    }
}

fn short(id: u128) -> u64 {
    (id & u128::from(u64::MAX)) as u64
}

/// An edge in a state: packed, in letters.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Saved {
    Numbers(String),
    Texts { texts: String },
}

impl Serialize for Edge {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let entries = &self.entries;
        let encode = |packed| STANDARD_NO_PAD.encode(packed);
        let saved = match entries.first_key_value() {
            Some(((Key { point, .. }, _), _)) if point.number().is_none() => {
                packed::pack_texts(entries).map(|packed| Saved::Texts {
                    texts: encode(packed),
                })
            }
            _ => packed::pack_numbers(entries).map(|packed| Saved::Numbers(encode(packed))),
        };
        let mixed = || ser::Error::custom("the edge has numbers beside texts");
        saved.ok_or_else(mixed)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Edge {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let decode = |letters| STANDARD_NO_PAD.decode(letters).map_err(de::Error::custom);
        let entries = match Saved::deserialize(deserializer)? {
            Saved::Numbers(letters) => packed::unpack_numbers(&decode(letters)?),
            Saved::Texts { texts } => packed::unpack_texts(&decode(texts)?),
        };
        let entries = entries.ok_or_else(|| de::Error::custom("the edge is cut off"))?;
        Ok(Self { entries })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(entries: &[(i64, i64, u128)]) -> Edge {
        let mut edge = Edge::default();
        for (timestamp, seq_no, id) in entries {
            edge.meet(&(*timestamp, *seq_no).into(), *id);
        }
        edge
    }

    #[test]
    fn a_document_is_met_once_in_a_pass() {
        let mut edge = edge(&[(1, 0, 7)]);
        assert!(
            !edge.meet(&(1, 0).into(), 7),
            "the next page repeats its edge"
        );
        edge.begin_pass();
        assert_eq!(edge.met_before(&Key::at(2)), 0);
        assert!(edge.holds(&(1, 0).into(), 7), "it stays delivered");
        assert!(edge.meet(&(1, 0).into(), 7));
    }

    #[test]
    fn forgetting_keeps_the_border() {
        let mut edge = edge(&[(1, 5, 1), (2, 0, 2), (2, 3, 3), (2, 3, 4), (3, 0, 5)]);
        assert_eq!(edge.count_from(&Key::at(2)), 4);
        edge.account_before(&(2, 3).into());
        edge.forget_before(&(2, 3).into());
        assert_eq!(
            (
                edge.len(),
                edge.between(&Key::at(2), &Key::at(3)).count(),
                edge.met_before(&Key::at(3))
            ),
            (3, 2, 2)
        );
    }

    #[test]
    fn what_was_met_and_not_accounted_for_is_never_forgotten() {
        let mut edge = edge(&[(1, 0, 1), (2, 0, 2)]);
        edge.account_before(&Key::at(2));
        edge.meet(&(1, 1).into(), 3);
        edge.forget_before(&Key::at(9));
        assert!(!edge.holds(&(1, 0).into(), 1));
        assert!(edge.holds(&(1, 1).into(), 3) && edge.holds(&(2, 0).into(), 2));
    }

    #[test]
    fn an_edge_survives_being_saved() {
        let mut before = edge(&[(-1, 0, u128::MAX), (i64::MAX, 9, 1)]);
        before.begin_pass();
        before.meet(&(i64::MAX, 9).into(), 1);
        let of_texts = Edge::of([(Key::at("a"), 1, true), (Key::at("ab"), 2, false)]);
        for edge in [before, of_texts, Edge::default()] {
            let text = serde_json::to_string(&edge).unwrap();
            assert_eq!(serde_json::from_str::<Edge>(&text).unwrap(), edge);
        }
    }

    #[test]
    fn a_cut_edge_is_an_error() {
        let text = serde_json::to_string(&edge(&[(1, 0, 1)])).unwrap();
        let cut = format!("{}\"", &text[..text.len() - 5]);
        assert!(serde_json::from_str::<Edge>(&cut).is_err(), "{cut}");
    }
}
