//! Calls that fail or are dropped in the middle, at any place.

use std::time::Duration;

use elasticsearch_source::mini_elasticsearch::{Effect, Fault};
use elasticsearch_source::{ElasticsearchSource, ErrorKind};

use super::world::{ID, World, assert_each_once, poll_all};
use crate::support::sample;

/// The state in an index beside the documents.
const IN_THE_CLUSTER: &str =
    "state = { storage_type = \"elasticsearch\", storage_config = { timeout = \"500ms\" } }";

fn save_fails(effect: Effect) -> Fault {
    Fault::new(effect).method("PUT").path("/_doc/test?")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_that_fails_after_it_read_something_returns_it_and_fails_next() {
    let world = World::of(1_000);
    let mut config = world.config();
    config.limits.poll_pages = 5;
    let mut source = ElasticsearchSource::new(ID, config);
    source.open().await.unwrap();
    let unavailable = Fault::new(Effect::unavailable()).path("_search").after(3);
    world.cluster.inject(unavailable);
    let mut messages = source.poll().await.unwrap();
    assert!(!messages.is_empty() && messages.len() < 500);
    let error = source.poll().await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Transient { .. }),
        "{error}"
    );
    assert_eq!(world.covered(), messages.len() as u64);
    messages.extend(poll_all(&mut source).await);
    assert_each_once(&messages, 1_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_state_can_not_be_stored_the_next_poll_fails_before_it_reads() {
    for effect in [
        Effect::LoseRequest,
        Effect::LoseAnswer,
        Effect::unavailable(),
    ] {
        let world = World::of(250).keys(IN_THE_CLUSTER);
        let mut source = world.opened().await;
        let mut messages = source.poll().await.unwrap();
        world.cluster.inject(save_fails(effect).times(2));
        for _ in 0..2 {
            world.cluster.clear_requests();
            let error = source.poll().await.unwrap_err();
            assert!(
                matches!(error.kind(), ErrorKind::Transient { .. }),
                "{error}"
            );
            let requests = world.cluster.requests();
            assert!(
                !requests
                    .iter()
                    .any(|request| request.path.contains("_search"))
            );
        }
        messages.extend(poll_all(&mut source).await);
        assert_each_once(&messages, 250);
        assert_eq!(world.cluster.pending_faults(), 0);
        source.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_close_that_fails_can_be_repeated_or_the_source_can_go_on() {
    for closes_again in [true, false] {
        let world = World::of(250).keys(IN_THE_CLUSTER);
        let mut source = world.opened().await;
        let mut messages = source.poll().await.unwrap();
        world
            .cluster
            .inject(save_fails(Effect::LoseAnswer).after(1));
        source.close().await.unwrap_err();
        assert_eq!(world.cluster.pending_faults(), 0);
        if closes_again {
            source.close().await.unwrap();
            source.open().await.unwrap();
        }
        messages.extend(poll_all(&mut source).await);
        assert_each_once(&messages, 250);
        source.close().await.unwrap();
    }
}

/// A delay of the answers makes the time limit end polls at many different places.
#[tokio::test(flavor = "multi_thread")]
async fn polls_that_are_dropped_lose_and_repeat_nothing() {
    for keys in ["", IN_THE_CLUSTER] {
        let world = World::of(400).keys(keys);
        let slow = Effect::Delay(Duration::from_millis(6));
        world.cluster.inject(Fault::new(slow).times(1_000));
        let mut source = world.opened().await;
        let (mut messages, mut dropped) = (Vec::new(), 0);
        for limit_ms in 0..60 {
            let limit = Duration::from_millis(limit_ms);
            match tokio::time::timeout(limit, source.poll()).await {
                Ok(polled) => messages.extend(polled.unwrap()),
                Err(_) => dropped += 1,
            }
        }
        assert!(dropped > 5, "{dropped} polls were dropped");
        world.cluster.clear_faults();
        sample::insert(&world.cluster, 400..500);
        messages.extend(poll_all(&mut source).await);
        assert_each_once(&messages, 500);
        source.close().await.unwrap();
        let mut source = world.opened().await;
        assert!(source.poll().await.unwrap().is_empty());
    }
}

/// A poll that is dropped while it waits for the cluster.
async fn drop_poll(source: &mut ElasticsearchSource) {
    let limit = Duration::from_millis(2_500);
    let dropped = tokio::time::timeout(limit, source.poll()).await;
    dropped.unwrap_err();
}

/// A source whose poll was dropped after it had read some pages and saved after each.
async fn dropped_after_some_pages(world: &World) -> ElasticsearchSource {
    let mut config = world.config();
    config.limits.poll_pages = 10;
    let mut source = ElasticsearchSource::new(ID, config);
    source.open().await.unwrap();
    let hang = Effect::Hang(Duration::from_secs(5));
    let third = Fault::new(hang).path("_search").after(3);
    world.cluster.inject(third);
    drop_poll(&mut source).await;
    source
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dropped_poll_read_comes_with_the_next_ones_and_is_not_taken_by_close() {
    for closes in [false, true] {
        let every_page =
            "state = { storage_type = \"elasticsearch\", auto_save_interval = \"0s\" }";
        let world = World::of(600).keys(every_page);
        let mut source = dropped_after_some_pages(&world).await;
        if closes {
            source.close().await.unwrap();
            source.open().await.unwrap();
        }
        assert_each_once(&poll_all(&mut source).await, 600);
    }
}

/// The second component meets what the first one published without a save, saves that nothing
/// of it is new, and is replaced by a third.
#[tokio::test(flavor = "multi_thread")]
async fn a_poll_that_is_dropped_after_it_saved_what_was_returned_before_repeats_nothing() {
    let world = World::of(300)
        .keys("state = { storage_type = \"elasticsearch\", auto_save_interval = \"1s\" }");
    let mut source = world.opened().await;
    let mut messages = source.poll().await.unwrap();
    let search = |effect| Fault::new(effect).path("_search");
    let hang = || Effect::Hang(Duration::from_secs(5));
    world.cluster.inject(search(hang()));
    drop_poll(&mut source).await;
    let slow = Effect::Delay(Duration::from_millis(1_100));
    world.cluster.inject(search(slow));
    world.cluster.inject(search(hang()).after(2));
    drop_poll(&mut source).await;
    assert_eq!(world.cluster.pending_faults(), 0);
    messages.extend(poll_all(&mut source).await);
    assert_each_once(&messages, 300);
}

/// They may be another process's by then.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_dropped_poll_read_is_not_returned_once_the_lease_is_lost() {
    let leased = "state = { storage_type = \"elasticsearch\", lease_time = \"1s\", auto_save_interval = \"1h\" }";
    let world = World::of(600).keys(leased);
    let mut source = dropped_after_some_pages(&world).await;
    world
        .cluster
        .delete("connector_states", "test.lease")
        .unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let error = source.poll().await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Conflict), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_is_stopped_is_replaced_and_goes_on() {
    let world = World::of(300);
    let mut config = world.config();
    config.limits.memory = 3 << 20;
    let mut source = ElasticsearchSource::new(ID, config);
    source.open().await.unwrap();
    let mut messages = source.poll().await.unwrap();
    let text = "x".repeat(4 << 20);
    let large = format!(r#"{{"@timestamp":1767225700000,"text":"{text}"}}"#);
    world.cluster.insert("logs", Some("large"), large).unwrap();
    let error = loop {
        match source.poll().await {
            Ok(some) => messages.extend(some),
            Err(error) => break error,
        }
        assert!(messages.len() <= 300);
    };
    assert!(
        error.to_string().starts_with("the component was stopped: "),
        "{error}"
    );
    world.cluster.delete("logs", "large").unwrap();
    messages.extend(poll_all(&mut source).await);
    assert_each_once(&messages, 300);
}
