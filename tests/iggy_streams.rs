//! What each stream makes of the same documents, through the component: partitions, keys,
//! and where the metadata goes.

use std::collections::{BTreeMap, BTreeSet};

use elasticsearch_source::mini_elasticsearch::{MiniElasticsearch, Product};
use serde_json::Value;

use crate::support::iggy::{Fault, IggyStandIn, Stored, codes};
use crate::support::sample;
use crate::support::world::World;

const DOCUMENTS: u64 = 500;

/// Iggy, with two streams more than the plain one.
fn world(cluster: &MiniElasticsearch, server: &IggyStandIn) -> World {
    let iggy = server.toml("timeout = \"200ms\"\npublish_quiet = \"200ms\"");
    World::reading(cluster.url(), "logs")
        .raw("batch_size", "100")
        .output(&iggy)
        .stream("s", "keyed")
        .stream_keys("partitions = 3\npartitioning = { key = \"number\" }\nmetadata = \"none\"")
        .stream("s", "enveloped")
        .stream_keys("partitions = 3\nmetadata = \"envelope\"\nbatch_length = 30")
}

fn by_id(messages: Vec<Stored>) -> BTreeMap<u128, Stored> {
    let count = messages.len();
    let by_id: BTreeMap<_, _> = messages.into_iter().map(|m| (m.id, m)).collect();
    assert_eq!(by_id.len(), count, "each id once");
    by_id
}

fn text(payload: &[u8]) -> &str {
    std::str::from_utf8(payload).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_differ_in_payload_and_headers_and_agree_in_ids() {
    let cluster = sample::cluster(Product::Elasticsearch, DOCUMENTS);
    let server = IggyStandIn::start().await;
    let world = world(&cluster, &server);
    assert_eq!(world.published_once().await, DOCUMENTS);
    assert_eq!(world.published_once().await, 0);
    let plain = by_id(server.messages("s", "t"));
    let (none, enveloped) = (
        by_id(server.messages("s", "keyed")),
        by_id(server.messages("s", "enveloped")),
    );
    assert_eq!(plain.len() as u64, DOCUMENTS);
    assert!(plain.keys().eq(none.keys()) && plain.keys().eq(enveloped.keys()));
    for (id, document) in &plain {
        assert_eq!(document.headers().len(), 4);
        assert_eq!(none[id].payload, document.payload);
        assert!(none[id].headers().is_empty() && enveloped[id].headers().is_empty());
        let envelope = text(&enveloped[id].payload);
        let source = format!(",\"_source\":{}}}", text(&document.payload));
        assert!(envelope.ends_with(&source), "{envelope}");
        let fields: Value = serde_json::from_str(envelope).unwrap();
        let number = &fields["_source"]["number"];
        assert_eq!(fields["_id"], format!("d{number}"));
        assert_eq!(fields["_index"], "logs");
        assert!(fields["_seq_no"].is_u64() && fields["_primary_term"].is_u64());
    }
    for topic in ["keyed", "enveloped"] {
        let partitions = server.messages("s", topic).into_iter().map(|m| m.partition);
        assert_eq!(partitions.collect::<BTreeSet<_>>().len(), 3, "{topic}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_keep_the_order_in_which_documents_are_read() {
    let cluster = sample::cluster(Product::Elasticsearch, DOCUMENTS);
    let server = IggyStandIn::start().await;
    world(&cluster, &server).published_once().await;
    let order = server.ids("s", "t");
    let place = |message: &Stored| order.iter().position(|id| *id == message.id);
    let mut partitions = BTreeMap::<_, Vec<_>>::new();
    for message in server.messages("s", "keyed") {
        let places = partitions.entry(message.partition).or_default();
        places.push(place(&message).unwrap());
    }
    for (partition, places) in partitions {
        assert!(places.is_sorted(), "partition {partition}: {places:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_in_any_stream_loses_and_repeats_nothing_in_any_partition() {
    let faults = [
        Fault::Status(3_009),
        Fault::CloseBefore,
        Fault::CloseAfter,
        Fault::SilenceAfter,
    ];
    // Of a page, one request goes to the first stream, three to the second, four to the third.
    for fault in faults {
        for before in [1, 2, 5, 13] {
            let cluster = sample::cluster(Product::Elasticsearch, DOCUMENTS);
            let server = IggyStandIn::start().await;
            let done = Fault::AnswerAfter(std::time::Duration::ZERO);
            server.inject(codes::SEND_MESSAGES_CODE, before, done);
            server.inject(codes::SEND_MESSAGES_CODE, 1, fault);
            let summary = world(&cluster, &server).once().await.unwrap();
            assert_eq!(summary.retries, 1, "{fault:?} after {before}");
            for topic in ["t", "keyed", "enveloped"] {
                let messages = by_id(server.messages("s", topic));
                assert_eq!(messages.len() as u64, DOCUMENTS, "{fault:?} after {before}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_goes_where_configured_in_files_too() {
    let cluster = sample::cluster(Product::Elasticsearch, 10);
    let world = World::reading(cluster.url(), "logs")
        .stream("s", "none")
        .stream_keys("metadata = \"none\"")
        .stream("s", "enveloped")
        .stream_keys("metadata = \"envelope\"");
    assert_eq!(world.published_once().await, 10);
    let lines = |topic: &str| {
        let file = world.folder().join(format!("output/s/{topic}.ndjson"));
        let text = std::fs::read_to_string(file).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        lines.collect::<Vec<Value>>()
    };
    let (plain, none, enveloped) = (lines("t"), lines("none"), lines("enveloped"));
    assert_eq!((plain.len(), none.len(), enveloped.len()), (10, 10, 10));
    for (plain, (none, enveloped)) in plain.iter().zip(none.iter().zip(&enveloped)) {
        assert_eq!(plain["id"], none["id"]);
        assert_eq!(plain["id"], enveloped["id"]);
        assert_eq!(plain["payload"], none["payload"]);
        assert_eq!(plain["payload"], enveloped["payload"]["_source"]);
        assert_eq!(plain["headers"]["_id"], enveloped["payload"]["_id"]);
        let no_headers = serde_json::json!({});
        assert_eq!(
            (&none["headers"], &enveloped["headers"]),
            (&no_headers, &no_headers)
        );
    }
}
