//! The Rust API: every message once, the state behind the caller, calls in any order.

mod interruptions;
mod states;
mod world;

use elasticsearch_source::{ErrorKind, HeaderValue, Message};

use crate::support::sample;
use world::{ID, World, assert_each_once, ids, poll_all};

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_documents_of_seven_a_timestamp_come_once_each() {
    for keys in ["", "state = { enabled = false }"] {
        let world = World::of(10_000).keys(keys);
        let mut source = world.opened().await;
        let messages = poll_all(&mut source).await;
        assert_each_once(&messages, 10_000);
        sample::insert(&world.cluster, 10_000..10_010);
        let later = poll_all(&mut source).await;
        assert_each_once(&later, 10);
        source.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_the_document_as_it_is_and_says_where_it_is_from() {
    let world = World::of(0);
    let source = r#"{"@timestamp": 1767225600000,  "b":1.0, "a":1e2}"#;
    world.cluster.insert("logs", Some("x"), source).unwrap();
    let mut opened = world.opened().await;
    let messages = opened.poll().await.unwrap();
    let [message] = messages.as_slice() else {
        panic!("{messages:?}")
    };
    assert_eq!(message.payload, source);
    let text = |text: &str| Some(HeaderValue::Text(text.to_owned()));
    assert_eq!(message.header("_id").cloned(), text("x"));
    assert_eq!(message.header("_index").cloned(), text("logs"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_follows_what_was_taken_and_not_what_was_given() {
    let world = World::of(250);
    assert_eq!(world.state(), None);
    let mut source = world.opened().await;
    let mut given = 0;
    for _ in 0..5 {
        let taken = given;
        given += source.poll().await.unwrap().len() as u64;
        assert_eq!(world.covered(), taken);
    }
    assert_eq!(given, 250);
    sample::insert(&world.cluster, 250..260);
    assert_eq!(source.poll().await.unwrap().len(), 10);
    assert_eq!(world.covered(), 250);
    source.close().await.unwrap();
    assert_eq!(world.covered(), 260);
    let state = world.state().unwrap();
    assert_eq!(state["metadata"]["connector_id"], ID);
    assert_eq!(state["data"]["settled"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_were_not_taken_come_again_with_the_same_ids_and_others_never() {
    for taken in 0..4 {
        let world = World::of(350);
        let mut source = world.opened().await;
        let mut before: Vec<Message> = Vec::new();
        for _ in 0..taken {
            before.extend(source.poll().await.unwrap());
        }
        let lost = source.poll().await.unwrap();
        drop(source);
        let mut source = world.opened().await;
        let again = poll_all(&mut source).await;
        assert_eq!(ids(&again)[..lost.len()], ids(&lost));
        before.extend(again);
        assert_each_once(&before, 350);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_by_close_never_comes_again() {
    let world = World::of(250);
    let mut messages = Vec::new();
    for _ in 0..5 {
        let mut source = world.opened().await;
        messages.extend(source.poll().await.unwrap());
        source.close().await.unwrap();
    }
    assert_each_once(&messages, 250);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_state_every_open_reads_everything() {
    let world = World::of(150).keys("state = { enabled = false }");
    let mut source = world.source();
    for _ in 0..2 {
        source.open().await.unwrap();
        assert_each_once(&poll_all(&mut source).await, 150);
        source.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_in_the_wrong_order_are_errors_and_change_nothing() {
    let world = World::of(150);
    let mut source = world.source();
    let rows = [
        (
            source.poll().await.map(drop),
            "source test is not open: call open first",
        ),
        (
            source.close().await,
            "source test is not open, so it can not be closed",
        ),
        (
            source.open().await.and(source.open().await),
            "source test is open already: close it first",
        ),
    ];
    for (outcome, expected) in rows {
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Order);
        assert_eq!(error.to_string(), expected);
    }
    assert_each_once(&poll_all(&mut source).await, 150);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_source_on_the_same_state_is_refused_with_its_holder() {
    let leased = "state = { storage_type = \"elasticsearch\", lease_time = \"1s\" }";
    for keys in ["", leased] {
        let world = World::of(50).keys(keys);
        let mut first = world.opened().await;
        let mut second = world.source();
        let error = second.open().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        let holder = format!("process {} on ", std::process::id());
        assert!(error.to_string().contains(&holder), "{error}");
        assert_eq!(first.poll().await.unwrap().len(), 50);
        first.close().await.unwrap();
        second.open().await.unwrap();
        assert!(second.poll().await.unwrap().is_empty());
        second.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_can_not_be_opened_gives_its_state_back() {
    let world = World::of(50);
    let refused = World::of(0).keys("no_such_key = 1");
    let mut config = refused.config();
    config.state = world.config().state;
    let mut source = elasticsearch_source::ElasticsearchSource::new(ID, config);
    let error = source.open().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Permanent);
    assert!(error.to_string().starts_with("source:7:1: "), "{error}");
    world.opened().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn debug_shows_no_secrets() {
    let keys = "username = \"reader\"\npassword = \"hunter2\"\nstate = { storage_type = \"redis\", storage_config = { url = \"redis://u:hunter2@localhost\" } }";
    let shown = format!("{:?}", World::of(0).keys(keys).source());
    assert!(
        shown.contains("reader") && !shown.contains("hunter2"),
        "{shown}"
    );
}
