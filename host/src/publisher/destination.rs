//! What an output must be able to do: append messages, and read back what it has.
//!
//! Everything that makes delivery exact (which ids to skip, what to do after an
//! unknown outcome, several destinations at once) is written once over this trait,
//! in [`super::outbox`]. A backend knows nothing of it.

use std::fmt;
use std::time::Duration;

use anyhow::anyhow;
use bytes::Bytes;
use futures::future::BoxFuture;

/// The most ids that [`Destination::read`] returns; more is a permanent error.
pub const TAIL_MAX: usize = 4_000_000;

/// The upper 16 bits of an id. All messages of a source have the same ones, so that those
/// of others can be passed over without remembering them.
pub fn id_prefix(id: u128) -> u16 {
    (id >> (u128::BITS - u16::BITS)) as u16
}

/// One message, ready to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The same for the same version of the same document, always; never 0.
    pub id: u128,
    /// Messages of the same key go to the same partition, where the stream is partitioned
    /// by key.
    pub key: Option<Bytes>,
    /// The document's bytes as the cluster sent them, or around them what the stream's
    /// shape adds: JSON.
    pub payload: Bytes,
    /// Typed headers, each name once.
    pub headers: Vec<(String, HeaderValue)>,
}

impl Message {
    /// The value of the header with this name.
    pub fn header(&self, name: &str) -> Option<&HeaderValue> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value)
    }
}

/// The value of a message header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderValue {
    /// UTF-8 text.
    Text(String),
    /// A number.
    Unsigned(u64),
}

/// Where the next message of a partition will stand: an offset in a topic, a length
/// in bytes in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offset {
    /// The partition, counted from 0; always 0 in a file.
    pub partition: u32,
    /// The offset of the next message.
    pub next: u64,
}

/// Takes note of where one partition ends now.
pub(super) fn advance(ends: &mut Vec<Offset>, to: Offset) {
    match ends.iter_mut().find(|end| end.partition == to.partition) {
        Some(end) => *end = to,
        None => ends.push(to),
    }
}

/// Messages of one partition that stand next to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The partition, counted from 0; always 0 in a file.
    pub partition: u32,
    /// The offset of the first of them.
    pub from: u64,
    /// The offset behind the last of them.
    pub to: u64,
}

impl Range {
    /// Where the next message stands.
    pub fn end(&self) -> Offset {
        Offset {
            partition: self.partition,
            next: self.to,
        }
    }
}

/// What is to be read of a destination.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Every partition from here to its end; one that is not named from its beginning.
    pub from: Vec<Offset>,
    /// And what stands here; what is beyond the end is not.
    pub ranges: Vec<Range>,
    /// Only ids with this prefix, see [`id_prefix`]; all ids without one.
    pub prefix: Option<u16>,
}

impl Wanted {
    /// Everything from these offsets on.
    pub fn since(from: &[Offset]) -> Self {
        let from = from.to_vec();
        Self {
            from,
            ..Self::default()
        }
    }

    /// What is wanted of one partition that ends there, in order, nothing of it twice. The last
    /// one goes to the end.
    pub fn of(&self, partition: u32, end: u64) -> Vec<Range> {
        let known = self.from.iter().find(|from| from.partition == partition);
        let tail = Range {
            partition,
            from: known.map_or(0, |known| known.next),
            to: end,
        };
        let ranges = self.ranges.iter().copied();
        let before = ranges.filter(|range| range.partition == partition);
        let before = before.map(|range| Range {
            to: range.to.min(tail.from).min(end),
            ..range
        });
        let mut before: Vec<_> = before.filter(|range| range.from < range.to).collect();
        before.sort_unstable_by_key(|range| range.from);
        before.dedup_by(|next, last| {
            let joins = next.from <= last.to;
            if joins {
                last.to = last.to.max(next.to);
            }
            joins
        });
        before.push(tail);
        before
    }

    /// That no partition ends before an offset that is wanted.
    ///
    /// # Errors
    /// [`AppendError::gone`].
    pub fn check_none_gone(&self, ends: &[Offset]) -> Result<(), AppendError> {
        let end = |partition| {
            let found = ends.iter().find(|end| end.partition == partition);
            found.map_or(0, |end| end.next)
        };
        let missing = |from: &Offset| from.next.saturating_sub(end(from.partition));
        match self.from.iter().map(missing).fold(0, u64::saturating_add) {
            0 => Ok(()),
            gone => Err(AppendError::gone(gone)),
        }
    }

    /// Whether there was something before what is wanted.
    pub fn is_behind_something(&self) -> bool {
        self.from.iter().any(|from| from.next > 0)
    }

    /// Whether the id is one of those that are wanted.
    pub fn has(&self, id: u128) -> bool {
        self.prefix.is_none_or(|prefix| prefix == id_prefix(id))
    }
}

/// What was found in a destination.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tail {
    /// The ids of the wanted messages, other producers' included where they look alike.
    pub ids: Vec<u128>,
    /// Where every partition ends.
    pub end: Vec<Offset>,
}

/// Why messages were not appended or read, by what the caller can do.
#[derive(Debug)]
pub struct AppendError {
    /// How much of the batch is in the destination; nothing, when it was a read.
    pub committed: Committed,
    /// Whether the same call may succeed later.
    pub transient: bool,
    /// Whether the reason is in the messages.
    pub unfit: Unfit,
    /// What happened, where, and what to do about it.
    pub cause: anyhow::Error,
}

/// Which messages of a batch its destination can never take.
#[derive(Debug)]
pub enum Unfit {
    /// None that anybody knows of: the reason is another one.
    None,
    /// One of them at least, whose place nobody knows: the one that is not in, if there is
    /// only one. What is in stays there.
    Unnamed,
    /// These, in order, at least one. It was told before anything was sent, so that nothing
    /// is in.
    Named(Vec<Refused>),
}

/// A message that a destination can never take.
#[derive(Debug)]
pub struct Refused {
    /// Where it is in the batch, counted from 0.
    pub place: usize,
    /// Why.
    pub reason: anyhow::Error,
}

/// How much of a refused batch is in the destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Committed {
    /// None of it.
    Nothing,
    /// Some messages are in, as when requests to other partitions went before.
    Part {
        /// Their places in the batch, counted from 0, each once.
        places: Vec<usize>,
        /// Where they stand, in the order in which they were written.
        ranges: Vec<Range>,
    },
    /// No answer came: none, some or all of it, now or a little later.
    Unknown,
}

impl AppendError {
    /// Nothing is in, and the same call may succeed later.
    pub fn transient(cause: anyhow::Error) -> Self {
        let committed = Committed::Nothing;
        Self {
            committed,
            transient: true,
            unfit: Unfit::None,
            cause,
        }
    }

    /// Nothing is in, and the same call fails until somebody changes something.
    pub fn permanent(cause: anyhow::Error) -> Self {
        let committed = Committed::Nothing;
        Self {
            committed,
            transient: false,
            unfit: Unfit::None,
            cause,
        }
    }

    /// Nothing is in, as these messages can never be.
    pub fn unfit(refused: Vec<Refused>) -> Self {
        let cause = anyhow!("{} messages can never be taken", refused.len());
        Self {
            unfit: Unfit::Named(refused),
            ..Self::permanent(cause)
        }
    }

    /// So many messages that were acknowledged are not there any more: permanent.
    pub fn gone(messages: u64) -> Self {
        Self::permanent(anyhow!(
            "{messages} acknowledged messages are gone: the topic was purged, or its server \
             lost them; restore it, or start with a new state"
        ))
    }

    /// Nobody knows what is in; reading back will tell.
    pub fn unknown(cause: anyhow::Error) -> Self {
        let committed = Committed::Unknown;
        Self {
            committed,
            transient: true,
            unfit: Unfit::None,
            cause,
        }
    }
}

impl fmt::Display for AppendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.cause)
    }
}

/// One stream and topic of an output.
///
/// Every call is one attempt with one outcome: a backend never retries by itself.
/// A call whose future is dropped counts as one of unknown outcome.
pub trait Destination: Send {
    /// Stream and topic.
    fn name(&self) -> (&str, &str);

    /// Whether [`Destination::read`] can tell what is there.
    fn readable(&self) -> bool {
        true
    }

    /// Appends all messages in order and returns, once they are acknowledged, where they
    /// stand, in the order in which they were written. Messages that can be told never to be
    /// taken are all named before any is sent ([`Unfit::Named`]).
    fn append<'a>(
        &'a mut self,
        messages: &'a [Message],
    ) -> BoxFuture<'a, Result<Vec<Range>, AppendError>>;

    /// Where every partition ends.
    fn ends(&mut self) -> BoxFuture<'_, Result<Vec<Offset>, AppendError>>;

    /// Reads what is wanted, every partition forward to its end.
    ///
    /// Messages that somebody appends during the call may or may not be among them.
    /// An end below a wanted offset is a permanent error, as acknowledged messages are gone,
    /// and says how many; more than [`TAIL_MAX`] wanted ids are a permanent error too.
    fn read<'a>(&'a mut self, wanted: &'a Wanted) -> BoxFuture<'a, Result<Tail, AppendError>>;

    /// Gives up what may still be under way (a connection, say) and returns how long to
    /// wait until nothing of it can take effect any more.
    fn abandon(&mut self) -> Duration;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_of_a_partition_is_in_order_and_nothing_of_it_twice() {
        let rows = [
            (vec![], vec![(50, 90)]),
            (vec![(30, 40), (10, 20)], vec![(10, 20), (30, 40), (50, 90)]),
            (vec![(10, 20), (15, 30), (30, 31)], vec![(10, 31), (50, 90)]),
            (vec![(10, 40), (20, 30)], vec![(10, 40), (50, 90)]),
            (vec![(40, 70), (60, 80), (90, 95)], vec![(40, 50), (50, 90)]),
            (vec![(20, 20), (30, 10)], vec![(50, 90)]),
        ];
        let range = |(from, to): &(u64, u64)| Range {
            partition: 1,
            from: *from,
            to: *to,
        };
        let other = Range {
            partition: 2,
            ..range(&(0, 90))
        };
        for (ranges, expected) in rows {
            let mut wanted = Wanted::since(&[Offset {
                partition: 1,
                next: 50,
            }]);
            wanted.ranges = ranges.iter().map(range).chain([other]).collect();
            let expected: Vec<_> = expected.iter().map(range).collect();
            assert_eq!(wanted.of(1, 90), expected, "{ranges:?}");
        }
    }

    #[test]
    fn what_is_gone_of_all_partitions_is_added_up_and_never_too_much() {
        let at = |partition, next| Offset { partition, next };
        let ends = [at(0, 10), at(1, 10)];
        let rows = [
            (vec![at(0, 10), at(1, 3)], None),
            (vec![at(0, 12), at(1, 13)], Some("5 acknowledged messages")),
            (vec![at(2, u64::MAX); 2], Some("18446744073709551615 ack")),
        ];
        for (from, expected) in rows {
            let gone = Wanted::since(&from).check_none_gone(&ends).err();
            let gone = gone.map(|gone| gone.to_string());
            assert_eq!(gone.is_some(), expected.is_some(), "{from:?}");
            assert!(
                gone.unwrap_or_default()
                    .contains(expected.unwrap_or_default())
            );
        }
    }
}
