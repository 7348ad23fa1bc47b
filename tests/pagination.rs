//! The ways of reading beside the timestamp: scrolls and offsets.

use elasticsearch_source::mini_elasticsearch::{Effect, Fault, Product};
use serde_json::{Value, json};

use crate::reading::{documents, ids, load};
use crate::support::program;
use crate::support::sample::{self, INDEX};
use crate::support::servers::{Cluster, for_each_cluster};
use crate::support::world::World;

const DOCUMENTS: u64 = 1_000;

async fn logs(cluster: &Cluster, documents: &[(String, String)]) -> String {
    let mapping = json!({"properties": {"@timestamp": {"type": "date"}}});
    let index = cluster.create("logs", 3, mapping).await;
    load(cluster, &index, documents).await;
    index
}

fn reading(url: &str, index: &str, pagination: &str) -> World {
    World::reading(url, index)
        .key("pagination", pagination)
        .raw("batch_size", "100")
}

/// Without a timestamp field.
fn untimed(url: &str, index: &str, pagination: &str) -> World {
    reading(url, index, pagination).without("timestamp_field")
}

/// Polls a few times and stops.
async fn poll_and_close(world: &World, polls: usize) {
    let source = world.source().await.unwrap();
    let mut instance = source.open(source.clock.now_ms()).await.unwrap();
    for _ in 0..polls {
        instance
            .poll(source.clock.now_ms(), source.budget)
            .await
            .unwrap();
    }
    instance.close().await.unwrap();
}

for_each_cluster! {
    async fn a_scroll_without_a_timestamp_is_an_export_that_is_complete(cluster) {
        let index = logs(cluster, &documents(0..3_000, 7, 1_000_000)).await;
        let world = untimed(cluster.url(), &index, "scroll");
        assert_eq!(world.published_once().await, 3_000);
        load(cluster, &index, &documents(3_000..3_010, 7, 1_000_000)).await;
        assert_eq!(world.published_once().await, 0);
        assert_eq!(world.state()["data"]["reading"]["is_complete"], true);
        world.assert_holds_exactly(ids(0..3_000));
    }

    async fn a_scroll_with_a_timestamp_reads_what_is_new(cluster) {
        let index = logs(cluster, &documents(0..3_000, 7, 1_000_000)).await;
        let world = reading(cluster.url(), &index, "scroll");
        assert_eq!(world.published_once().await, 3_000);
        assert_eq!(world.published_once().await, 0);
        load(cluster, &index, &documents(3_000..3_411, 7, 1_000_000)).await;
        assert_eq!(world.published_once().await, 411);
        assert_eq!(world.published_once().await, 0);
        world.assert_holds_exactly(ids(0..3_411));
    }

    async fn a_scroll_goes_on_after_a_clean_stop(cluster) {
        let index = logs(cluster, &documents(0..3_000, 7, 1_000_000)).await;
        let world = untimed(cluster.url(), &index, "scroll").limits("poll_pages = 4");
        poll_and_close(&world, 2).await;
        let state = world.state();
        let scroll = &state["data"]["reading"]["slices"][0]["pass"]["context"]["scroll"];
        assert!(scroll.is_string(), "{state}");
        assert_eq!(*scroll, state["data"]["last_scroll_id"]);
        let read = state["data"]["total_documents_fetched"].as_u64().unwrap();
        assert!((700..=900).contains(&read), "{read}");
        // What comes meanwhile is not in it.
        load(cluster, &index, &documents(3_000..3_010, 7, 1_000_000)).await;
        assert_eq!(world.published_once().await, 3_000 - read);
        world.assert_holds_exactly(ids(0..3_000));
    }

    async fn offsets_deliver_what_is_new_or_changed_and_nothing_twice(cluster) {
        let index = logs(cluster, &documents(0..500, 7, 1_000_000)).await;
        for (name, world) in [("by time", reading(cluster.url(), &index, "offset")), ("by number", untimed(cluster.url(), &index, "offset"))] {
            let there = cluster.call("GET", &format!("/{index}/_count"), "").await.ok()["count"].as_u64().unwrap();
            assert_eq!(world.published_once().await, there, "{name}");
            assert_eq!(world.published_once().await, 0, "{name}");
            let state = world.state();
            assert_eq!(state["data"]["last_offset"], there, "{name}");
            // One is deleted, one changes, two are new, one of them before all others.
            cluster.call("DELETE", &format!("/{index}/_doc/d7?refresh=true"), "").await;
            load(cluster, &index, &documents(20..21, 1, 1)).await;
            load(cluster, &index, &[(format!("{name} early"), r#"{"@timestamp":"2020-01-01"}"#.to_owned()), (format!("{name} late"), r#"{"@timestamp":"2026-02-01"}"#.to_owned())]).await;
            assert_eq!(world.published_once().await, 3, "{name}");
            assert_eq!(world.published_once().await, 0, "{name}");
        }
    }

    async fn what_does_not_fit_offsets_is_an_error_that_names_other_ways(cluster) {
        let index = logs(cluster, &documents(0..10_001, 7, 1_000_000)).await;
        let (failure, summary) = untimed(cluster.url(), &index, "offset").once().await.unwrap_err();
        let message = failure.to_string();
        assert!(message.starts_with("10001 documents match") && message.contains("timestamp_field"), "{message}");
        assert_eq!(summary.documents, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cycle_by_offset_that_takes_several_polls_is_not_followed_by_another_at_once() {
    let cluster = sample::cluster(Product::Elasticsearch, DOCUMENTS);
    let world = untimed(cluster.url(), INDEX, "offset").limits("poll_pages = 3");
    let source = world.source().await.unwrap();
    let mut instance = source.open(source.clock.now_ms()).await.unwrap();
    for cycle in 1..=3 {
        let mut polls = 1;
        while instance
            .poll(source.clock.now_ms() + polls * 1_000, source.budget)
            .await
            .unwrap()
            .more
        {
            polls += 1;
            assert!(polls < 20, "cycle {cycle} does not end");
        }
        assert!(polls > 1, "it takes several polls");
    }
    instance.close().await.unwrap();
    world.assert_holds_exactly(sample::ids(0..DOCUMENTS));
}

fn faults() -> [fn() -> Effect; 9] {
    [
        || Effect::too_many_requests(0),
        Effect::unavailable,
        Effect::circuit_breaker,
        || Effect::LoseRequest,
        || Effect::LoseAnswer,
        || Effect::CutAnswer,
        || Effect::LoseShard(1),
        || Effect::TimeOut,
        || Effect::LoseContext,
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_at_every_call_of_a_scroll_loses_and_repeats_nothing() {
    for timed in [false, true] {
        for fault in faults() {
            for (path, at) in [
                ("scroll=", 0),
                ("/_search/scroll", 0),
                ("/_search/scroll", 3),
                ("/_search/scroll", 8),
            ] {
                let cluster = sample::cluster(Product::Elasticsearch, DOCUMENTS);
                cluster.inject(Fault::new(fault()).path(path).after(at));
                let world = match timed {
                    true => reading(cluster.url(), INDEX, "scroll"),
                    false => untimed(cluster.url(), INDEX, "scroll"),
                };
                let what = format!("{:?} at {path} {at}, timed {timed}", fault());
                assert_eq!(world.published_once().await, DOCUMENTS, "{what}");
                world.assert_holds_exactly(sample::ids(0..DOCUMENTS));
                // Nobody knows the id of one whose opening was not answered; it expires.
                let unknown =
                    path == "scroll=" && matches!(fault(), Effect::LoseAnswer | Effect::CutAnswer);
                assert_eq!(cluster.open_scrolls(), usize::from(unknown), "{what}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scroll_call_is_never_repeated() {
    let cluster = sample::cluster(Product::Elasticsearch, DOCUMENTS);
    cluster.inject(
        Fault::new(Effect::LoseAnswer)
            .path("/_search/scroll")
            .after(2),
    );
    let world = untimed(cluster.url(), INDEX, "scroll");
    assert_eq!(world.published_once().await, DOCUMENTS);
    let scroll = |body: &[u8]| serde_json::from_slice::<Value>(body).unwrap()["scroll_id"].clone();
    let requests = cluster.requests();
    let calls = requests
        .iter()
        .filter(|request| request.path == "/_search/scroll");
    let calls: Vec<_> = calls
        .map(|call| (call.method.clone(), scroll(&call.body)))
        .collect();
    let closed = calls.iter().position(|(method, _)| method == "DELETE");
    assert_eq!(closed, Some(3), "the third call was the last");
    let (before, after) = calls.split_at(4);
    let again = |call: &&(String, Value)| call.0 == "POST" && before.contains(call);
    assert_eq!(after.iter().find(again), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hit_that_a_scroll_misses_silently_is_noticed_and_read_again() {
    for at in 0..9 {
        let cluster = sample::cluster(Product::Elasticsearch, DOCUMENTS);
        cluster.inject(
            Fault::new(Effect::LoseHit(50))
                .path("/_search/scroll")
                .after(at),
        );
        let world = untimed(cluster.url(), INDEX, "scroll");
        assert_eq!(world.published_once().await, DOCUMENTS, "call {at}");
        assert_eq!(cluster.pending_faults(), 0);
        world.assert_holds_exactly(sample::ids(0..DOCUMENTS));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scroll_of_a_run_that_was_killed_is_closed_and_read_anew() {
    let cluster = sample::cluster(Product::Elasticsearch, DOCUMENTS);
    let world = untimed(cluster.url(), INDEX, "scroll").limits("poll_pages = 3");
    let source = world.source().await.unwrap();
    let mut instance = source.open(source.clock.now_ms()).await.unwrap();
    instance
        .poll(source.clock.now_ms(), source.budget)
        .await
        .unwrap();
    drop((instance, source));
    assert_eq!(cluster.open_scrolls(), 1);
    assert_eq!(world.published_once().await + 300, DOCUMENTS);
    assert_eq!(cluster.open_scrolls(), 0);
    world.assert_holds_exactly(sample::ids(0..DOCUMENTS));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_after_an_export_says_what_that_has_left() {
    let cluster = sample::cluster(Product::Elasticsearch, 30);
    let world = untimed(cluster.url(), INDEX, "scroll");
    assert_eq!(world.published_once().await, 30);
    sample::insert(&cluster, 30..35);
    let config = world.config_file();
    let args = ["run", config.to_str().unwrap(), "--once"];
    let finished = program::run(world.folder(), &args);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let figures = r#"matching=\"35\" exported=\"30\""#;
    for part in ["the export was complete before", figures] {
        assert!(finished.stderr.contains(part), "{part} {finished:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_a_scroll_skips_is_noticed_and_read() {
    const MANY: u64 = 12_000;
    for (timestamp, calls) in [(true, 2), (true, 9), (false, 2), (false, 9)] {
        let cluster = sample::cluster(Product::Elasticsearch, MANY);
        let twice = Fault::new(Effect::Twice).path("/_search/scroll");
        cluster.inject(twice.after(calls));
        let world = match timestamp {
            true => reading(cluster.url(), INDEX, "scroll"),
            false => untimed(cluster.url(), INDEX, "scroll"),
        };
        let world = world.raw("batch_size", "1000");
        assert_eq!(world.published_once().await, MANY, "{timestamp} {calls}");
        assert_eq!(cluster.pending_faults(), 0);
        world.assert_holds_exactly(sample::ids(0..MANY));
    }
}
