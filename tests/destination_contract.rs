//! What every output must do, run for each of them: one named test per case and backend.
//!
//! The Iggy cases run against the stand-in, and against a real server where the build
//! was given one by `IGGY_ADDRESS` (with `IGGY_USERNAME` and `IGGY_PASSWORD`, or `iggy`);
//! without it they are listed as ignored. What only Iggy can do is in [`iggy_only`],
//! several partitions in [`iggy_partitions`], TLS in [`iggy_tls`].

mod backends;
mod iggy_only;
mod iggy_partitions;
mod iggy_tls;

use std::collections::BTreeMap;

use bytes::Bytes;
use elasticsearch_source::publisher::destination::{
    HeaderValue, Message, Offset, Range, Tail, Wanted,
};
use elasticsearch_source::publisher::outbox::{Mark, Saved};

use backends::{Backend, Read};

fn text(text: &str) -> HeaderValue {
    HeaderValue::Text(text.to_owned())
}

fn message(id: u128) -> Message {
    Message {
        id,
        key: None,
        payload: Bytes::from(format!("{{\"number\":{id},\"text\":\"a \\\"b\\\" ü\"}}")),
        headers: vec![
            ("index".to_owned(), text("logs-2026")),
            ("seq_no".to_owned(), HeaderValue::Unsigned(u64::MAX - 1)),
        ],
    }
}

fn messages(ids: impl IntoIterator<Item = u128>) -> Vec<Message> {
    ids.into_iter().map(message).collect()
}

fn read(messages: &[Message]) -> Vec<Read> {
    let read = |message: &Message| Read {
        id: message.id,
        payload: message.payload.clone(),
        headers: message.headers.clone(),
    };
    messages.iter().map(read).collect()
}

async fn messages_are_appended_in_order_with_the_same_bytes_ids_and_headers(backend: Backend) {
    let mut destination = backend.open().await;
    let (first, second) = (messages(1..4), messages([u128::MAX, 4]));
    destination.append(&first).await.unwrap();
    destination.append(&second).await.unwrap();
    let expected = [first, second].concat();
    assert_eq!(backend.contents().await, read(&expected));
    let ids: Vec<u128> = expected.iter().map(|message| message.id).collect();
    assert_eq!(destination.read(&Wanted::default()).await.unwrap().ids, ids);
}

async fn a_new_destination_is_empty(backend: Backend) {
    let mut destination = backend.open().await;
    let start = vec![Offset {
        partition: 0,
        next: 0,
    }];
    let empty = Tail {
        ids: vec![],
        end: start.clone(),
    };
    assert_eq!(destination.ends().await.unwrap(), start);
    assert_eq!(destination.read(&Wanted::default()).await.unwrap(), empty);
    assert_eq!(
        destination.read(&Wanted::since(&start)).await.unwrap(),
        empty
    );
}

async fn reading_goes_from_an_acknowledged_end_to_the_current_one(backend: Backend) {
    let mut destination = backend.open().await;
    let middle = ends(destination.append(&messages(1..4)).await.unwrap());
    let end = ends(destination.append(&messages(4..6)).await.unwrap());
    let tail = destination.read(&Wanted::since(&middle)).await.unwrap();
    assert_eq!(
        tail,
        Tail {
            ids: vec![4, 5],
            end: end.clone()
        }
    );
    let nothing = destination.read(&Wanted::since(&end)).await.unwrap();
    assert_eq!(nothing, Tail { ids: vec![], end });
}

async fn the_ends_can_be_asked_for(backend: Backend) {
    let mut destination = backend.open().await;
    let end = ends(destination.append(&messages(1..4)).await.unwrap());
    assert_eq!(destination.ends().await.unwrap(), end);
}

async fn a_range_is_read_beside_the_tail_and_not_what_is_between_them(backend: Backend) {
    let mut destination = backend.open().await;
    let mut at = vec![0];
    for batch in [1..3, 3..5, 5..7, 7..9] {
        let end = ends(destination.append(&messages(batch)).await.unwrap());
        at.push(end[0].next);
    }
    let offset = |next| Offset { partition: 0, next };
    let range = |from, to| Range {
        partition: 0,
        from,
        to,
    };
    let rows = [
        (vec![range(at[0], at[1])], at[3], vec![1, 2, 7, 8]),
        (vec![range(at[1], at[2])], at[4], vec![3, 4]),
        (
            vec![range(at[0], at[1]), range(at[2], at[3])],
            at[4],
            vec![1, 2, 5, 6],
        ),
        (vec![range(at[3], at[4])], at[4], vec![7, 8]),
    ];
    for (ranges, from, expected) in rows {
        let wanted = Wanted {
            ranges,
            ..Wanted::since(&[offset(from)])
        };
        let tail = destination.read(&wanted).await.unwrap();
        assert_eq!(
            (tail.ids, tail.end),
            (expected, vec![offset(at[4])]),
            "{wanted:?}"
        );
    }
}

async fn ids_with_another_prefix_are_passed_over(backend: Backend) {
    let mut destination = backend.open().await;
    let (ours, others) = (0xabcd << 112, 0xabce << 112);
    let batch = messages([ours | 1, others | 2, 3, ours | 4, others]);
    destination.append(&batch).await.unwrap();
    let wanted = Wanted {
        prefix: Some(0xabcd),
        ..Wanted::default()
    };
    let found = destination.read(&wanted).await.unwrap().ids;
    assert_eq!(found, [ours | 1, ours | 4]);
}

async fn what_is_there_survives_opening_again(backend: Backend) {
    let mut first = backend.open().await;
    let middle = ends(first.append(&messages(1..4)).await.unwrap());
    drop(first);
    let mut second = backend.open().await;
    second.append(&messages(4..6)).await.unwrap();
    assert_eq!(
        second.read(&Wanted::since(&middle)).await.unwrap().ids,
        [4, 5]
    );
    assert_eq!(backend.contents().await, read(&messages(1..6)));
}

async fn work_goes_on_after_abandoning(backend: Backend) {
    let mut destination = backend.open().await;
    let middle = ends(destination.append(&messages(1..4)).await.unwrap());
    destination.abandon();
    assert_eq!(
        destination.read(&Wanted::since(&middle)).await.unwrap().ids,
        [0; 0]
    );
    destination.append(&messages(4..6)).await.unwrap();
    assert_eq!(backend.contents().await, read(&messages(1..6)));
}

async fn messages_of_other_producers_are_read_too(backend: Backend) {
    let mut destination = backend.open().await;
    let middle = ends(destination.append(&messages(1..3)).await.unwrap());
    backend.produce(&[70, 71]).await;
    let tail = destination.read(&Wanted::since(&middle)).await.unwrap();
    assert_eq!(tail.ids, [70, 71]);
    destination.append(&messages(3..5)).await.unwrap();
    assert_eq!(
        destination.read(&Wanted::since(&middle)).await.unwrap().ids,
        [70, 71, 3, 4]
    );
}

async fn messages_that_are_gone_are_a_permanent_error(backend: Backend) {
    let mut destination = backend.open().await;
    let end = ends(destination.append(&messages(1..6)).await.unwrap());
    backend.lose_last(2).await;
    let error = destination.read(&Wanted::since(&end)).await.unwrap_err();
    assert!(!error.transient, "{error}");
    let gone = backend.gone(&messages(4..6), &end);
    assert!(error.to_string().contains(&gone), "{error} lacks {gone:?}");
}

async fn a_payload_of_five_megabytes_comes_back_whole(backend: Backend) {
    let mut destination = backend.open().await;
    let payload = format!("{{\"text\":\"{}\"}}", "x".repeat(5 << 20));
    let large = Message {
        payload: Bytes::from(payload),
        ..message(1)
    };
    let batch = [large, message(2)];
    destination.append(&batch).await.unwrap();
    assert!(backend.contents().await == read(&batch));
    assert_eq!(
        destination.read(&Wanted::default()).await.unwrap().ids,
        [1, 2]
    );
}

async fn ten_thousand_messages_keep_their_order(backend: Backend) {
    let mut destination = backend.open().await;
    let all = messages(1..10_001);
    for batch in all.chunks(2_500) {
        destination.append(batch).await.unwrap();
    }
    let tail = destination.read(&Wanted::default()).await.unwrap();
    assert_eq!(tail.ids, (1..10_001).collect::<Vec<u128>>());
}

async fn header_texts_may_be_hostile(backend: Backend) {
    let mut destination = backend.open().await;
    let hostile = ["\"}\n{\"id\":", "a\r\nb", "\u{0}", "ü€😀", " "];
    let headers = hostile
        .iter()
        .enumerate()
        .map(|(at, value)| (format!("h{at}"), text(value)));
    let batch = [
        Message {
            headers: headers.collect(),
            ..message(1)
        },
        message(2),
    ];
    destination.append(&batch).await.unwrap();
    assert_eq!(backend.contents().await, read(&batch));
    assert_eq!(
        destination.read(&Wanted::default()).await.unwrap().ids,
        [1, 2]
    );
}

async fn names_are_taken_as_they_are_or_refused_before_anything_happens(backend: Backend) {
    for name in [
        "",
        "..",
        ".",
        "a/b",
        "/etc",
        "a\\b",
        "a\0b",
        "ü",
        "a b",
        "123",
        &"n".repeat(300),
    ] {
        for (stream, topic) in [(name, "topic"), ("stream", name)] {
            let opened = backend.open_named(stream, topic);
            assert_eq!(opened.is_ok(), backend.takes_name(name), "{name:?}");
            let Ok(mut destination) = opened else {
                continue;
            };
            destination.append(&messages(1..2)).await.unwrap();
            assert_eq!(destination.name(), (stream, topic));
            assert_eq!(destination.read(&Wanted::default()).await.unwrap().ids, [1]);
        }
    }
}

/// Where each partition ends after an append to it.
fn ends(written: Vec<Range>) -> Vec<Offset> {
    let mut ends = BTreeMap::new();
    for range in written {
        ends.insert(range.partition, range.end());
    }
    ends.into_values().collect()
}

/// Of the ids in these tests.
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

macro_rules! contract {
    ($backend:ident, $start:expr, $attribute:meta, [$($case:ident),* $(,)?]) => {
        mod $backend {
            $(
                #[tokio::test]
                #[$attribute]
                async fn $case() {
                    super::$case($start.await).await;
                }
            )*
        }
    };
}

macro_rules! destination_contract {
    ($backend:ident, $start:expr, $attribute:meta) => {
        contract!(
            $backend,
            $start,
            $attribute,
            [
                messages_are_appended_in_order_with_the_same_bytes_ids_and_headers,
                a_new_destination_is_empty,
                reading_goes_from_an_acknowledged_end_to_the_current_one,
                the_ends_can_be_asked_for,
                a_range_is_read_beside_the_tail_and_not_what_is_between_them,
                ids_with_another_prefix_are_passed_over,
                what_is_there_survives_opening_again,
                work_goes_on_after_abandoning,
                messages_of_other_producers_are_read_too,
                messages_that_are_gone_are_a_permanent_error,
                a_payload_of_five_megabytes_comes_back_whole,
                ten_thousand_messages_keep_their_order,
                header_texts_may_be_hostile,
                names_are_taken_as_they_are_or_refused_before_anything_happens,
            ]
        );
    };
}

destination_contract!(file, super::Backend::file(), cfg(all()));
destination_contract!(iggy_stand_in, super::Backend::iggy_stand_in(), cfg(all()));
destination_contract!(
    iggy_real,
    super::Backend::iggy_real(),
    cfg_attr(
        not(real_iggy),
        ignore = "needs a real server, named by IGGY_ADDRESS at build time"
    )
);
