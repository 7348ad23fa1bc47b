//! Several partitions: where messages go, and that none is lost or repeated in any of them.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use bytes::Bytes;
use elasticsearch_source::publisher::destination::{Committed, Destination, Message, Range};
use elasticsearch_source::publisher::iggy::{IggyConfig, IggyDestination, Partitioning};
use elasticsearch_source::publisher::outbox::{Delivery, Extent, Outbox};
use tokio::task::JoinSet;

use super::backends::config;
use super::{PREFIX, at, message, unsettled_at};
use crate::support::iggy::codes::*;
use crate::support::iggy::{Fault, IggyStandIn};

const INVALID_COMMAND: u32 = 3;
const TOPIC_FULL: u32 = 3009;
const QUIET: Duration = Duration::from_millis(200);
const PARTITIONS: u32 = 3;

fn by_key() -> Partitioning {
    Partitioning::Key("user".to_owned())
}

/// Of five users, and every seventh of none.
fn batch(ids: std::ops::Range<u128>) -> Vec<Message> {
    let keyed = |id: u128| Message {
        key: (!id.is_multiple_of(7)).then(|| Bytes::from(format!("user {}", id % 5))),
        ..message(id)
    };
    ids.map(keyed).collect()
}

fn destination(
    server: &IggyStandIn,
    topic: &str,
    partitioning: Partitioning,
    batch_length: usize,
) -> IggyDestination {
    let config = IggyConfig {
        timeout: QUIET,
        publish_quiet: QUIET,
        ..config(server.address())
    };
    let batch_length = NonZeroUsize::new(batch_length).unwrap();
    let new = IggyDestination::new(config, "s", topic, batch_length, PARTITIONS);
    new.unwrap().partitioned(partitioning)
}

/// The ids in each partition.
fn placed(server: &IggyStandIn, topic: &str) -> BTreeMap<u32, Vec<u128>> {
    let mut placed = BTreeMap::<_, Vec<_>>::new();
    for stored in server.messages("s", topic) {
        placed.entry(stored.partition).or_default().push(stored.id);
    }
    placed
}

#[tokio::test]
async fn a_configured_partition_gets_everything() {
    let server = IggyStandIn::start().await;
    let mut destination = destination(&server, "t", Partitioning::PartitionId(2), 2);
    destination.append(&batch(1..8)).await.unwrap();
    assert_eq!(placed(&server, "t"), [(2, (1..8).collect())].into());
}

#[tokio::test]
async fn a_partition_that_is_not_there_is_an_error_before_a_topic_is_created() {
    let server = IggyStandIn::start().await;
    server.create_topic("s", "existing", 2);
    for (topic, id, count) in [("existing", 2, 2), ("new", 3, 3)] {
        let destination = destination(&server, topic, Partitioning::PartitionId(id), 2);
        let mut outbox = Outbox::new(vec![Box::new(destination)], Delivery::ExactlyOnce);
        let error = outbox.resume(None, PREFIX).await.unwrap_err();
        let expected = format!(
            "stream s, topic {topic}: there is no partition {id}: the topic has {count}, counted from 0"
        );
        assert!(!error.transient, "{error}");
        assert!(error.to_string().starts_with(&expected), "{error}");
    }
    assert_eq!(server.requests(CREATE_TOPIC_CODE), 0);
}

#[tokio::test]
async fn a_key_has_one_partition_over_all_batches_and_keeps_its_order_there() {
    let server = IggyStandIn::start().await;
    let mut destination = destination(&server, "t", by_key(), 2);
    for ids in [1..20, 20..41, 41..43] {
        destination.append(&batch(ids)).await.unwrap();
    }
    let placed = placed(&server, "t");
    for user in 0..5 {
        let of_user = |id: &u128| id % 5 == user && !id.is_multiple_of(7);
        let expected: Vec<_> = (1..43).filter(of_user).collect();
        let holding = placed
            .values()
            .map(|ids| ids.iter().copied().filter(of_user).collect::<Vec<_>>());
        let holding: Vec<_> = holding.filter(|ids| !ids.is_empty()).collect();
        assert_eq!(holding, [expected], "user {user}");
    }
    assert!(placed.len() > 1, "{placed:?}");
    assert!(placed.values().all(|ids| ids.is_sorted()), "{placed:?}");
}

#[tokio::test]
async fn what_is_in_of_a_batch_over_several_partitions_is_reported_by_its_places() {
    let server = IggyStandIn::start().await;
    let mut destination = destination(&server, "t", by_key(), 100);
    server.inject(SEND_MESSAGES_CODE, 1, Fault::AnswerAfter(Duration::ZERO));
    server.inject(SEND_MESSAGES_CODE, 1, Fault::Status(TOPIC_FULL));
    let given = batch(1..7);
    let error = destination.append(&given).await.unwrap_err();
    let placed = placed(&server, "t");
    let (partition, ids) = placed.first_key_value().unwrap();
    let places: Vec<usize> = ids.iter().map(|id| *id as usize - 1).collect();
    assert!(places.len() < given.len() && places != (0..places.len()).collect::<Vec<_>>());
    let ranges = vec![Range {
        partition: *partition,
        from: 0,
        to: places.len() as u64,
    }];
    assert_eq!(error.committed, Committed::Part { places, ranges });
}

#[tokio::test]
async fn every_fault_of_every_request_leaves_each_message_once_in_every_partition() {
    let faults = [
        Fault::Status(TOPIC_FULL),
        Fault::Status(INVALID_COMMAND),
        Fault::CloseBefore,
        Fault::CloseAfter,
        Fault::CloseThenApply(QUIET / 2),
        Fault::SilenceBefore,
        Fault::SilenceAfter,
        Fault::AnswerAfter(QUIET * 2),
    ];
    let mut cases = JoinSet::new();
    for partitioning in [Partitioning::Balanced, by_key()] {
        for fault in faults {
            for request in 0..4 {
                cases.spawn(recovers(partitioning.clone(), fault, request));
            }
        }
    }
    cases.join_all().await;
}

/// Two topics, of which the first has the batch already: the request of the second one
/// that fails, counted from 0, and how.
async fn recovers(partitioning: Partitioning, fault: Fault, request: u32) {
    let case = format!("{fault:?} of request {request}, partitioned {partitioning}");
    let server = IggyStandIn::start().await;
    let open = || {
        let of = |topic| Box::new(destination(&server, topic, partitioning.clone(), 5));
        let both: Vec<Box<dyn Destination>> = vec![of("a"), of("b")];
        Outbox::new(both, Delivery::ExactlyOnce)
    };
    let mut outbox = open();
    let saved = outbox.resume(None, PREFIX).await.unwrap().marks;
    let mut ahead = destination(&server, "a", Partitioning::Balanced, 4);
    ahead.append(&batch(1..21)).await.unwrap();
    outbox.resume(Some(&at(&saved)), PREFIX).await.unwrap();
    if request > 0 {
        let done = Fault::AnswerAfter(Duration::ZERO);
        server.inject(SEND_MESSAGES_CODE, request, done);
    }
    server.inject(SEND_MESSAGES_CODE, 1, fault);
    let error = outbox.publish(&batch(1..21)).await.unwrap_err();
    assert_ne!(error.committed, Extent::Nothing, "{case}: the first has it");
    if request % 2 == 1 {
        // The same from the state of a process that ended there.
        outbox = open();
        outbox
            .resume(Some(&unsettled_at(&saved)), PREFIX)
            .await
            .unwrap();
    }
    let published = outbox.publish(&batch(1..31)).await.unwrap();
    for topic in ["a", "b"] {
        let mut ids = server.ids("s", topic);
        ids.sort_unstable();
        assert_eq!(ids, (1..31).collect::<Vec<_>>(), "{case}, topic {topic}");
        let ends = published.marks.iter().filter(|mark| mark.topic == topic);
        assert_eq!(ends.map(|mark| mark.next).sum::<u64>(), 30, "{case}");
    }
    if partitioning != Partitioning::Balanced {
        let keyed = |ids: Vec<u128>| ids.into_iter().filter(|id| !id.is_multiple_of(7));
        let in_order = placed(&server, "b").into_values().map(keyed);
        for ids in in_order {
            assert!(ids.is_sorted(), "{case}");
        }
    }
}
