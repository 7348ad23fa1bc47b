//! Which partition of a topic a message goes to. Pure.

use std::fmt;

use anyhow::anyhow;

use crate::publisher::destination::{AppendError, Message};

/// How the messages of a stream are spread over the partitions of its topic.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Partitioning {
    /// Request by request, to the partitions in turn.
    #[default]
    Balanced,
    /// All to this partition, counted from 0.
    PartitionId(u32),
    /// Messages of one key to one partition; this is what the key is taken from, see
    /// [`Shape::key`](crate::publisher::shape::Shape::key).
    ///
    /// It is the partition that Iggy's own clients and server choose for
    /// `Partitioning::messages_key` of the same bytes: XXH32 of them with seed 0, modulo
    /// the number of partitions. So keys of other producers agree, and move when
    /// partitions are added. Messages without a key go to the partitions in turn, those
    /// of one batch to the same.
    Key(String),
}

impl fmt::Display for Partitioning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Balanced => write!(f, "balanced"),
            Self::PartitionId(id) => write!(f, "all to partition {id}"),
            Self::Key(key) => write!(f, "by {key}"),
        }
    }
}

impl Partitioning {
    /// Checks that a topic with as many partitions will do.
    ///
    /// # Errors
    /// Permanent when it lacks the configured partition.
    pub(super) fn check(&self, partitions: usize) -> Result<(), AppendError> {
        match self {
            Self::PartitionId(id) if *id as usize >= partitions => {
                Err(AppendError::permanent(anyhow!(
                    "there is no partition {id}: the topic has {partitions}, counted from 0; set \
                     partition_id to one of them, or partitions before the topic is created"
                )))
            }
            _ => Ok(()),
        }
    }
}

/// The partitions of a topic, and whose turn it is.
#[derive(Debug, Default)]
pub(super) struct Partitions {
    ids: Vec<u32>,
    turns: usize,
}

impl Partitions {
    /// As the server lists them; whose turn it is stays.
    pub(super) fn update(&mut self, ids: impl IntoIterator<Item = u32>) {
        self.ids = ids.into_iter().collect();
    }

    /// The SDK would ask the server for the partitions to do the same.
    pub(super) fn take_turn(&mut self) -> u32 {
        let id = self.at(self.turns);
        self.turns = self.turns.wrapping_add(1);
        id
    }

    /// Where each message must go; `None` where any partition will do.
    pub(super) fn of(
        &mut self,
        messages: &[Message],
        partitioning: &Partitioning,
    ) -> Vec<Option<u32>> {
        match partitioning {
            Partitioning::Balanced => vec![None; messages.len()],
            Partitioning::PartitionId(id) => vec![Some(*id); messages.len()],
            Partitioning::Key(_) => {
                let keyless = self.take_turn();
                let of = |message: &Message| match &message.key {
                    Some(key) => self.of_key(key),
                    None => keyless,
                };
                messages.iter().map(|message| Some(of(message))).collect()
            }
        }
    }

    fn of_key(&self, key: &[u8]) -> u32 {
        self.at(iggy_common::calculate_32(key) as usize)
    }

    fn at(&self, number: usize) -> u32 {
        let index = number.checked_rem(self.ids.len());
        let id = index.and_then(|index| self.ids.get(index));
        id.copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn keyed(key: Option<&'static str>) -> Message {
        Message {
            id: 1,
            key: key.map(Bytes::from),
            payload: Bytes::new(),
            headers: vec![],
        }
    }

    fn partitions(count: u32) -> Partitions {
        let mut partitions = Partitions::default();
        partitions.update(0..count);
        partitions
    }

    #[test]
    fn a_key_is_hashed_as_iggys_own_clients_do() {
        // XXH32 with seed 0, as published with the algorithm.
        let rows = [
            ("", 0x02cc_5d05_u32),
            ("a", 0x550d_7456),
            ("abc", 0x32d1_53ff),
        ];
        for (key, hash) in rows {
            for count in [1, 2, 3, 7, 1_000] {
                let targets =
                    partitions(count).of(&[keyed(Some(key))], &Partitioning::Key("k".into()));
                assert_eq!(targets, [Some(hash % count)], "{key:?} of {count}");
            }
        }
    }

    #[test]
    fn messages_without_a_key_go_in_turn_batch_by_batch() {
        let (mut partitions, by_key) = (partitions(3), Partitioning::Key("k".into()));
        let batch = [keyed(None), keyed(Some("abc")), keyed(None)];
        let abc = Some(0x32d1_53ff % 3);
        for keyless in [Some(0), Some(1), Some(2), Some(0)] {
            assert_eq!(partitions.of(&batch, &by_key), [keyless, abc, keyless]);
        }
    }

    #[test]
    fn a_partition_must_be_there() {
        let rows = [
            (Partitioning::Balanced, 1, true),
            (Partitioning::Key("k".into()), 1, true),
            (Partitioning::PartitionId(2), 3, true),
            (Partitioning::PartitionId(3), 3, false),
        ];
        for (partitioning, partitions, right) in rows {
            let checked = partitioning.check(partitions);
            assert_eq!(checked.is_ok(), right, "{partitioning:?}");
            let refused = checked.map_err(|error| (error.transient, error.to_string()));
            if let Err((transient, text)) = refused {
                assert!(
                    !transient && text.contains("no partition 3: the topic has 3"),
                    "{text}"
                );
            }
        }
    }
}
