//! One destination and what the outbox knows of it.

mod narrow;

use std::borrow::Cow;
use std::collections::HashSet;

use anyhow::anyhow;
use tokio::time::Instant;

use super::known::Known;
use super::{Delivery, Mark};
use crate::publisher::destination::{
    AppendError, Committed, Destination, Message, Offset, Range, Refused, Tail, Wanted, advance,
};

/// What is certain about the destination.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Certainty {
    /// The lane knows what it has.
    Certain,
    /// A call is under way, or its future was dropped before it had an outcome.
    InDoubt,
    /// It was given up: from then on nothing of it can take effect.
    SettledAt(Instant),
}

pub(super) struct Lane {
    destination: Box<dyn Destination>,
    delivery: Delivery,
    remembered_max: usize,
    known: Known,
    end: Vec<Offset>,
    certainty: Certainty,
    /// Of all ids of this source, once it has said so.
    prefix: Option<u16>,
    /// What a run before this process had under way is given up.
    former_run_is_over: bool,
}

impl Lane {
    pub(super) fn new(
        destination: Box<dyn Destination>,
        delivery: Delivery,
        remembered_max: usize,
    ) -> Self {
        let (known, end) = (Known::default(), Vec::new());
        Self {
            destination,
            delivery,
            remembered_max,
            known,
            end,
            certainty: Certainty::Certain,
            prefix: None,
            former_run_is_over: false,
        }
    }

    pub(super) fn name(&self) -> (&str, &str) {
        self.destination.name()
    }

    /// A run before this process's first may have a request on its way.
    pub(super) fn give_up_former_run(&mut self) {
        if !std::mem::replace(&mut self.former_run_is_over, true) {
            self.give_up();
        }
    }

    /// Nothing of a run before this process's first is waited for any more.
    pub(super) fn former_run_is_over(&mut self) {
        self.former_run_is_over = true;
    }

    /// Starts from what a state wants to be read; the destination is new to it if that names
    /// no partition.
    pub(super) async fn resume(
        &mut self,
        mut wanted: Wanted,
        prefix: u16,
    ) -> Result<(), AppendError> {
        self.check_readable()?;
        self.prefix = Some(prefix);
        // The state may be older than what this process has published.
        self.known.uncover();
        self.settle().await;
        if self.delivery == Delivery::AtLeastOnce {
            let ends = self.destination.ends().await?;
            wanted.check_none_gone(&ends)?;
            (self.end, self.certainty) = (ends, Certainty::Certain);
            return Ok(());
        }
        if wanted.from.is_empty() {
            // Whether it can be read must be known before a crash makes it necessary.
            wanted.from = self.destination.ends().await?;
        }
        self.read(wanted).await
    }

    /// Where the destination ends, once it is certain what it has.
    pub(super) async fn ask_for_ends(&mut self) -> Result<(), AppendError> {
        self.make_certain().await?;
        let ends = self.destination.ends().await?;
        let from_here = |end: &Offset| Range {
            partition: end.partition,
            from: end.next,
            to: end.next,
        };
        self.grow(&ends.iter().map(from_here).collect::<Vec<_>>())
    }

    pub(super) fn forget_unclaimed(&mut self) {
        self.known.forget_found();
    }

    pub(super) fn report_unexpected_messages(&self) {
        if self.end.iter().any(|offset| offset.next > 0) {
            let (stream, topic) = self.name();
            tracing::warn!(
                stream,
                topic,
                "there is no saved state, but the topic is not empty: what it has is not compared with what is published now"
            );
        }
    }

    /// Appends what is not there yet and sets `written` for it. Returns what the destination
    /// can never take, in order; all the rest is there.
    pub(super) async fn publish(
        &mut self,
        messages: &[Message],
        written: &mut [bool],
    ) -> Result<Vec<Refused>, AppendError> {
        self.make_certain().await?;
        self.known.begin();
        self.check_room(messages.len())?;
        let missing = self.missing(messages);
        self.append_what_fits(messages, missing, written).await
    }

    /// One append of the messages in these places of the batch.
    async fn append_at(
        &mut self,
        messages: &[Message],
        places: Vec<usize>,
        written: &mut [bool],
    ) -> Result<(), AppendError> {
        let missing = pick(messages, &places);
        if missing.is_empty() {
            return Ok(());
        }
        let appended = self.append(&missing).await;
        for place in taken(&appended, places) {
            let id = messages.get(place).map(|message| message.id);
            self.known.append(id);
            written
                .get_mut(place)
                .into_iter()
                .for_each(|written| *written = true);
        }
        appended
    }

    pub(super) fn acknowledge(&mut self, sequence: u64, messages: &[Message]) {
        self.known.acknowledge(sequence, messages);
    }

    pub(super) fn covered(&mut self, sequence: u64) {
        self.known.covered(sequence);
    }

    /// Messages found there and not published again since.
    pub(super) fn unclaimed(&self) -> u64 {
        self.known.found() as u64
    }

    pub(super) fn has_any(&self, messages: &[Message]) -> bool {
        messages
            .iter()
            .any(|message| self.known.contains(message.id))
    }

    pub(super) fn marks(&self) -> impl Iterator<Item = Mark> {
        let (stream, topic) = self.name();
        self.end.iter().map(|offset| Mark {
            stream: stream.to_owned(),
            topic: topic.to_owned(),
            partition: offset.partition,
            next: offset.next,
        })
    }

    /// Where in the batch the messages are that the destination lacks, each once.
    fn missing(&self, messages: &[Message]) -> Vec<usize> {
        let mut seen = HashSet::with_capacity(messages.len());
        let mut lacks = |id| !self.known.contains(id) && seen.insert(id);
        let places = messages
            .iter()
            .enumerate()
            .filter(|(_, message)| lacks(message.id));
        places.map(|(place, _)| place).collect()
    }

    async fn append(&mut self, missing: &[Message]) -> Result<(), AppendError> {
        // Stays so if the future is dropped before there is an outcome.
        self.certainty = Certainty::InDoubt;
        let appended = self.destination.append(missing).await;
        match &appended {
            Err(AppendError {
                committed: Committed::Unknown,
                ..
            }) => {
                // At once, so that the quiet time runs while the caller waits anyway.
                self.give_up();
                return appended.map(drop);
            }
            Ok(ranges)
            | Err(AppendError {
                committed: Committed::Part { ranges, .. },
                ..
            }) => self.grow(ranges)?,
            Err(_) => {}
        }
        self.certainty = Certainty::Certain;
        appended.map(drop)
    }

    /// What was appended stands behind all that was acknowledged before, or some of that is
    /// gone, as when somebody purged the topic meanwhile. Then nothing moves.
    fn grow(&mut self, ranges: &[Range]) -> Result<(), AppendError> {
        let mut ends = self.end.clone();
        let mut gone = 0;
        for range in ranges {
            let known = ends.iter().find(|end| end.partition == range.partition);
            gone += known.map_or(0, |known| known.next.saturating_sub(range.from));
            advance(&mut ends, range.end());
        }
        if gone > 0 {
            return Err(AppendError::gone(gone));
        }
        self.end = ends;
        Ok(())
    }

    fn give_up(&mut self) -> Instant {
        let quiet = self.destination.abandon();
        let settled = Instant::now() + quiet;
        self.certainty = Certainty::SettledAt(settled);
        settled
    }

    async fn settle(&mut self) {
        let settled = match self.certainty {
            Certainty::Certain => return,
            Certainty::InDoubt => self.give_up(),
            Certainty::SettledAt(settled) => settled,
        };
        let wait = settled.saturating_duration_since(Instant::now());
        if self.delivery == Delivery::ExactlyOnce && !wait.is_zero() {
            let ((stream, topic), wait_ms) = (self.name(), wait.as_millis());
            tracing::info!(
                stream,
                topic,
                wait_ms,
                "waiting until no earlier request can be under way any more"
            );
            tokio::time::sleep_until(settled).await;
        }
    }

    /// After an unknown outcome: waits until nothing can take effect any more, and reads.
    async fn make_certain(&mut self) -> Result<(), AppendError> {
        if self.certainty == Certainty::Certain {
            return Ok(());
        }
        self.settle().await;
        if self.delivery == Delivery::ExactlyOnce {
            let read = self.read(Wanted::since(&self.end)).await;
            read.map_err(|error| AppendError {
                committed: Committed::Unknown,
                ..error
            })?;
        }
        self.certainty = Certainty::Certain;
        Ok(())
    }

    async fn read(&mut self, wanted: Wanted) -> Result<(), AppendError> {
        let prefix = self.prefix;
        let wanted = Wanted { prefix, ..wanted };
        let tail = self.destination.read(&wanted).await?;
        self.learn(tail)
    }

    fn learn(&mut self, tail: Tail) -> Result<(), AppendError> {
        let read = tail.ids.len();
        self.known.find(tail.ids);
        self.check_found()?;
        self.advance(&tail.end);
        self.certainty = Certainty::Certain;
        let (stream, topic) = self.name();
        tracing::debug!(stream, topic, found = read, "read the topic to its end");
        Ok(())
    }

    fn advance(&mut self, to: &[Offset]) {
        for offset in to {
            advance(&mut self.end, *offset);
        }
    }

    fn check_readable(&self) -> Result<(), AppendError> {
        if self.delivery == Delivery::AtLeastOnce || self.destination.readable() {
            return Ok(());
        }
        Err(AppendError::permanent(anyhow!(
            "this output cannot be read back, so that messages might be repeated after a \
             failure: set delivery = \"at_least_once\" if they may, or choose another output"
        )))
    }

    /// For a publish. Found ids do not count: as many as there may be, they are read back
    /// to be published again, and a stop here would be one for good.
    fn check_room(&self, more: usize) -> Result<(), AppendError> {
        let (uncovered, limit) = (self.known.uncovered(), self.remembered_max);
        if uncovered + more <= limit {
            return Ok(());
        }
        Err(AppendError::permanent(anyhow!(
            "{more} messages more than the {uncovered} that no saved state covers are above \
             the limit of {limit}: save more often"
        )))
    }

    /// For a reading; the same messages read twice count once.
    fn check_found(&self) -> Result<(), AppendError> {
        let (found, limit) = (self.known.found(), self.remembered_max);
        if found <= limit {
            return Ok(());
        }
        Err(AppendError::permanent(anyhow!(
            "{found} messages that were read back and not published again are above the \
             limit of {limit}: save more often, or give the sources that share the topic an \
             id_namespace each"
        )))
    }
}

/// Where in the batch the messages are that an append has put in; `places` are those that
/// it was given.
fn taken(appended: &Result<(), AppendError>, places: Vec<usize>) -> Vec<usize> {
    match appended {
        Ok(()) => places,
        Err(AppendError {
            committed: Committed::Part { places: part, .. },
            ..
        }) => {
            let part = part.iter().filter_map(|at| places.get(*at));
            part.copied().collect()
        }
        Err(_) => Vec::new(),
    }
}

fn pick<'a>(messages: &'a [Message], places: &[usize]) -> Cow<'a, [Message]> {
    if places.len() == messages.len() {
        return Cow::Borrowed(messages);
    }
    places
        .iter()
        .filter_map(|place| messages.get(*place).cloned())
        .collect()
}
