//! The ids that are in one destination and that no saved state covers. Pure.

use std::collections::{HashMap, HashSet};

use crate::publisher::destination::Message;

/// Three kinds of ids: those of acknowledged publishes, kept until a state covers the
/// publish; those that a publish under way has appended; and *found* ones (read back, or
/// of a publish that failed), kept until they are published again.
///
/// Nothing else makes a found id go: the state that the source started from may be any
/// number of messages older than the output, so no count tells when it is past them.
#[derive(Debug, Default)]
pub(super) struct Known {
    acknowledged: HashMap<u128, u64>,
    appended: HashSet<u128>,
    found: HashSet<u128>,
}

impl Known {
    pub(super) fn contains(&self, id: u128) -> bool {
        self.acknowledged.contains_key(&id)
            || self.appended.contains(&id)
            || self.found.contains(&id)
    }

    /// How many ids of acknowledged publishes no state covers.
    pub(super) fn uncovered(&self) -> usize {
        self.acknowledged.len()
    }

    /// How many ids were found and not published again.
    pub(super) fn found(&self) -> usize {
        self.found.len()
    }

    /// Remembers ids that were read back.
    pub(super) fn find(&mut self, ids: impl IntoIterator<Item = u128>) {
        let acknowledged = &self.acknowledged;
        self.found
            .extend(ids.into_iter().filter(|id| !acknowledged.contains_key(id)));
    }

    /// A source starts again from a state that covers nothing of what was published: all of
    /// it counts as found.
    pub(super) fn uncover(&mut self) {
        let acknowledged = std::mem::take(&mut self.acknowledged);
        self.found.extend(acknowledged.into_keys());
        self.found.extend(self.appended.drain());
    }

    /// Nothing that was found will be published again.
    pub(super) fn forget_found(&mut self) {
        self.found = HashSet::new();
    }

    /// Starts a publish. What an earlier one appended without being acknowledged as a
    /// whole, because it failed or was dropped, counts as found.
    pub(super) fn begin(&mut self) {
        if !self.appended.is_empty() {
            let appended = std::mem::take(&mut self.appended);
            self.find(appended);
        }
    }

    /// Remembers ids that the publish under way has appended.
    pub(super) fn append(&mut self, ids: impl IntoIterator<Item = u128>) {
        self.appended.extend(ids);
    }

    /// Counts the batch's ids as those of the publish with this sequence.
    pub(super) fn acknowledge(&mut self, sequence: u64, messages: &[Message]) {
        self.appended.clear();
        for message in messages {
            self.found.remove(&message.id);
            self.acknowledged.insert(message.id, sequence);
        }
    }

    /// Forgets the publishes up to this one, which the source will not offer again.
    pub(super) fn covered(&mut self, sequence: u64) {
        self.acknowledged
            .retain(|_, published| *published > sequence);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn batch(ids: std::ops::Range<u128>) -> Vec<Message> {
        let message = |id| Message {
            id,
            key: None,
            payload: Bytes::new(),
            headers: vec![],
        };
        ids.map(message).collect()
    }

    fn has(known: &Known, ids: std::ops::Range<u128>) -> Vec<u128> {
        ids.filter(|id| known.contains(*id)).collect()
    }

    #[test]
    fn covered_publishes_are_forgotten_and_later_ones_are_not() {
        let mut known = Known::default();
        known.acknowledge(1, &batch(1..3));
        known.acknowledge(2, &batch(2..4));
        known.covered(1);
        assert_eq!(has(&known, 0..9), [2, 3]);
        known.covered(2);
        assert_eq!(has(&known, 0..9), [0; 0]);
    }

    #[test]
    fn found_ids_outlive_saves_until_they_are_published_again() {
        let mut known = Known::default();
        known.find([1, 2]);
        known.acknowledge(1, &batch(1..2));
        known.covered(1);
        assert_eq!(has(&known, 0..9), [2]);
    }

    #[test]
    fn ids_of_a_publish_that_failed_count_as_found() {
        let mut known = Known::default();
        known.append([1]);
        known.begin();
        known.append([2]);
        known.acknowledge(1, &batch(2..3));
        known.covered(1);
        assert_eq!(has(&known, 0..9), [1]);
    }

    #[test]
    fn found_ids_stay_however_many_other_messages_are_covered_first() {
        let mut known = Known::default();
        known.find([1_000_000]);
        for sequence in 1..1_001_u64 {
            let first = u128::from(sequence) * 100;
            known.begin();
            known.append(first..first + 100);
            known.acknowledge(sequence, &batch(first..first + 100));
            known.covered(sequence);
        }
        assert_eq!((known.uncovered(), known.found()), (0, 1));
        assert!(known.contains(1_000_000));
    }

    #[test]
    fn found_ids_that_were_published_again_go_with_the_next_save() {
        let mut known = Known::default();
        known.find(1..6);
        known.acknowledge(1, &batch(1..6));
        assert_eq!((known.uncovered(), known.found()), (5, 0));
        known.covered(1);
        assert_eq!(has(&known, 0..9), [0; 0]);
    }
}
