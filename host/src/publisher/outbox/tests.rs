//! Every fault at every append, over scripted destinations in memory: after a batch is
//! published again until it succeeds, every destination has every id exactly once.

mod dead_letters;

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::anyhow;
use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;

use super::*;
use crate::publisher::destination::{HeaderValue, Refused, Tail, Unfit, Wanted};

const QUIET: Duration = Duration::from_secs(5);

/// What one append does instead of succeeding.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    RefusedTransient,
    RefusedPermanent,
    /// Says of the message in this place, or of none, that it can never be taken.
    NamesPlace(Option<usize>),
    Prefix(usize),
    /// Refused after some messages, as when those before them went to another partition.
    EveryOther,
    /// No answer, and as many messages are in at once.
    UnknownNow(usize),
    /// No answer, and as many messages appear just before the quiet time ends.
    UnknownLater(usize),
    /// No answer, and the next reading fails too.
    UnknownThenUnreadable(usize),
    /// The future never ends, and the caller drops it; everything is in.
    Hangs,
}

const FAULTS: [Fault; 11] = [
    Fault::RefusedTransient,
    Fault::RefusedPermanent,
    Fault::Prefix(1),
    Fault::Prefix(2),
    Fault::UnknownNow(0),
    Fault::UnknownNow(2),
    Fault::UnknownNow(9),
    Fault::UnknownLater(1),
    Fault::UnknownLater(9),
    Fault::UnknownThenUnreadable(2),
    Fault::Hangs,
];

#[derive(Default)]
struct Content {
    ids: Vec<u128>,
    script: VecDeque<Option<Fault>>,
    late: Vec<u128>,
    unreadable: bool,
    /// What was read.
    read: Vec<Wanted>,
    /// Named by an append before it puts anything in.
    named: HashSet<u128>,
    /// Refused by an append that does not say which it was.
    unnamed: HashSet<u128>,
    appends: usize,
}

#[derive(Clone, Default)]
struct Scripted {
    topic: String,
    unreadable_always: bool,
    content: Arc<Mutex<Content>>,
}

impl Scripted {
    fn topic(name: &str) -> Self {
        Self {
            topic: name.to_owned(),
            ..Self::default()
        }
    }

    fn with(self, ids: impl IntoIterator<Item = u128>) -> Self {
        self.content.lock().unwrap().ids.extend(ids);
        self
    }

    fn fault_at(&self, append: usize, fault: Fault) {
        let mut content = self.content.lock().unwrap();
        content.script.resize(append, None);
        content.script.push_back(Some(fault));
    }

    fn ids(&self) -> Vec<u128> {
        self.content.lock().unwrap().ids.clone()
    }
}

impl Content {
    /// What comes before the message in pairs is in, as if in requests of two.
    fn refuse(&mut self, at: usize, ids: &[u128]) -> Result<Vec<Range>, AppendError> {
        let before = at / 2 * 2;
        let length = self.ids.len();
        self.ids.extend(&ids[..before]);
        let (places, ranges) = ((0..before).collect(), self.since(length));
        Err(AppendError {
            committed: Committed::Part { places, ranges },
            unfit: Unfit::Unnamed,
            ..AppendError::permanent(anyhow!("too large"))
        })
    }

    fn name_refused(&self, ids: &[u128]) -> Vec<Refused> {
        let refused = ids.iter().enumerate();
        let refused = refused.filter(|(_, id)| self.named.contains(id));
        let name = |(place, _)| Refused {
            place,
            reason: anyhow!("too large at first sight"),
        };
        refused.map(name).collect()
    }

    /// What was appended since it had so many.
    fn since(&self, from: usize) -> Vec<Range> {
        vec![Range {
            partition: 0,
            from: from as u64,
            to: self.ids.len() as u64,
        }]
    }

    fn end(&self) -> Vec<Offset> {
        vec![Offset {
            partition: 0,
            next: self.ids.len() as u64,
        }]
    }

    /// `None`: no outcome, ever.
    fn append(&mut self, ids: &[u128]) -> Option<Result<Vec<Range>, AppendError>> {
        self.appends += 1;
        let length = self.ids.len();
        let named = self.name_refused(ids);
        if !named.is_empty() {
            return Some(Err(AppendError::unfit(named)));
        }
        let fault = self.script.pop_front().flatten();
        let unfit = ids.iter().position(|id| self.unnamed.contains(id));
        if let (None, Some(at)) = (fault, unfit) {
            return Some(self.refuse(at, ids));
        }
        let ids = &ids[..unfit.unwrap_or(ids.len())];
        let unknown = || Some(Err(AppendError::unknown(anyhow!("lost"))));
        let first = |count: usize| ids.iter().copied().take(count);
        match fault {
            None => self.ids.extend(ids),
            Some(Fault::RefusedTransient) => {
                return Some(Err(AppendError::transient(anyhow!("busy"))));
            }
            Some(Fault::RefusedPermanent) => {
                return Some(Err(AppendError::permanent(anyhow!("no"))));
            }
            Some(Fault::NamesPlace(place)) => {
                let reason = anyhow!("too large");
                let refused = place.map(|place| Refused { place, reason });
                return Some(Err(AppendError::unfit(refused.into_iter().collect())));
            }
            Some(Fault::Prefix(count)) => {
                return Some(self.append_part((0..count.min(ids.len())).collect(), ids));
            }
            Some(Fault::EveryOther) => {
                return Some(self.append_part((1..ids.len()).step_by(2).collect(), ids));
            }
            Some(Fault::UnknownNow(count)) => {
                self.ids.extend(first(count));
                return unknown();
            }
            Some(Fault::UnknownLater(count)) => {
                self.late = first(count).collect();
                return unknown();
            }
            Some(Fault::UnknownThenUnreadable(count)) => {
                self.ids.extend(first(count));
                self.unreadable = true;
                return unknown();
            }
            Some(Fault::Hangs) => {
                self.ids.extend(ids);
                return None;
            }
        }
        Some(Ok(self.since(length)))
    }

    fn append_part(&mut self, places: Vec<usize>, ids: &[u128]) -> Result<Vec<Range>, AppendError> {
        let length = self.ids.len();
        self.ids.extend(places.iter().map(|place| ids[*place]));
        let ranges = self.since(length);
        Err(AppendError {
            committed: Committed::Part { places, ranges },
            transient: true,
            unfit: Unfit::None,
            cause: anyhow!("half"),
        })
    }
}

impl Destination for Scripted {
    fn name(&self) -> (&str, &str) {
        ("stream", &self.topic)
    }

    fn readable(&self) -> bool {
        !self.unreadable_always
    }

    fn append<'a>(
        &'a mut self,
        messages: &'a [Message],
    ) -> BoxFuture<'a, Result<Vec<Range>, AppendError>> {
        async move {
            let ids: Vec<u128> = messages.iter().map(|message| message.id).collect();
            let outcome = self.content.lock().unwrap().append(&ids);
            match outcome {
                Some(outcome) => outcome,
                None => std::future::pending().await,
            }
        }
        .boxed()
    }

    fn ends(&mut self) -> BoxFuture<'_, Result<Vec<Offset>, AppendError>> {
        async move { Ok(self.content.lock().unwrap().end()) }.boxed()
    }

    fn read<'a>(&'a mut self, wanted: &'a Wanted) -> BoxFuture<'a, Result<Tail, AppendError>> {
        async move {
            let mut content = self.content.lock().unwrap();
            content.read.push(wanted.clone());
            if std::mem::take(&mut content.unreadable) {
                return Err(AppendError::transient(anyhow!("cannot read")));
            }
            wanted.check_none_gone(&content.end())?;
            let ranges = wanted.of(0, content.ids.len() as u64).into_iter();
            let ids = ranges.flat_map(|range| &content.ids[range.from as usize..range.to as usize]);
            let ids = ids.copied().filter(|id| wanted.has(*id)).collect();
            let end = content.end();
            Ok(Tail { ids, end })
        }
        .boxed()
    }

    fn abandon(&mut self) -> Duration {
        let content = Arc::clone(&self.content);
        tokio::spawn(async move {
            tokio::time::sleep(QUIET - Duration::from_millis(1)).await;
            let mut content = content.lock().unwrap();
            let late = std::mem::take(&mut content.late);
            content.ids.extend(late);
        });
        QUIET
    }
}

fn batch(ids: impl IntoIterator<Item = u128>) -> Vec<Message> {
    let message = |id| Message {
        id,
        key: None,
        payload: Bytes::from_static(b"{}"),
        headers: vec![],
    };
    ids.into_iter().map(message).collect()
}

/// Of all ids in these tests.
const PREFIX: u16 = 0;

/// A state that covers everything before these marks, of a run that ended cleanly.
fn at(marks: &[Mark]) -> Saved {
    Saved {
        settled: true,
        ..unsettled_at(marks)
    }
}

/// The same of a run that did not.
fn unsettled_at(marks: &[Mark]) -> Saved {
    Saved {
        position: marks.to_vec(),
        ..Saved::default()
    }
}

fn outbox(destinations: &[&Scripted]) -> Outbox {
    let boxed = |destination: &&Scripted| Box::new((*destination).clone()) as Box<dyn Destination>;
    let destinations = destinations.iter().map(boxed).collect();
    Outbox::new(destinations, Delivery::ExactlyOnce)
}

fn remembering(most: usize, topic: &Scripted) -> Outbox {
    Outbox::remembering(vec![Box::new(topic.clone())], Delivery::ExactlyOnce, most)
}

/// As a caller does it: again and again, dropping a publish that hangs.
async fn publish(outbox: &mut Outbox, messages: &[Message]) -> Published {
    for _ in 0..5 {
        let publish = outbox.publish(messages);
        if let Ok(Ok(published)) = tokio::time::timeout(QUIET * 9, publish).await {
            return published;
        }
    }
    panic!("never published");
}

/// Batches that overlap the ones before, as after a failed poll.
fn cuts() -> [Vec<Vec<Message>>; 3] {
    [
        vec![batch(1..4), batch(4..7), batch(7..10)],
        vec![batch(1..4), batch(3..8), batch(5..10)],
        vec![batch([1, 2, 1, 3]), batch([4, 4, 5, 6]), batch(1..10)],
    ]
}

#[tokio::test(start_paused = true)]
async fn every_destination_has_every_message_once_and_in_order_whatever_fails() {
    for fault in FAULTS {
        for second_fault in [None, Some(Fault::UnknownLater(1)), Some(Fault::Prefix(1))] {
            for (cut, batches) in cuts().iter().enumerate() {
                for at in 0..3 {
                    for failing in 0..2 {
                        let topics = [Scripted::topic("a"), Scripted::topic("b")];
                        topics[failing].fault_at(at, fault);
                        if let Some(second) = second_fault {
                            topics[1 - failing].fault_at(at, second);
                        }
                        let mut outbox = outbox(&[&topics[0], &topics[1]]);
                        outbox.resume(None, PREFIX).await.unwrap();
                        for messages in batches {
                            publish(&mut outbox, messages).await;
                        }
                        for topic in &topics {
                            let case =
                                format!("{fault:?} and {second_fault:?} at append {at}, cut {cut}");
                            assert_eq!(topic.ids(), (1..10).collect::<Vec<_>>(), "{case}");
                        }
                    }
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_cut_differently_after_a_failure_adds_only_what_is_missing() {
    let topic = Scripted::topic("a");
    topic.fault_at(0, Fault::UnknownLater(2));
    let mut outbox = outbox(&[&topic]);
    outbox.resume(None, PREFIX).await.unwrap();
    let error = outbox.publish(&batch(1..6)).await.unwrap_err();
    assert_eq!((error.committed, error.transient), (Extent::Unknown, true));
    let first = outbox.publish(&batch(1..3)).await.unwrap();
    let second = outbox.publish(&batch(3..6)).await.unwrap();
    assert_eq!((first.new, first.already_there), (0, 2));
    assert_eq!((second.new, second.already_there), (3, 0));
    assert_eq!(topic.ids(), [1, 2, 3, 4, 5]);
}

#[tokio::test(start_paused = true)]
async fn a_batch_of_which_any_messages_are_in_is_continued_with_the_others() {
    for first in [1..2, 1..6, 1..9] {
        let topic = Scripted::topic("a");
        topic.fault_at(0, Fault::EveryOther);
        topic.fault_at(1, Fault::EveryOther);
        let mut outbox = outbox(&[&topic]);
        let whole = batch(1..9);
        let half: Vec<u128> = first.clone().skip(1).step_by(2).collect();
        let error = outbox.publish(&batch(first.clone())).await.unwrap_err();
        assert_eq!(error.committed == Extent::Partly, !half.is_empty());
        assert_eq!(topic.ids(), half);
        outbox.publish(&whole).await.unwrap_err();
        let had = topic.ids().len() as u32;
        let published = outbox.publish(&whole).await.unwrap();
        assert_eq!((published.new, published.already_there), (8 - had, had));
        let mut ids = topic.ids();
        ids.sort_unstable();
        assert_eq!(ids, (1..9).collect::<Vec<_>>(), "{first:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_one_destination_has_of_a_failed_batch_is_remembered_however_it_is_cut() {
    for fault in [Fault::RefusedTransient, Fault::Prefix(1), Fault::Hangs] {
        let topics = [Scripted::topic("a"), Scripted::topic("b")];
        topics[1].fault_at(0, fault);
        let mut outbox = outbox(&[&topics[0], &topics[1]]);
        let whole = batch(1..6);
        let failed = outbox.publish(&whole);
        assert!(!matches!(
            tokio::time::timeout(QUIET, failed).await,
            Ok(Ok(_))
        ));
        for part in [batch(1..3), batch(3..4), batch(4..8)] {
            let published = publish(&mut outbox, &part).await;
            outbox.covered(published.sequence);
        }
        for topic in &topics {
            assert_eq!(topic.ids(), [1, 2, 3, 4, 5, 6, 7], "{fault:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_extent_of_a_failure_counts_all_destinations() {
    let rows = [
        (0, Fault::RefusedTransient, Extent::Nothing),
        (1, Fault::RefusedTransient, Extent::Partly),
        (0, Fault::Prefix(1), Extent::Partly),
        (0, Fault::UnknownNow(0), Extent::Unknown),
        (1, Fault::UnknownNow(9), Extent::Unknown),
    ];
    for (failing, fault, expected) in rows {
        let topics = [Scripted::topic("a"), Scripted::topic("b")];
        topics[failing].fault_at(0, fault);
        let mut outbox = outbox(&[&topics[0], &topics[1]]);
        let error = outbox.publish(&batch(1..4)).await.unwrap_err();
        assert_eq!(error.committed, expected, "{fault:?} in {failing}");
        let name = format!("stream stream, topic {}", topics[failing].topic);
        assert!(error.to_string().starts_with(&name), "{error}");
    }
}

fn mark(topic: &str, next: u64) -> Mark {
    Mark {
        stream: "stream".into(),
        topic: topic.into(),
        partition: 0,
        next,
    }
}

#[tokio::test(start_paused = true)]
async fn resume_reads_from_the_marks_and_skips_what_it_found() {
    let topics = [
        Scripted::topic("a").with(1..6),
        Scripted::topic("b").with(1..4),
    ];
    let mut outbox = outbox(&[&topics[0], &topics[1]]);
    let marks = outbox
        .resume(Some(&at(&[mark("a", 2), mark("b", 2)])), PREFIX)
        .await
        .unwrap()
        .marks;
    assert_eq!(marks, [mark("a", 5), mark("b", 3)]);
    let published = outbox.publish(&batch(3..8)).await.unwrap();
    assert_eq!((published.new, published.already_there), (4, 1));
    assert_eq!(published.marks, [mark("a", 7), mark("b", 7)]);
    assert_eq!(topics[0].ids(), [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(topics[1].ids(), [1, 2, 3, 4, 5, 6, 7]);
}

#[tokio::test(start_paused = true)]
async fn a_destination_that_the_marks_do_not_name_starts_at_its_end() {
    let topics = [Scripted::topic("a"), Scripted::topic("added").with(1..4)];
    let mut outbox = outbox(&[&topics[0], &topics[1]]);
    outbox
        .resume(Some(&at(&[mark("a", 0)])), PREFIX)
        .await
        .unwrap();
    outbox.publish(&batch(1..3)).await.unwrap();
    assert_eq!(topics[1].ids(), [1, 2, 3, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn resume_after_an_unclean_end_waits_for_requests_under_way() {
    let topic = Scripted::topic("a").with([1]);
    topic.content.lock().unwrap().late = vec![2];
    let mut outbox = outbox(&[&topic]);
    let unsettled = unsettled_at(&[mark("a", 1)]);
    outbox.resume(Some(&unsettled), PREFIX).await.unwrap();
    assert_eq!(outbox.publish(&batch(2..4)).await.unwrap().already_there, 1);
    assert_eq!(topic.ids(), [1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_settled_state_that_is_older_than_its_output_is_not_believed() {
    let topic = Scripted::topic("a").with([1]);
    topic.content.lock().unwrap().late = vec![2];
    let mut outbox = outbox(&[&topic]);
    let older = at(&[mark("a", 0)]);
    outbox.resume(Some(&older), PREFIX).await.unwrap();
    assert_eq!(outbox.publish(&batch(1..4)).await.unwrap().already_there, 2);
    assert_eq!(topic.ids(), [1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn the_quiet_time_runs_from_the_failure_and_not_from_the_next_publish() {
    let topic = Scripted::topic("a");
    topic.fault_at(0, Fault::UnknownLater(9));
    let mut outbox = outbox(&[&topic]);
    outbox.publish(&batch(1..4)).await.unwrap_err();
    tokio::time::sleep(QUIET).await;
    let before = tokio::time::Instant::now();
    assert_eq!(outbox.publish(&batch(1..4)).await.unwrap().already_there, 3);
    assert_eq!(before.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn ids_are_remembered_until_a_state_covers_them() {
    let topic = Scripted::topic("a");
    let mut outbox = outbox(&[&topic]);
    let first = outbox.publish(&batch(1..3)).await.unwrap();
    let second = outbox.publish(&batch(3..5)).await.unwrap();
    outbox.covered(first.sequence);
    assert_eq!(outbox.publish(&batch(3..5)).await.unwrap().already_there, 2);
    assert!(second.sequence > first.sequence);
    outbox.covered(second.sequence + 1);
    assert_eq!(outbox.publish(&batch(1..5)).await.unwrap().new, 4);
}

#[tokio::test(start_paused = true)]
async fn too_many_ids_without_a_saved_state_are_a_permanent_error() {
    let topic = Scripted::topic("a");
    let mut outbox = remembering(5, &topic);
    let published = outbox.publish(&batch(1..5)).await.unwrap();
    let error = outbox.publish(&batch(5..9)).await.unwrap_err();
    assert!(
        !error.transient && error.to_string().contains("limit of 5"),
        "{error}"
    );
    outbox.covered(published.sequence);
    outbox.publish(&batch(5..9)).await.unwrap();
    assert_eq!(topic.ids(), (1..9).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn what_was_read_back_takes_no_room_from_what_is_published() {
    let topic = Scripted::topic("a").with(1..6);
    let mut outbox = remembering(5, &topic);
    for _ in 0..3 {
        outbox
            .resume(Some(&at(&[mark("a", 0)])), PREFIX)
            .await
            .unwrap();
    }
    let again = outbox.publish(&batch(1..6)).await.unwrap();
    assert_eq!((again.new, again.already_there), (0, 5));
    outbox.covered(again.sequence);
    outbox.publish(&batch(6..9)).await.unwrap();
    assert_eq!(topic.ids(), (1..9).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn more_messages_behind_the_marks_than_are_remembered_are_a_permanent_error() {
    let topic = Scripted::topic("a").with(1..7);
    let mut outbox = remembering(5, &topic);
    let error = outbox
        .resume(Some(&at(&[mark("a", 0)])), PREFIX)
        .await
        .unwrap_err();
    assert!(
        !error.transient && error.to_string().contains("limit of 5"),
        "{error}"
    );
    outbox = remembering(5, &topic);
    outbox
        .resume(Some(&at(&[mark("a", 1)])), PREFIX)
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn any_number_of_other_producers_messages_is_passed_over() {
    let foreign = (1..1_000_u128).map(|id| id | 0xbeef << 112);
    let topic = Scripted::topic("a").with(foreign.chain([1, 2]));
    let mut outbox = remembering(5, &topic);
    outbox
        .resume(Some(&at(&[mark("a", 0)])), PREFIX)
        .await
        .unwrap();
    let published = outbox.publish(&batch(1..4)).await.unwrap();
    assert_eq!(
        (published.new, published.already_there, published.unclaimed),
        (1, 2, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn resume_reads_the_uncovered_stretches_and_not_what_is_between_them() {
    let topic = Scripted::topic("a").with(1..11);
    let mut outbox = outbox(&[&topic]);
    let stretch = |topic: &str, from, to| Stretch {
        stream: "stream".into(),
        topic: topic.into(),
        range: Range {
            partition: 0,
            from,
            to,
        },
    };
    let saved = Saved {
        uncovered: vec![
            stretch("a", 1, 3),
            stretch("other", 4, 5),
            stretch("a", 6, 7),
        ],
        ..at(&[mark("a", 9)])
    };
    outbox.resume(Some(&saved), PREFIX).await.unwrap();
    let published = outbox.publish(&batch([2, 3, 7, 10])).await.unwrap();
    assert_eq!(
        (published.new, published.already_there, published.unclaimed),
        (0, 4, 0)
    );
    let covered_before = outbox.publish(&batch([1, 4, 5, 6, 8, 9])).await.unwrap();
    assert_eq!(covered_before.new, 6, "these no state would offer again");
}

#[tokio::test(start_paused = true)]
async fn what_was_published_since_the_state_counts_as_found_when_the_source_starts_again() {
    let topic = Scripted::topic("a");
    let mut outbox = outbox(&[&topic]);
    let marks = outbox.resume(None, PREFIX).await.unwrap().marks;
    publish(&mut outbox, &batch(1..4)).await;
    publish(&mut outbox, &batch(4..7)).await;
    // A new instance of the component loads the state from before.
    let found = outbox.resume(Some(&unsettled_at(&marks)), PREFIX).await;
    assert_eq!(found.unwrap().unclaimed, 6);
    let first = publish(&mut outbox, &batch(1..4)).await;
    assert_eq!(first.unclaimed, 3);
    outbox.covered(first.sequence);
    publish(&mut outbox, &batch(4..7)).await;
    assert_eq!(topic.ids(), (1..7).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn all_destinations_are_waited_for_at_once_and_only_once() {
    let topics = [Scripted::topic("a"), Scripted::topic("b")];
    let mut outbox = outbox(&[&topics[0], &topics[1]]);
    let saved = unsettled_at(&[mark("a", 0), mark("b", 0)]);
    topics[1].content.lock().unwrap().unreadable = true;
    let before = tokio::time::Instant::now();
    outbox.resume(Some(&saved), PREFIX).await.unwrap_err();
    outbox.resume(Some(&saved), PREFIX).await.unwrap();
    assert_eq!(before.elapsed(), QUIET);
}

#[tokio::test(start_paused = true)]
async fn messages_that_are_gone_are_noticed_at_the_start_in_every_delivery() {
    for delivery in [Delivery::ExactlyOnce, Delivery::AtLeastOnce] {
        let topic = Scripted::topic("a").with(1..4);
        let mut outbox = Outbox::new(vec![Box::new(topic)], delivery);
        let error = outbox.resume(Some(&at(&[mark("a", 5)])), PREFIX).await;
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains("2 acknowledged messages are gone"),
            "{error}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_left_of_the_found_can_be_forgotten() {
    let topic = Scripted::topic("a").with(1..4);
    let mut outbox = outbox(&[&topic]);
    outbox
        .resume(Some(&at(&[mark("a", 0)])), PREFIX)
        .await
        .unwrap();
    assert_eq!(outbox.publish(&batch(1..2)).await.unwrap().unclaimed, 2);
    outbox.forget_unclaimed();
    assert_eq!(outbox.publish(&batch(4..5)).await.unwrap().unclaimed, 0);
}

#[tokio::test(start_paused = true)]
async fn the_ends_are_asked_for_without_reading_and_only_when_all_is_certain() {
    let topic = Scripted::topic("a");
    let mut outbox = outbox(&[&topic]);
    outbox.publish(&batch(1..4)).await.unwrap();
    topic.content.lock().unwrap().ids.extend([77, 78]);
    assert_eq!(outbox.ends().await.unwrap(), [mark("a", 5)]);
    assert_eq!(topic.content.lock().unwrap().read, []);
    topic.fault_at(0, Fault::UnknownLater(9));
    outbox.publish(&batch(4..6)).await.unwrap_err();
    assert_eq!(outbox.ends().await.unwrap(), [mark("a", 7)]);
    assert_eq!(outbox.publish(&batch(4..6)).await.unwrap().already_there, 2);
    topic.content.lock().unwrap().ids.truncate(6);
    let error = outbox.ends().await.unwrap_err();
    assert!(error.to_string().contains("are gone"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_state_of_any_age_repeats_nothing() {
    let old = 1..20_001;
    let topic = Scripted::topic("a").with(old.clone());
    let mut outbox = outbox(&[&topic]);
    outbox
        .resume(Some(&at(&[mark("a", 0)])), PREFIX)
        .await
        .unwrap();
    // Documents that are new since then sort before and between the old ones.
    let offered: Vec<u128> = (100_000..200_000).chain(old).collect();
    for page in offered.chunks(1_000) {
        let published = outbox.publish(&batch(page.iter().copied())).await.unwrap();
        outbox.covered(published.sequence);
    }
    let mut ids = topic.ids();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((all, ids.len()), (120_000, 120_000));
}

#[tokio::test(start_paused = true)]
async fn an_output_that_lost_what_it_acknowledged_is_noticed_by_the_next_publish() {
    // More than was lost covers the gap, fewer do not.
    for (lost, next) in [(6, 7..9), (2, 7..20), (1, 7..8)] {
        let topic = Scripted::topic("t");
        let mut outbox = outbox(&[&topic]);
        publish(&mut outbox, &batch(1..7)).await;
        topic.content.lock().unwrap().ids.truncate(6 - lost);
        let error = outbox.publish(&batch(next)).await.unwrap_err();
        let expected = format!("{lost} acknowledged messages are gone");
        assert!(
            !error.transient && error.to_string().contains(&expected),
            "{error}"
        );
        let marks = outbox.marks();
        assert_eq!(
            marks[0].next, 6,
            "the saved position must not follow it down"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn exactly_once_refuses_an_output_that_cannot_be_read() {
    let topic = Scripted {
        unreadable_always: true,
        ..Scripted::topic("a")
    };
    let error = outbox(&[&topic]).resume(None, PREFIX).await.unwrap_err();
    assert!(!error.transient, "{error}");
    assert!(
        error.to_string().contains("delivery = \"at_least_once\""),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn at_least_once_writes_again_instead_of_reading() {
    let topic = Scripted {
        unreadable_always: true,
        ..Scripted::topic("a")
    };
    topic.fault_at(0, Fault::UnknownNow(1));
    let mut outbox = Outbox::new(vec![Box::new(topic.clone())], Delivery::AtLeastOnce);
    outbox
        .resume(Some(&at(&[mark("a", 0)])), PREFIX)
        .await
        .unwrap();
    outbox.publish(&batch(1..3)).await.unwrap_err();
    outbox.publish(&batch(1..3)).await.unwrap();
    assert_eq!(topic.ids(), [1, 1, 2]);
}
