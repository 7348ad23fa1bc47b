//! Places in the output: ends, and stretches between two of them.

use serde::{Deserialize, Serialize};

/// Where the next message of a partition will stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The stream.
    pub stream: String,
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: u32,
    /// The offset.
    pub next: u64,
}

impl Mark {
    /// Whether the other is of the same stream and topic.
    pub fn is_beside(&self, other: &Self) -> bool {
        self.stream == other.stream && self.topic == other.topic
    }

    /// From one end of a partition to a later one.
    pub fn stretch_from(&self, from: u64) -> Option<Stretch> {
        (from < self.next).then(|| Stretch {
            stream: self.stream.clone(),
            topic: self.topic.clone(),
            partition: self.partition,
            from,
            to: self.next,
        })
    }
}

/// Messages of one partition that stand next to each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    /// The stream.
    pub stream: String,
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: u32,
    /// The offset of the first of them.
    pub from: u64,
    /// The offset behind the last of them.
    pub to: u64,
}

impl Stretch {
    /// Whether it is in the stream and topic of this mark.
    pub fn is_in(&self, mark: &Mark) -> bool {
        self.stream == mark.stream && self.topic == mark.topic
    }

    /// Whether the other is of the same partition.
    pub fn is_beside(&self, other: &Self) -> bool {
        self.stream == other.stream
            && self.topic == other.topic
            && self.partition == other.partition
    }
}
