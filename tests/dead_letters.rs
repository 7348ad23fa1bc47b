//! Documents that Iggy refuses for what they are, through the component: named in the
//! dead-letter topic, or in the error that stops the source, and never skipped.

use elasticsearch_source::instance::Failure;
use elasticsearch_source::mini_elasticsearch::{MiniElasticsearch, Product};
use serde_json::{Value, json};

use crate::support::iggy::{Fault, Header, IggyStandIn, codes};
use crate::support::sample::{self, INDEX};
use crate::support::world::World;

/// Documents that are small enough.
const SMALL: u64 = 300;
/// More than any server here takes.
const LARGE: usize = 200_000;
const LIMIT: usize = 128 << 10;
/// What makes the source stop.
const TOO_MANY_MESSAGES: u32 = 4023;

/// Documents, of which two in the middle are large.
fn cluster() -> MiniElasticsearch {
    let cluster = sample::cluster(Product::Elasticsearch, SMALL);
    for id in ["large1", "large2"] {
        let padding = "x".repeat(LARGE);
        let source = format!(r#"{{"@timestamp":1767225600020,"padding":"{padding}"}}"#);
        cluster.insert(INDEX, Some(id), source).unwrap();
    }
    cluster
}

/// Reads pages of 100 into `s`/`t`, one request each.
fn world(cluster: &MiniElasticsearch, server: &IggyStandIn, more: &str) -> World {
    let keys = format!("timeout = \"300ms\"\npublish_quiet = \"300ms\"\n{more}");
    World::reading(cluster.url(), INDEX)
        .raw("batch_size", "100")
        .output(&server.toml(&keys))
}

/// The same with the server's limit in the configuration, so that what is too large is
/// not even sent.
fn limited(cluster: &MiniElasticsearch, server: &IggyStandIn) -> World {
    server.close_on_requests_above(LIMIT);
    world(cluster, server, "max_message_size = \"128KiB\"")
}

/// Every small document is in the topic once, and nothing else.
fn assert_small_ones_in(server: &IggyStandIn, topic: &str, case: &str) {
    let mut ids = server.ids("s", topic);
    let all = ids.len() as u64;
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((all, ids.len() as u64), (SMALL, SMALL), "{case}");
    let messages = server.messages("s", topic);
    assert!(messages.iter().all(|message| message.payload.len() < LARGE));
}

/// The facts of every dead letter, ordered by document and topic.
fn letters(server: &IggyStandIn) -> Vec<Value> {
    let letters = server.messages("dead", "letters");
    let facts = letters.iter().map(|m| serde_json::from_slice(&m.payload));
    let mut facts: Vec<Value> = facts.map(Result::unwrap).collect();
    facts.sort_by_key(|facts| format!("{} {}", facts["_id"], facts["_topic"]));
    facts
}

/// For each large document one letter by each of these topics.
fn assert_letters_by(server: &IggyStandIn, topics: &[&str], case: &str) {
    let who = |facts: Value| (facts["_id"].clone(), facts["_topic"].clone());
    let found: Vec<_> = letters(server).into_iter().map(who).collect();
    let by = |id: &'static str| topics.iter().map(move |topic| (json!(id), json!(topic)));
    let expected: Vec<_> = by("large1").chain(by("large2")).collect();
    assert_eq!(found, expected, "{case}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_document_is_in_the_dead_letter_topic_and_the_others_in_the_stream() {
    let rows = [
        (true, ""),
        (false, ""),
        (false, "metadata = \"envelope\""),
        (false, "partitioning = { key = \"number\" }"),
    ];
    for (answers, keys) in rows {
        let (cluster, server) = (cluster(), IggyStandIn::start().await);
        let world = if answers {
            server.refuse_payloads_above(LIMIT);
            world(&cluster, &server, "")
        } else {
            limited(&cluster, &server)
        };
        let world = world.stream_keys(keys).dead_letter("dead", "letters");
        let summary = world.once().await.unwrap();
        assert_eq!((summary.documents, summary.dead_lettered), (SMALL + 2, 2));
        assert_small_ones_in(&server, "t", "");
        assert_letters_by(&server, &["t"], "");
        if !answers {
            let sent = server.requests(codes::SEND_MESSAGES_CODE);
            assert_eq!(sent, 5, "four pages and the letters, whatever is left out");
        }
        let first = &letters(&server)[0];
        let reason = if answers { "too big" } else { "131072 bytes" };
        assert!(
            first["_reason"].as_str().unwrap().contains(reason),
            "{first}"
        );
        assert_eq!(
            (&first["_index"], &first["_stream"]),
            (&json!(INDEX), &json!("s"))
        );
        assert!(first["_bytes"].as_u64().unwrap() > LARGE as u64, "{first}");
        let data = world.state()["data"].clone();
        assert_eq!(data["dead_lettered"], 2);
        assert_eq!(data["total_documents_fetched"], SMALL + 2);
        assert_eq!(data["receipts"]["differed"], 0);
        assert_eq!(
            data["output"][1],
            json!({"stream": "dead", "topic": "letters", "partition": 0, "next": 2})
        );
        let again = world.once().await.unwrap();
        assert_eq!((again.documents, again.dead_lettered), (0, 0));
        assert_eq!(letters(&server).len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_headers_of_a_dead_letter_are_its_facts() {
    let (cluster, server) = (cluster(), IggyStandIn::start().await);
    let world = limited(&cluster, &server).dead_letter("dead", "letters");
    world.once().await.unwrap();
    for letter in server.messages("dead", "letters") {
        let facts: Value = serde_json::from_slice(&letter.payload).unwrap();
        let headers = letter
            .headers()
            .into_iter()
            .map(|(name, value)| match value {
                Header::Text(text) => (name, json!(text)),
                Header::Unsigned(number) => (name, json!(number)),
            });
        assert_eq!(
            headers.collect::<serde_json::Map<_, _>>(),
            *facts.as_object().unwrap()
        );
        let names: Vec<_> = facts.as_object().unwrap().keys().collect();
        let expected = [
            "_bytes",
            "_id",
            "_index",
            "_primary_term",
            "_reason",
            "_seq_no",
            "_stream",
            "_topic",
        ];
        assert_eq!(names, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_dead_letter_topic_the_source_stops_and_names_the_document() {
    let (cluster, server) = (cluster(), IggyStandIn::start().await);
    let world = limited(&cluster, &server);
    let (failure, summary) = world.once().await.unwrap_err();
    let Failure::Permanent(message) = failure else {
        panic!("{failure:?}")
    };
    for part in [
        "stream s, topic t: document \"large1\" of index \"logs\", 200041 bytes, cannot be taken",
        "dead_letter",
        "max_message_size in [iggy] is 131072 bytes",
    ] {
        assert!(message.contains(part), "{message}");
    }
    let data = world.state()["data"].clone();
    assert_eq!(data["total_documents_fetched"], summary.documents);
    let world = world.dead_letter("dead", "letters");
    world.once().await.unwrap();
    assert_small_ones_in(&server, "t", "");
    assert_letters_by(&server, &["t"], "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_closes_on_a_large_request_has_the_configuration_named() {
    let (cluster, server) = (cluster(), IggyStandIn::start().await);
    server.close_on_requests_above(LIMIT);
    let world = world(&cluster, &server, "").dead_letter("dead", "letters");
    let (failure, _) = world.once().await.unwrap_err();
    assert!(matches!(failure, Failure::Transient { .. }), "{failure}");
    let expected = "is max_message_size in [iggy] that of the server?";
    assert!(failure.to_string().contains(expected), "{failure}");
    let configured = limited(&cluster, &server).dead_letter("dead", "letters");
    configured.once().await.unwrap();
    assert_letters_by(&server, &["t"], "");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_to_any_request_nothing_is_lost_or_repeated() {
    let faults = [
        Fault::CloseBefore,
        Fault::CloseAfter,
        Fault::SilenceAfter,
        // The source stops there, and is started again.
        Fault::Status(TOO_MANY_MESSAGES),
    ];
    for fault in faults {
        // Four pages to each of two streams, and once the dead letters.
        futures::future::join_all((0..9).map(|at| recovers_from(fault, at))).await;
    }
}

async fn recovers_from(fault: Fault, at: u32) {
    let (cluster, server) = (cluster(), IggyStandIn::start().await);
    if at > 0 {
        let as_ever = Fault::AnswerAfter(std::time::Duration::ZERO);
        server.inject(codes::SEND_MESSAGES_CODE, at, as_ever);
    }
    server.inject(codes::SEND_MESSAGES_CODE, 1, fault);
    let world = limited(&cluster, &server)
        .stream("s", "u")
        .dead_letter("dead", "letters");
    let case = format!("{fault:?} at request {at}");
    if world.once().await.is_err() {
        world.once().await.expect(&case);
    }
    assert!(server.requests(codes::SEND_MESSAGES_CODE) >= 9, "{case}");
    assert_small_ones_in(&server, "t", &case);
    assert_small_ones_in(&server, "u", &case);
    assert_letters_by(&server, &["t", "u"], &case);
    assert_eq!(world.state()["data"]["dead_lettered"], 2, "{case}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_older_than_the_topics_repeats_no_dead_letter() {
    let (cluster, server) = (cluster(), IggyStandIn::start().await);
    let world = limited(&cluster, &server)
        .stream("s", "u")
        .dead_letter("dead", "letters");
    server.inject(
        codes::SEND_MESSAGES_CODE,
        1,
        Fault::Status(TOO_MANY_MESSAGES),
    );
    world.once().await.unwrap_err();
    let opened = std::fs::read(world.state_file()).unwrap();
    world.once().await.unwrap();
    std::fs::write(world.state_file(), opened).unwrap();
    let summary = world.once().await.unwrap();
    assert_eq!(
        (
            summary.documents,
            summary.already_there,
            summary.dead_lettered
        ),
        (0, SMALL + 2, 2)
    );
    assert_small_ones_in(&server, "t", "");
    assert_letters_by(&server, &["t", "u"], "");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_take_every_document_and_no_file_is_made_for_others() {
    let cluster = cluster();
    let world = World::reading(cluster.url(), INDEX).dead_letter("dead", "letters");
    let summary = world.once().await.unwrap();
    assert_eq!((summary.documents, summary.dead_lettered), (SMALL + 2, 0));
    assert!(world.folder().join("output/s").exists());
    assert!(!world.folder().join("output/dead").exists());
}
