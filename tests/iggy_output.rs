//! From a cluster into a topic on the wire, through the component.

use elasticsearch_source::mini_elasticsearch::{MiniElasticsearch, Product};
use serde_json::json;

use crate::support::iggy::codes::CREATE_TOPIC_CODE;
use crate::support::iggy::{Fault, Header, IggyStandIn, codes};
use crate::support::sample;
use crate::support::world::World;

const DOCUMENTS: u64 = 1_000;
/// What the server answers to a batch that it does not take.
const TOPIC_FULL: u32 = 3_009;

fn cluster() -> MiniElasticsearch {
    sample::cluster(Product::Elasticsearch, DOCUMENTS)
}

fn iggy(server: &IggyStandIn) -> String {
    server.toml("timeout = \"300ms\"\npublish_quiet = \"300ms\"")
}

fn world(cluster: &MiniElasticsearch, server: &IggyStandIn) -> World {
    World::reading(cluster.url(), "logs")
        .raw("batch_size", "100")
        .output(&iggy(server))
}

/// Every document once: by the header `_id`, and by message id.
fn assert_holds_all(server: &IggyStandIn) {
    let messages = server.messages("s", "t");
    let mut documents: Vec<_> = messages.iter().map(document).collect();
    documents.sort();
    documents.dedup();
    assert_eq!(
        (messages.len() as u64, documents.len() as u64),
        (DOCUMENTS, DOCUMENTS)
    );
}

fn document(message: &crate::support::iggy::Stored) -> String {
    let id = message
        .headers()
        .into_iter()
        .find(|(name, _)| name == "_id");
    match id {
        Some((_, Header::Text(id))) => id,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_document_arrives_once_with_its_headers_and_bytes() {
    let (cluster, server) = (cluster(), IggyStandIn::start().await);
    let world = world(&cluster, &server);
    assert_eq!(world.published_once().await, DOCUMENTS);
    assert_eq!(world.published_once().await, 0);
    assert_holds_all(&server);
    let first = &server.messages("s", "t")[0];
    assert!(
        first
            .payload
            .starts_with(b"{\"@timestamp\":1767225600000,\"number\":"),
        "{:?}",
        first.payload
    );
    let names: Vec<_> = first.headers().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), 4, "{names:?}");
    assert_eq!(
        world.state()["data"]["output"],
        json!([{"stream": "s", "topic": "t", "partition": 0, "next": DOCUMENTS}])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_batch_moves_nothing_and_goes_in_when_the_cause_is_gone() {
    let (cluster, server) = (cluster(), IggyStandIn::start().await);
    server.inject(codes::SEND_MESSAGES_CODE, 3, Fault::Status(TOPIC_FULL));
    let world = world(&cluster, &server);
    let summary = world.once().await.unwrap();
    assert_eq!((summary.documents, summary.retries), (DOCUMENTS, 3));
    assert_holds_all(&server);
    assert_eq!(world.state()["data"]["error_count"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_stays_rejected_leaves_the_state_before_it() {
    let (cluster, server) = (cluster(), IggyStandIn::start().await);
    let world = world(&cluster, &server);
    server.inject(codes::SEND_MESSAGES_CODE, 1_000, Fault::Status(TOPIC_FULL));
    let (_, summary) = world.once().await.unwrap_err();
    assert_eq!((summary.documents, server.messages("s", "t").len()), (0, 0));
    let data = &world.state()["data"];
    assert_eq!(
        (
            &data["total_documents_fetched"],
            &data["last_poll_timestamp"]
        ),
        (&json!(0), &json!(null))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publish_of_unknown_outcome_is_looked_up_before_it_is_repeated() {
    for fault in [
        Fault::CloseBefore,
        Fault::CloseAfter,
        Fault::SilenceBefore,
        Fault::SilenceAfter,
    ] {
        let (cluster, server) = (cluster(), IggyStandIn::start().await);
        server.inject(codes::SEND_MESSAGES_CODE, 1, fault);
        let world = world(&cluster, &server);
        let summary = world.once().await.unwrap();
        assert_eq!(
            summary.documents + summary.already_there,
            DOCUMENTS,
            "{fault:?}"
        );
        assert_holds_all(&server);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_older_than_the_topic_repeats_nothing_beside_another_producer() {
    let (cluster, server) = (cluster(), IggyStandIn::start().await);
    let world = world(&cluster, &server).limits("poll_pages = 3");
    let (_stop, stopped) = tokio::sync::watch::channel(false);
    let source = world.source().await.unwrap();
    let mut older = None;
    let state_file = world.state_file();
    let mut keep = |_| {
        older.get_or_insert_with(|| std::fs::read(&state_file).unwrap());
    };
    elasticsearch_source::runner::run(
        &source,
        elasticsearch_source::runner::Until::CaughtUp,
        stopped,
        &mut keep,
    )
    .await
    .unwrap();
    drop(source);
    server.produce("s", "t", 0, &[7, 8, 9]);
    std::fs::write(world.state_file(), older.unwrap()).unwrap();
    world.once().await.unwrap();
    assert_eq!(server.messages("s", "t").len() as u64, DOCUMENTS + 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_after_an_unclean_end_waits_until_nothing_is_under_way() {
    let (cluster, server) = (cluster(), IggyStandIn::start().await);
    let world = world(&cluster, &server);
    assert_eq!(world.published_once().await, DOCUMENTS);
    let state = std::fs::read_to_string(world.state_file()).unwrap();
    assert!(state.contains("\"settled\":true"), "{state}");
    let unclean = state.replace("\"settled\":true", "\"settled\":false");
    std::fs::write(world.state_file(), unclean).unwrap();
    let quiet = iggy(&server).replace("publish_quiet = \"300ms\"", "publish_quiet = \"4s\"");
    let started = std::time::Instant::now();
    assert_eq!(world.output(&quiet).published_once().await, 0);
    assert!(started.elapsed() >= std::time::Duration::from_secs(4));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_was_deleted_while_the_source_was_stopped_is_not_made_anew() {
    let (cluster, server) = (cluster(), IggyStandIn::start().await);
    let world = world(&cluster, &server);
    assert_eq!(world.published_once().await, DOCUMENTS);
    let gone = server.delete_topic("s", "t");
    let (failure, _) = world.once().await.unwrap_err();
    let failure = failure.to_string();
    assert!(
        failure.contains("the topic is gone: restore it"),
        "{failure}"
    );
    assert_eq!(server.requests(CREATE_TOPIC_CODE), 1);
    server.restore_topic("s", gone);
    assert_eq!(world.published_once().await, 0);
}
