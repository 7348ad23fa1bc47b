//! The ids that are in one destination and that no saved state covers. Pure.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::publisher::destination::Message;

/// Three kinds of ids: those of acknowledged publishes, kept until a state covers the
/// publish; those that a publish under way has appended; and *found* ones (read back, or
/// of a publish that failed), kept until they are published again or can not be any more.
#[derive(Debug, Default)]
pub(super) struct Known {
    acknowledged: HashMap<u128, u64>,
    appended: HashSet<u128>,
    found: HashSet<u128>,
    /// Sequence and number of messages of every publish that no state covers.
    uncovered: VecDeque<(u64, u64)>,
    /// Messages covered since ids were last found.
    covered_since_found: u64,
}

impl Known {
    pub(super) fn contains(&self, id: u128) -> bool {
        self.acknowledged.contains_key(&id)
            || self.appended.contains(&id)
            || self.found.contains(&id)
    }

    pub(super) fn len(&self) -> usize {
        self.acknowledged.len() + self.appended.len() + self.found.len()
    }

    /// Remembers ids that were read back.
    pub(super) fn find(&mut self, ids: impl IntoIterator<Item = u128>) {
        let acknowledged = &self.acknowledged;
        self.found
            .extend(ids.into_iter().filter(|id| !acknowledged.contains_key(id)));
        self.covered_since_found = 0;
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
        self.uncovered.push_back((sequence, messages.len() as u64));
    }

    /// Forgets what the source will not offer again. A source starts at its saved state
    /// and offers at most `unsaved_max` messages that were there before it fell, so that
    /// after as many covered ones nothing that was found can come any more.
    pub(super) fn covered(&mut self, sequence: u64, unsaved_max: u64) {
        while let Some((_, count)) = self.uncovered.pop_front_if(|(first, _)| *first <= sequence) {
            self.covered_since_found = self.covered_since_found.saturating_add(count);
        }
        self.acknowledged
            .retain(|_, published| *published > sequence);
        if self.covered_since_found >= unsaved_max {
            self.found = HashSet::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn batch(ids: std::ops::Range<u128>) -> Vec<Message> {
        let message = |id| Message {
            id,
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
        known.covered(1, 10);
        assert_eq!(has(&known, 0..9), [2, 3]);
        known.covered(2, 10);
        assert_eq!(known.len(), 0);
    }

    #[test]
    fn found_ids_outlive_saves_until_they_are_published_again() {
        let mut known = Known::default();
        known.find([1, 2]);
        known.acknowledge(1, &batch(1..2));
        known.covered(1, 10);
        assert_eq!(has(&known, 0..9), [2]);
    }

    #[test]
    fn ids_of_a_publish_that_failed_count_as_found() {
        let mut known = Known::default();
        known.append([1]);
        known.begin();
        known.append([2]);
        known.acknowledge(1, &batch(2..3));
        known.covered(1, 10);
        assert_eq!(has(&known, 0..9), [1]);
    }

    #[test]
    fn publishes_that_succeed_do_not_keep_found_ids_alive() {
        let mut known = Known::default();
        known.find([100]);
        for sequence in 1..11_u64 {
            known.begin();
            known.append([u128::from(sequence)]);
            known.acknowledge(sequence, &batch(sequence.into()..u128::from(sequence) + 1));
            known.covered(sequence, 10);
        }
        assert_eq!(known.len(), 0);
    }

    #[test]
    fn found_ids_go_once_unsaved_max_messages_were_covered_since() {
        let mut known = Known::default();
        known.find([100]);
        known.acknowledge(1, &batch(1..6));
        known.covered(1, 10);
        known.find([200]);
        known.acknowledge(2, &batch(6..11));
        known.covered(2, 10);
        assert_eq!(
            has(&known, 100..201),
            [100, 200],
            "the later find starts the count again"
        );
        known.acknowledge(3, &batch(11..16));
        known.covered(3, 10);
        assert_eq!(known.len(), 0);
    }
}
