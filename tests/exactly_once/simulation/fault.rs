//! What can be called, and how a call can fail.

/// A call of a capability.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// A page, or a count, in a point in time.
    SearchInPit,
    /// A search or a count of the index as it is.
    Search,
    /// Any other request to the cluster.
    Ask,
    /// Messages to a topic.
    Append,
    /// A topic read to its end.
    Tail,
    /// The state loaded.
    Load,
    /// The state saved.
    Save,
}

/// When a call that fails takes effect all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Never.
    Never,
    /// Before the failure is known.
    Before,
    /// After the failure is known, within the quiet time.
    After,
}

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// An error at once, such as a connection that is reset.
    Error(Effect),
    /// No answer until the timeout.
    Hang(Effect),
    /// The process is killed during the call.
    Kill(Effect),
    /// An output that certainly took nothing.
    Rejected,
    /// An output that certainly took every other message, as if they went to two partitions.
    Half,
    /// An output that took the first half, without an answer.
    HalfUnknown,
    /// Killed after the first half.
    HalfKill,
    /// 429.
    TooManyRequests,
    /// 503 of a proxy.
    Unavailable,
    /// The cluster's memory is full.
    CircuitBreaker,
    /// The point in time is gone.
    LostPit,
    /// A 200 without the documents of a shard.
    LostShard,
    /// A 200 with the first half of the hits, and `timed_out`.
    TimedOut,
    /// A 200 that silently lacks a hit.
    LostHit,
    /// Something in between sends it twice; the second answer comes. Of a scroll, that is the
    /// page after the next.
    Twice,
}

impl Fault {
    /// Whether the process ends with it.
    pub fn kills(self) -> bool {
        matches!(self, Self::Kill(_) | Self::HalfKill)
    }
}

use Effect::{After, Before, Never};

const ALWAYS: [Fault; 6] = [
    Fault::Error(Never),
    Fault::Error(Before),
    Fault::Hang(Never),
    Fault::Hang(Before),
    Fault::Kill(Never),
    Fault::Kill(Before),
];
/// Of a call without an effect.
const READS: [Fault; 3] = [Fault::Error(Never), Fault::Hang(Never), Fault::Kill(Never)];
const ANSWERS: [Fault; 3] = [
    Fault::TooManyRequests,
    Fault::Unavailable,
    Fault::CircuitBreaker,
];
const PARTIAL: [Fault; 3] = [Fault::LostShard, Fault::TimedOut, Fault::LostHit];
const APPENDS: [Fault; 7] = [
    Fault::Error(After),
    Fault::Hang(After),
    Fault::Kill(After),
    Fault::Rejected,
    Fault::Half,
    Fault::HalfUnknown,
    Fault::HalfKill,
];

impl Operation {
    /// Every way in which it can fail.
    pub fn faults(self) -> Vec<Fault> {
        let more: &[&[Fault]] = match self {
            Self::SearchInPit => &[&ANSWERS, &PARTIAL, &[Fault::LostPit, Fault::Twice]],
            Self::Search => &[&ANSWERS, &PARTIAL],
            Self::Ask => &[&ANSWERS],
            Self::Append => &[&APPENDS],
            Self::Tail | Self::Load => return READS.to_vec(),
            Self::Save => &[],
        };
        [&ALWAYS[..]]
            .iter()
            .chain(more)
            .flat_map(|faults| faults.iter().copied())
            .collect()
    }
}
