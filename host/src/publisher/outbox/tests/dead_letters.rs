//! Messages that a destination can never take: each in the dead-letter topic, once, for
//! each destination that refuses it, and all others where they belong.

use super::*;
use crate::publisher::outbox::letter;

/// Two streams and a dead-letter topic.
struct Topics {
    streams: [Scripted; 2],
    dead: Scripted,
}

impl Topics {
    fn new() -> Self {
        Self {
            streams: [Scripted::topic("a"), Scripted::topic("b")],
            dead: Scripted::topic("dead"),
        }
    }

    fn outbox(&self) -> Outbox {
        outbox(&[&self.streams[0], &self.streams[1]]).with_dead_letters(Box::new(self.dead.clone()))
    }

    /// Appends name those of the first kind, and say of the others only that there is one.
    fn refuse(&self, stream: usize, named: &[u128], unnamed: &[u128]) {
        let mut content = self.streams[stream].content.lock().unwrap();
        content.named.extend(named);
        content.unnamed.extend(unnamed);
    }

    /// Everything is where it belongs, once; messages are in order, letters in any.
    fn assert_hold(&self, all: std::ops::Range<u128>, refused: [&[u128]; 2], case: &str) {
        let mut letters = Vec::new();
        for (stream, refused) in self.streams.iter().zip(refused) {
            let taken: Vec<u128> = all.clone().filter(|id| !refused.contains(id)).collect();
            assert_eq!(stream.ids(), taken, "{case}");
            let by = |id: &u128| letter::id(*id, "stream", &stream.topic);
            letters.extend(refused.iter().map(by));
        }
        let mut found = self.dead.ids();
        letters.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, letters, "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_stream_refuses_is_in_the_dead_letter_topic_and_the_rest_in_the_stream() {
    type Row<'a> = (&'a [u128], &'a [u128], [&'a [u128]; 2]);
    let rows: [Row<'_>; 6] = [
        (&[], &[], [&[], &[]]),
        (&[3], &[], [&[3], &[]]),
        (&[], &[3], [&[3], &[]]),
        (&[], &[1, 2, 9], [&[1, 2, 9], &[]]),
        (&[4, 5], &[1, 6], [&[1, 4, 5, 6], &[]]),
        (
            &[1, 2, 3, 4],
            &[5, 6, 7, 8, 9],
            [&[1, 2, 3, 4, 5, 6, 7, 8, 9], &[]],
        ),
    ];
    for (named, unnamed, refused) in rows {
        let topics = Topics::new();
        topics.refuse(0, named, unnamed);
        let mut outbox = topics.outbox();
        outbox.resume(None, PREFIX).await.unwrap();
        let published = outbox.publish(&batch(1..10)).await.unwrap();
        let case = format!("{named:?} named, {unnamed:?} not");
        topics.assert_hold(1..10, refused, &case);
        let counts = (published.new, published.dead_lettered as usize);
        assert_eq!(counts, (9, refused[0].len()), "{case}");
        let ends: Vec<_> = published.marks.iter().map(|mark| mark.next).collect();
        let dead = refused[0].len() as u64;
        assert_eq!(ends, [9 - dead, 9, dead], "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_document_that_two_streams_refuse_has_a_letter_for_each_and_counts_once() {
    let topics = Topics::new();
    topics.refuse(0, &[2], &[]);
    topics.refuse(1, &[], &[2, 4]);
    let published = topics.outbox().publish(&batch(1..6)).await.unwrap();
    assert_eq!(published.dead_lettered, 2);
    topics.assert_hold(1..6, [&[2], &[2, 4]], "");
}

#[tokio::test(start_paused = true)]
async fn whatever_fails_between_a_stream_and_the_dead_letter_nothing_is_lost_or_repeated() {
    for fault in FAULTS {
        for failing in 0..3 {
            for at in 0..4 {
                for (cut, batches) in cuts().iter().enumerate() {
                    let topics = Topics::new();
                    topics.refuse(0, &[2], &[5]);
                    topics.refuse(1, &[9], &[2, 8]);
                    let all = [&topics.streams[0], &topics.streams[1], &topics.dead];
                    all[failing].fault_at(at, fault);
                    let mut outbox = topics.outbox();
                    outbox.resume(None, PREFIX).await.unwrap();
                    for messages in batches {
                        publish(&mut outbox, messages).await;
                    }
                    let case = format!("{fault:?} in {failing} at append {at}, cut {cut}");
                    topics.assert_hold(1..10, [&[2, 5], &[2, 8, 9]], &case);
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_finds_the_dead_letters_that_no_state_covers() {
    for fault in [
        None,
        Some(Fault::UnknownNow(9)),
        Some(Fault::UnknownLater(9)),
    ] {
        let topics = Topics::new();
        topics.refuse(0, &[2], &[4]);
        let mut before = topics.outbox();
        let marks = before.resume(None, PREFIX).await.unwrap().marks;
        fault
            .into_iter()
            .for_each(|fault| topics.dead.fault_at(0, fault));
        let published = before.publish(&batch(1..6)).await;
        assert_eq!(published.is_ok(), fault.is_none());
        drop(before);
        let mut after = topics.outbox();
        after
            .resume(Some(&unsettled_at(&marks)), PREFIX)
            .await
            .unwrap();
        let again = after.publish(&batch(1..6)).await.unwrap();
        let counts = (again.new, again.already_there, again.dead_lettered);
        assert_eq!((counts, again.unclaimed), ((0, 5, 2), 0), "{fault:?}");
        topics.assert_hold(1..6, [&[2, 4], &[]], &format!("{fault:?}"));
    }
}

#[tokio::test(start_paused = true)]
async fn one_culprit_among_a_thousand_costs_few_requests() {
    let topics = Topics::new();
    topics.refuse(0, &[], &[321]);
    topics.outbox().publish(&batch(1..1_001)).await.unwrap();
    topics.assert_hold(1..1_001, [&[321], &[]], "");
    let appends = topics.streams[0].content.lock().unwrap().appends;
    assert!(appends < 25, "{appends}");
}

#[tokio::test(start_paused = true)]
async fn any_number_of_named_culprits_costs_one_more_append() {
    let topics = Topics::new();
    let named: Vec<u128> = (1..1_001).step_by(3).collect();
    topics.refuse(0, &named, &[]);
    topics.outbox().publish(&batch(1..1_001)).await.unwrap();
    topics.assert_hold(1..1_001, [&named, &[]], "");
    assert_eq!(topics.streams[0].content.lock().unwrap().appends, 2);
}

#[tokio::test(start_paused = true)]
async fn a_destination_that_names_no_message_of_the_batch_is_not_asked_again() {
    for place in [None, Some(3)] {
        let topic = Scripted::topic("a");
        topic.fault_at(0, Fault::NamesPlace(place));
        let error = outbox(&[&topic]).publish(&batch(1..4)).await.unwrap_err();
        assert_eq!((error.transient, error.committed), (false, Extent::Nothing));
        assert_eq!(topic.content.lock().unwrap().appends, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_dead_letter_topic_a_refused_message_is_a_permanent_error_that_names_it() {
    let header = |name: &str, text: &str| (name.to_owned(), HeaderValue::Text(text.to_owned()));
    let mut messages = batch(1..4);
    messages[1].headers = vec![header("_index", "logs"), header("_id", "seven")];
    for (named, unnamed) in [(&[2][..], &[][..]), (&[], &[2])] {
        let topics = Topics::new();
        topics.refuse(0, named, unnamed);
        let mut outbox = outbox(&[&topics.streams[0], &topics.streams[1]]);
        let error = outbox.publish(&messages).await.unwrap_err();
        assert_eq!((error.transient, error.committed), (false, Extent::Partly));
        for part in [
            "stream stream, topic a: document \"seven\" of index \"logs\", 2 bytes, cannot be taken",
            "dead_letter",
            "too large",
        ] {
            assert!(error.to_string().contains(part), "{error}");
        }
        assert_eq!(topics.streams[1].ids(), [0; 0]);
        let mut outbox = topics.outbox();
        let marks = [mark("a", 0), mark("b", 0)];
        outbox.resume(Some(&at(&marks)), PREFIX).await.unwrap();
        outbox.publish(&messages).await.unwrap();
        topics.assert_hold(1..4, [&[2], &[]], "once there is such a topic");
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_that_is_refused_too_is_a_permanent_error() {
    let topics = Topics::new();
    topics.refuse(0, &[2], &[]);
    let letter = letter::id(2, "stream", "a");
    topics.dead.content.lock().unwrap().unnamed.insert(letter);
    let error = topics.outbox().publish(&batch(1..4)).await.unwrap_err();
    assert_eq!((error.transient, error.committed), (false, Extent::Partly));
    assert!(error.to_string().contains("topic dead: "), "{error}");
    assert!(error.to_string().contains("choose another"), "{error}");
}
