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

    /// From one end of a partition to this later one, found at this time.
    pub fn stretch_from(&self, from: u64, found_ms: u64) -> Option<Stretch> {
        let to = self.next;
        let stretch = self.stretch_on(found_ms);
        (from < to).then_some(Stretch {
            from,
            to,
            ..stretch
        })
    }

    /// From this end on, wherever the partition ends by now.
    pub fn stretch_on(&self, found_ms: u64) -> Stretch {
        Stretch {
            stream: self.stream.clone(),
            topic: self.topic.clone(),
            partition: self.partition,
            from: self.next,
            to: u64::MAX,
            found_ms,
        }
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
    /// The offset behind the last of them; beyond every end while that is not known.
    pub to: u64,
    /// What stands there was published before this time, in milliseconds since the epoch.
    pub found_ms: u64,
}

impl Stretch {
    /// Whether it is in the stream and topic of this mark.
    pub fn is_in(&self, mark: &Mark) -> bool {
        self.stream == mark.stream && self.topic == mark.topic
    }

    /// Whether it is in the partition of this mark.
    pub fn is_of(&self, mark: &Mark) -> bool {
        self.is_in(mark) && self.partition == mark.partition
    }

    /// Whether the other is of the same partition.
    pub fn is_beside(&self, other: &Self) -> bool {
        self.stream == other.stream
            && self.topic == other.topic
            && self.partition == other.partition
    }
}
