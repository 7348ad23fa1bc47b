//! Exactly once, written once: which messages a destination still lacks, and what to
//! do when nobody knows.
//!
//! Every destination (one per stream and topic) has a *lane*: the ids that are known to
//! be there and that no saved state covers, and where it ends. A publish skips known ids
//! lane by lane, so that the same batch, or one that overlaps it, can be published again
//! after any failure. One publish is one attempt: nothing here retries, and nothing is
//! saved; that is the caller's.
//!
//! What a destination can never take goes to the *dead-letter* topic, which has a lane as
//! any other, within the same publish: a batch is acknowledged when every message is in
//! every destination, or its dead letter in that topic.
//!
//! **Invariant:** before a lane appends, it knows every id that one of its earlier
//! appends may have left behind.

mod dead_letter;
mod known;
mod lane;
mod letter;
mod notice;
#[cfg(test)]
mod tests;

use super::destination::{
    AppendError, Committed, Destination, Message, Offset, Range, TAIL_MAX, Wanted,
};
use dead_letter::{REMEDY, cannot_be_taken};
use lane::Lane;
use letter::Letters;
use notice::Notices;

/// Where the next message of a partition of one destination will stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The stream's name.
    pub stream: String,
    /// The topic's name.
    pub topic: String,
    /// The partition, counted from 0.
    pub partition: u32,
    /// An offset in a topic, a length in bytes in a file.
    pub next: u64,
}

/// Messages of one partition of one destination that stand next to each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// The stream's name.
    pub stream: String,
    /// The topic's name.
    pub topic: String,
    /// The partition, the first message and the one behind the last.
    pub range: Range,
}

/// What a saved state says of the destinations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Saved {
    /// Where they ended.
    pub position: Vec<Mark>,
    /// What may stand before that without being covered by the state.
    pub uncovered: Vec<Stretch>,
    /// Nothing that was published before can be under way any more.
    pub settled: bool,
}

/// What a resume found.
#[derive(Debug, PartialEq, Eq)]
pub struct Found {
    /// Where every destination ends.
    pub marks: Vec<Mark>,
    /// Ids that are the source's by their prefix, and that the state does not cover.
    pub unclaimed: u64,
}

/// What is promised, which decides whether outputs are read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Every output is read back where its content is in doubt, and so must be readable.
    ExactlyOnce,
    /// Nothing is read back: a message whose outcome is unknown is written again.
    AtLeastOnce,
}

/// The most ids remembered per destination of each kind: those that were read back, and
/// those of publishes that no saved state covers. More is a permanent error.
const REMEMBERED_MAX: usize = TAIL_MAX;

/// A batch that every destination has.
#[derive(Debug, PartialEq, Eq)]
pub struct Published {
    /// Messages that this call wrote to at least one destination.
    pub new: u32,
    /// Messages that every destination already had.
    pub already_there: u32,
    /// Messages that at least one destination can never take, so that their dead letters
    /// are in the dead-letter topic; they count as new or already there as well.
    pub dead_lettered: u32,
    /// Where every destination ends, as far as this outbox wrote or read.
    pub marks: Vec<Mark>,
    /// Messages that were found in the destinations and not published again since.
    pub unclaimed: u64,
    /// To be given to [`Outbox::covered`].
    pub sequence: u64,
}

/// How much of a batch the destinations have, all of them together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// No destination has any message of the batch.
    Nothing,
    /// Some messages are in; publishing the same batch again adds the rest.
    Partly,
    /// No answer came. Publishing again finds out before it writes.
    Unknown,
}

/// Why a batch was not published.
#[derive(Debug)]
pub struct PublishError {
    /// How much of it is in the destinations.
    pub committed: Extent,
    /// Whether the same batch may be accepted later.
    pub transient: bool,
    /// What happened, where, and what to do about it.
    pub cause: anyhow::Error,
}

impl std::fmt::Display for PublishError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:#}", self.cause)
    }
}

/// All destinations of one source.
pub struct Outbox {
    lanes: Vec<Lane>,
    dead_letters: Option<Lane>,
    notices: Notices,
    delivery: Delivery,
    sequence: u64,
}

impl Outbox {
    /// Touches no destination yet.
    pub fn new(destinations: Vec<Box<dyn Destination>>, delivery: Delivery) -> Self {
        Self::remembering(destinations, delivery, REMEMBERED_MAX)
    }

    /// The same with another limit on the ids of each kind.
    fn remembering(
        destinations: Vec<Box<dyn Destination>>,
        delivery: Delivery,
        remembered_max: usize,
    ) -> Self {
        let lane = |destination| Lane::new(destination, delivery, remembered_max);
        Self {
            lanes: destinations.into_iter().map(lane).collect(),
            dead_letters: None,
            notices: Notices::new(),
            delivery,
            sequence: 0,
        }
    }

    /// Learns what the destinations have that the saved state does not cover. Without a
    /// state, and for a destination that it does not name, it only asks for the ends. Unless
    /// what was published before is settled, it waits until nothing of it can be under way.
    /// Only ids with this prefix are the source's.
    ///
    /// To be called before the first publish, again if it fails, and whenever the source
    /// starts again from a saved state.
    ///
    /// # Errors
    /// Permanent when a destination cannot be read back, or acknowledged messages are gone
    /// from it; otherwise as the destination says.
    pub async fn resume(
        &mut self,
        saved: Option<&Saved>,
        prefix: u16,
    ) -> Result<Found, PublishError> {
        if saved.is_some_and(|saved| !saved.settled) {
            // All at once, so that one quiet time is enough for all of them.
            self.all_mut().for_each(Lane::give_up_former_run);
        }
        self.read_on(saved, prefix).await?;
        if saved.is_some() && self.unclaimed() > 0 {
            // The state is older than the last run, so it can not know how that ended.
            self.all_mut().for_each(Lane::give_up_former_run);
            self.read_on(saved, prefix).await?;
        }
        // What is under way from now on is of this process, which knows when it is in doubt.
        self.all_mut().for_each(Lane::former_run_is_over);
        Ok(Found {
            marks: self.marks(),
            unclaimed: self.unclaimed(),
        })
    }

    async fn read_on(&mut self, saved: Option<&Saved>, prefix: u16) -> Result<(), PublishError> {
        for lane in self.all_mut() {
            let wanted = saved.map(|saved| saved.wanted_of(lane.name()));
            let resumed = lane.resume(wanted.unwrap_or_default(), prefix).await;
            resumed.map_err(|error| publish_error(located(lane, error), Extent::Nothing))?;
            if saved.is_none() {
                lane.report_unexpected_messages();
            }
        }
        Ok(())
    }

    /// Asks the destinations where they end, behind whatever others wrote meanwhile.
    ///
    /// # Errors
    /// As [`Outbox::resume`].
    pub async fn ends(&mut self) -> Result<Vec<Mark>, PublishError> {
        for lane in self.all_mut() {
            let asked = lane.ask_for_ends().await;
            asked.map_err(|error| publish_error(located(lane, error), Extent::Nothing))?;
        }
        Ok(self.marks())
    }

    /// Says that what was found in the destinations, and not published again since, never
    /// will be: it is another producer's, or a version that is gone.
    pub fn forget_unclaimed(&mut self) {
        self.all_mut().for_each(Lane::forget_unclaimed);
    }

    /// Gives every destination what it lacks of the batch, in order, and the dead-letter
    /// topic what the others can never take.
    ///
    /// # Errors
    /// As the first destination that failed says. Nothing is lost or repeated when the
    /// same messages are then published again, in whatever batches. Permanent, naming the
    /// message, if there is no dead-letter topic for one that can never be taken.
    pub async fn publish(&mut self, messages: &[Message]) -> Result<Published, PublishError> {
        let mut written = vec![false; messages.len()];
        let mut letters = Letters::default();
        let has_dead_letters = self.dead_letters.is_some();
        for lane in &mut self.lanes {
            let error = match lane.publish(messages, &mut written).await {
                Ok(refused) if has_dead_letters || refused.is_empty() => {
                    letters.add(lane.name(), messages, refused);
                    continue;
                }
                Ok(refused) => cannot_be_taken(messages, refused, REMEDY),
                Err(error) => error,
            };
            let error = located(lane, error);
            return Err(self.failed(error, messages));
        }
        self.dead_letter(&letters, messages, &mut written).await?;
        Ok(self.acknowledge(messages, &letters, &written))
    }

    fn acknowledge(
        &mut self,
        messages: &[Message],
        letters: &Letters,
        written: &[bool],
    ) -> Published {
        self.sequence += 1;
        for lane in &mut self.lanes {
            lane.acknowledge(self.sequence, messages);
        }
        if let Some(lane) = &mut self.dead_letters {
            lane.acknowledge(self.sequence, &letters.messages);
        }
        let new = written.iter().filter(|written| **written).count();
        Published {
            new: count(new),
            already_there: count(messages.len() - new),
            dead_lettered: count(letters.documents()),
            marks: self.marks(),
            unclaimed: self.unclaimed(),
            sequence: self.sequence,
        }
    }

    /// Says that a saved state covers every publish up to this one: their ids can be
    /// forgotten, as the source will not offer them again. Ids that were read back stay
    /// until they are published again. Only publishes whose outcome the source has been
    /// told may be covered.
    pub fn covered(&mut self, sequence: u64) {
        self.all_mut().for_each(|lane| lane.covered(sequence));
    }

    /// Where every destination ends, as far as this outbox wrote or read.
    pub fn marks(&self) -> Vec<Mark> {
        self.all().flat_map(Lane::marks).collect()
    }

    fn unclaimed(&self) -> u64 {
        self.all().map(Lane::unclaimed).sum()
    }

    fn all(&self) -> impl Iterator<Item = &Lane> {
        self.lanes.iter().chain(&self.dead_letters)
    }

    fn all_mut(&mut self) -> impl Iterator<Item = &mut Lane> {
        self.lanes.iter_mut().chain(&mut self.dead_letters)
    }

    fn failed(&self, error: AppendError, messages: &[Message]) -> PublishError {
        let committed = match error.committed {
            Committed::Unknown => Extent::Unknown,
            _ if self.lanes.iter().any(|lane| lane.has_any(messages)) => Extent::Partly,
            _ => Extent::Nothing,
        };
        publish_error(error, committed)
    }
}

/// The error with the name of its destination.
fn located(lane: &Lane, error: AppendError) -> AppendError {
    let (stream, topic) = lane.name();
    let cause = error
        .cause
        .context(format!("stream {stream}, topic {topic}"));
    AppendError { cause, ..error }
}

fn publish_error(error: AppendError, committed: Extent) -> PublishError {
    PublishError {
        committed,
        transient: error.transient,
        cause: error.cause,
    }
}

impl Saved {
    /// What is to be read of one destination.
    fn wanted_of(&self, name: (&str, &str)) -> Wanted {
        let ours = |stream: &str, topic: &str| (stream, topic) == name;
        let marks = self.position.iter();
        let from: Vec<_> = marks
            .filter(|mark| ours(&mark.stream, &mark.topic))
            .map(|mark| Offset {
                partition: mark.partition,
                next: mark.next,
            })
            .collect();
        let stretches = self.uncovered.iter();
        let ranges = stretches
            .filter(|stretch| ours(&stretch.stream, &stretch.topic))
            .map(|stretch| stretch.range);
        Wanted {
            ranges: ranges.collect(),
            ..Wanted::since(&from)
        }
    }
}

/// A batch comes over an interface that counts in 32 bits.
fn count(messages: usize) -> u32 {
    u32::try_from(messages).unwrap_or(u32::MAX)
}
