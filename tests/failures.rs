//! What goes wrong between a search and a saved state, and that nothing is lost by it.

use std::time::Duration;

use elasticsearch_source::instance::{Budget, Failure, Instance};
use elasticsearch_source::mini_elasticsearch::{
    Effect, Fault, MiniElasticsearch, Options, Product,
};
use elasticsearch_source::runner::{self, Until};
use serde_json::json;
use tokio::sync::watch;

use crate::support::sample::{self, INDEX, ids, insert};
use crate::support::world::World;

const DOCUMENTS: u64 = 1_000;

/// A cluster with 1,000 documents, 7 with each timestamp.
fn cluster(product: Product) -> MiniElasticsearch {
    sample::cluster(product, DOCUMENTS)
}

fn world(cluster: &MiniElasticsearch) -> World {
    World::reading(cluster.url(), INDEX).raw("batch_size", "100")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_at_every_search_loses_and_repeats_nothing() {
    let faults: [fn() -> Effect; 9] = [
        || Effect::too_many_requests(0),
        Effect::unavailable,
        Effect::circuit_breaker,
        || Effect::LoseRequest,
        || Effect::LoseAnswer,
        || Effect::CutAnswer,
        || Effect::LoseShard(1),
        || Effect::TimeOut,
        || Effect::LoseContext,
    ];
    for product in [Product::Elasticsearch, Product::OpenSearch] {
        for fault in faults {
            for at in [0, 1, 5, 10, 11] {
                let cluster = cluster(product);
                cluster.inject(Fault::new(fault()).path("_search?").after(at));
                let world = world(&cluster);
                let summary = world.once().await.unwrap();
                assert_eq!(
                    summary.documents,
                    DOCUMENTS,
                    "{:?} at search {at} of {product:?}",
                    fault()
                );
                world.assert_holds_exactly(ids(0..DOCUMENTS));
                assert_eq!(
                    cluster.open_pits(),
                    0,
                    "{:?} at search {at} of {product:?}",
                    fault()
                );
                assert_eq!(world.published_once().await, 0);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hit_that_is_silently_missing_is_noticed_and_read_again() {
    for at in 1..=10 {
        let cluster = cluster(Product::Elasticsearch);
        cluster.inject(
            Fault::new(Effect::LoseHit(50))
                .path("/_search?")
                .body("\"sort\"")
                .after(at),
        );
        let world = world(&cluster);
        assert_eq!(world.published_once().await, DOCUMENTS, "search {at}");
        assert_eq!(cluster.pending_faults(), 0);
        world.assert_holds_exactly(ids(0..DOCUMENTS));
        assert_eq!(
            world.state()["data"]["receipts"]["differed"],
            1,
            "search {at}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_keeps_hiding_a_document_stops_the_source_with_both_figures() {
    let cluster = cluster(Product::Elasticsearch);
    // The last page of every pass lacks its last document.
    cluster.inject(
        Fault::new(Effect::LoseHit(5))
            .path("/_search?")
            .body("\"sort\"")
            .after(1)
            .times(1_000),
    );
    let (failure, _) = world(&cluster).once().await.unwrap_err();
    let Failure::Permanent(message) = failure else {
        panic!("{failure:?}")
    };
    assert!(
        message.contains("the cluster counts 1000 documents but returned"),
        "{message}"
    );
    assert_eq!(cluster.open_pits(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overloaded_cluster_is_left_alone_and_the_errors_are_counted() {
    let cluster = cluster(Product::Elasticsearch);
    cluster.inject(
        Fault::new(Effect::too_many_requests(1))
            .path("_search?")
            .times(2),
    );
    let world = world(&cluster);
    let started = std::time::Instant::now();
    let summary = world.once().await.unwrap();
    assert!(started.elapsed().as_secs() >= 2, "Retry-After is respected");
    assert_eq!((summary.documents, summary.retries), (DOCUMENTS, 2));
    let data = &world.state()["data"];
    assert_eq!(data["error_count"], 2);
    assert!(
        data["last_error"]
            .as_str()
            .unwrap()
            .contains("es_rejected_execution_exception"),
        "{data}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_that_are_too_large_are_asked_for_in_halves() {
    let too_large = || Effect::Respond {
        status: 413,
        headers: Vec::new(),
        body: "too large".to_owned(),
    };
    for (pagination, fault) in [
        ("timestamp", None),
        ("scroll", None),
        ("offset", None),
        ("timestamp", Some(too_large())),
        ("scroll", Some(too_large())),
        ("timestamp", Some(Effect::circuit_breaker())),
    ] {
        let cluster = cluster(Product::Elasticsearch);
        let is_limited = fault.is_none();
        if let Some(fault) = fault {
            cluster.inject(Fault::new(fault).path("_search?").after(1).times(2));
        }
        let mut world = world(&cluster).key("pagination", pagination);
        if is_limited {
            // About thirty documents with what is around them.
            world = world
                .key("max_response_bytes", "8KiB")
                .key("batch_bytes", "8KiB");
        }
        assert_eq!(world.published_once().await, DOCUMENTS, "{pagination}");
        world.assert_holds_exactly(ids(0..DOCUMENTS));
        let sizes = cluster.requests().into_iter();
        let sizes = sizes.filter_map(|request| {
            let body: serde_json::Value = serde_json::from_slice(&request.body).ok()?;
            body["size"].as_u64().filter(|size| *size > 0)
        });
        let least = sizes.min();
        assert!(least <= Some(50), "{pagination}: {least:?}");
        assert_eq!((cluster.open_pits(), cluster.open_scrolls()), (0, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_larger_than_every_limit_is_an_error_that_names_it() {
    let cluster = sample::cluster(Product::Elasticsearch, 10);
    let text = "x".repeat(10_000);
    let document = format!(r#"{{"@timestamp":"2026-02-01","text":"{text}"}}"#);
    cluster.insert(INDEX, Some("large"), document).unwrap();
    let world = world(&cluster)
        .key("max_response_bytes", "8KiB")
        .key("batch_bytes", "8KiB");
    let (failure, summary) = world.once().await.unwrap_err();
    let message = failure.to_string();
    assert!(matches!(failure, Failure::Permanent(_)), "{failure:?}");
    assert!(
        message.contains("raise \"max_response_bytes\""),
        "{message}"
    );
    assert_eq!(summary.documents, 10, "what comes before it is delivered");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_size_of_pages_follows_their_bytes() {
    let cluster = cluster(Product::Elasticsearch);
    let world = world(&cluster).key("batch_bytes", "4KiB");
    assert_eq!(world.published_once().await, DOCUMENTS);
    let requests = cluster.requests().into_iter();
    let sizes = requests.filter_map(|request| {
        let body: serde_json::Value = serde_json::from_slice(&request.body).ok()?;
        body["size"].as_u64().filter(|size| *size > 0)
    });
    let sizes: Vec<_> = sizes.collect();
    assert!(
        sizes.iter().skip(3).all(|size| (5..50).contains(size)),
        "{sizes:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_stays_away_ends_a_run_with_an_end() {
    let cluster = cluster(Product::Elasticsearch);
    cluster.inject(Fault::new(Effect::unavailable()).times(1_000));
    let world = world(&cluster);
    let (failure, summary) = world.once().await.unwrap_err();
    assert!(matches!(failure, Failure::Transient { .. }), "{failure:?}");
    assert_eq!(summary.documents, 0);
    cluster.clear_faults();
    assert_eq!(world.published_once().await, DOCUMENTS);
}

#[tokio::test(flavor = "multi_thread")]
async fn little_that_is_new_costs_one_page_and_one_count_by_the_minute() {
    let cluster = cluster(Product::Elasticsearch);
    let world = world(&cluster);
    assert_eq!(world.published_once().await, DOCUMENTS);
    insert(&cluster, DOCUMENTS..DOCUMENTS + 3);
    cluster.clear_requests();
    assert_eq!(world.published_once().await, 3);
    let searches = cluster
        .requests()
        .iter()
        .filter(|request| request.path.contains("_search") || request.path.contains("_pit"))
        .count();
    assert_eq!(searches, 2, "{:?}", cluster.requests());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_between_publish_and_save_repeats_nothing() {
    let cluster = cluster(Product::Elasticsearch);
    let world = world(&cluster);
    insert(&cluster, DOCUMENTS..DOCUMENTS + 10);
    assert_eq!(world.published_once().await, DOCUMENTS + 10);
    let newest = std::fs::read(world.state_file()).unwrap();
    insert(&cluster, DOCUMENTS + 10..DOCUMENTS + 20_000);
    assert_eq!(world.published_once().await, 19_990);
    std::fs::write(world.state_file(), newest).unwrap();
    let summary = world.once().await.unwrap();
    assert_eq!((summary.documents, summary.already_there), (0, 19_990));
    world.assert_holds_exactly(ids(0..DOCUMENTS + 20_000));
}

/// Runs to the end, and returns the state as it was after so many polls.
async fn state_after(world: &World, polls: usize) -> Vec<u8> {
    let source = world.source().await.unwrap();
    let (_stop, stopped) = tokio::sync::watch::channel(false);
    let mut states = Vec::new();
    let mut keep = |_| states.push(std::fs::read(world.state_file()).unwrap());
    runner::run(&source, Until::CaughtUp, stopped, &mut keep)
        .await
        .unwrap();
    states.swap_remove(polls - 1)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_joins_has_every_later_document_once_after_a_crash_too() {
    let cluster = cluster(Product::Elasticsearch);
    let world = world(&cluster).limits("poll_pages = 1");
    assert_eq!(world.published_once().await, DOCUMENTS);
    let world = world.stream("s", "joined");
    insert(&cluster, DOCUMENTS..DOCUMENTS + 1_000);
    // It opens, but reads nothing; then it reads, and dies before it saves anything.
    cluster.inject(Fault::new(Effect::unavailable()).times(1_000));
    world.once().await.unwrap_err();
    cluster.clear_faults();
    let opened = std::fs::read(world.state_file()).unwrap();
    assert_eq!(world.published_once().await, 1_000);
    std::fs::write(world.state_file(), opened).unwrap();
    world.once().await.unwrap();
    world.assert_holds_exactly(ids(0..DOCUMENTS + 1_000));
    let joined = std::fs::read_to_string(world.folder().join("output/s/joined.ndjson")).unwrap();
    assert_eq!(joined.lines().count(), 1_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_selection_under_the_same_state_is_refused_with_its_place() {
    let cluster = cluster(Product::Elasticsearch);
    let world = world(&cluster);
    assert_eq!(world.published_once().await, DOCUMENTS);
    let world = world.key("timestamp_field", "number");
    let (failure, _) = world.once().await.unwrap_err();
    let Failure::InvalidConfig { key, message } = failure else {
        panic!("{failure:?}")
    };
    assert!(
        key == "timestamp_field" && message.contains("state_id"),
        "{key}: {message}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_is_gone_from_a_point_in_time_does_not_stop_the_others() {
    let gone = |status: u16, kind: &str| Effect::Respond {
        status,
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: format!(
            r#"{{"error":{{"root_cause":[{{"type":"{kind}","reason":"logs-old"}}],"type":"{kind}","reason":"logs-old"}},"status":{status}}}"#
        ),
    };
    let rows = [
        (Product::Elasticsearch, 404, "index_not_found_exception"),
        (Product::OpenSearch, 404, "index_not_found_exception"),
        (Product::OpenSearch, 400, "index_closed_exception"),
    ];
    for (product, status, kind) in rows {
        let cluster = cluster(product);
        cluster.inject(Fault::new(gone(status, kind)).path("/_search?").after(4));
        let world = world(&cluster);
        assert_eq!(world.published_once().await, DOCUMENTS, "{kind}");
        assert_eq!((cluster.pending_faults(), cluster.open_pits()), (0, 0));
        world.assert_holds_exactly(ids(0..DOCUMENTS));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_point_in_time_that_only_fails_is_given_up() {
    let cluster = cluster(Product::Elasticsearch);
    cluster.inject(
        Fault::new(Effect::unavailable())
            .path("/_search?")
            .after(3)
            .times(4),
    );
    let world = world(&cluster);
    assert_eq!(world.published_once().await, DOCUMENTS);
    let opened = cluster
        .requests()
        .iter()
        .filter(|request| request.path.contains("_pit?"))
        .count();
    assert_eq!(opened, 2);
    world.assert_holds_exactly(ids(0..DOCUMENTS));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_smaller_than_the_number_of_shards_grow_without_a_false_alarm() {
    let cluster = MiniElasticsearch::start(Options::default()).unwrap();
    cluster
        .create_index(
            INDEX,
            70,
            &json!({"properties": {"@timestamp": {"type": "date"}}}),
        )
        .unwrap();
    for n in 0..300 {
        cluster
            .insert(
                INDEX,
                Some(&format!("d{n}")),
                r#"{"@timestamp":1767225600000}"#,
            )
            .unwrap();
    }
    let world = World::reading(cluster.url(), INDEX).raw("batch_size", "2");
    assert_eq!(world.published_once().await, 300);
    assert_eq!(world.state()["data"]["receipts"]["differed"], 0);
    world.assert_holds_exactly(ids(0..300));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_of_another_connector_resumes_at_its_timestamp_inclusive() {
    let cluster = cluster(Product::OpenSearch);
    let world = world(&cluster);
    std::fs::create_dir_all(world.folder().join("states")).unwrap();
    let state = json!({
        "id": "test", "last_updated": "2026-01-15T10:30:00Z", "version": 1,
        "data": {"last_poll_timestamp": "2026-01-01T00:00:00.100Z", "total_documents_fetched": 700, "poll_count": 7},
        "metadata": {"connector_type": "elasticsearch_source", "connector_id": 1, "index": INDEX, "url": cluster.url()},
    });
    std::fs::write(world.state_file(), state.to_string()).unwrap();
    assert_eq!(world.published_once().await, 300);
    world.assert_holds_exactly(ids(700..1_000));
    let data = &world.state()["data"];
    assert_eq!(
        (&data["total_documents_fetched"], &data["poll_count"]),
        (&json!(1_000), &json!(8))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn crashes_in_a_row_repeat_nothing() {
    let cluster = cluster(Product::Elasticsearch);
    let world = world(&cluster).limits("poll_pages = 2");
    let first = state_after(&world, 2).await;
    std::fs::write(world.state_file(), &first).unwrap();
    // The second run meets what it knows first; it dies in the middle of what only the
    // output knows.
    let second = state_after(&world, 3).await;
    assert_ne!(first, second);
    std::fs::write(world.state_file(), second).unwrap();
    world.once().await.unwrap();
    world.assert_holds_exactly(ids(0..DOCUMENTS));
    let data = &world.state()["data"];
    let length = std::fs::metadata(world.folder().join("output/s/t.ndjson"))
        .unwrap()
        .len();
    assert_eq!(
        data["output"][0]["next"], length,
        "the position moves on once all of it is covered"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_with_an_end_reads_past_the_cycle_that_a_former_run_left() {
    let cluster = cluster(Product::Elasticsearch);
    let world = world(&cluster).limits("poll_pages = 2");
    let source = world.source().await.unwrap();
    let (_stop, stopped) = watch::channel(false);
    let (polled, mut polls) = watch::channel(0);
    let mut progress = |documents| polled.send(documents).unwrap();
    tokio::select! {
        _ = runner::run(&source, Until::CaughtUp, stopped, &mut progress) => panic!("it ended"),
        _ = polls.changed() => {}
    }
    drop(source);
    // The point in time of the former run does not hold these.
    insert(&cluster, DOCUMENTS..DOCUMENTS + 100);
    world.once().await.unwrap();
    world.assert_holds_exactly(ids(0..DOCUMENTS + 100));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_point_in_time_that_is_given_up_inside_a_giant_group_raises_no_false_alarm() {
    for at in 2..9 {
        let cluster = MiniElasticsearch::start(Options::default()).unwrap();
        sample::create(&cluster, INDEX, 3);
        for n in 0..90 {
            let source = r#"{"@timestamp":1767225600000}"#;
            cluster
                .insert(INDEX, Some(&format!("d{n}")), source)
                .unwrap();
        }
        cluster.inject(
            Fault::new(Effect::unavailable())
                .path("/_search?")
                .after(at)
                .times(3),
        );
        let world = World::reading(cluster.url(), INDEX)
            .raw("batch_size", "10")
            .raw("edge_max", "20");
        assert_eq!(world.published_once().await, 90, "search {at}");
        world.assert_holds_exactly(ids(0..90));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_away_for_a_short_run_after_a_crash_gets_nothing_twice() {
    let cluster = cluster(Product::Elasticsearch);
    let world = world(&cluster).stream("s", "u");
    assert_eq!(world.published_once().await, DOCUMENTS);
    let before = std::fs::read(world.state_file()).unwrap();
    insert(&cluster, DOCUMENTS..DOCUMENTS + 1_000);
    assert_eq!(world.published_once().await, 1_000);
    // Killed before it saved, then started without the stream while the cluster is away.
    std::fs::write(world.state_file(), unsettled(&before)).unwrap();
    let world = world.without_more_streams();
    cluster.inject(Fault::new(Effect::unavailable()).times(1_000));
    world.once().await.unwrap_err();
    cluster.clear_faults();
    let world = world.stream("s", "u");
    world.once().await.unwrap();
    world.assert_holds_exactly(ids(0..DOCUMENTS + 1_000));
    let other = std::fs::read_to_string(world.folder().join("output/s/u.ndjson")).unwrap();
    assert_eq!(other.lines().count() as u64, DOCUMENTS + 1_000);
}

/// As a run leaves it that does not end cleanly.
fn unsettled(state: &[u8]) -> Vec<u8> {
    let mut state: serde_json::Value = serde_json::from_slice(state).unwrap();
    state["data"]["settled"] = false.into();
    state.to_string().into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_takes_the_place_of_one_that_trapped_repeats_nothing() {
    let cluster = cluster(Product::Elasticsearch);
    let world = world(&cluster);
    let state = format!(
        "{{ storage_config = {{ base_path = '{}/states' }}, auto_save_interval = \"5m\" }}",
        world.folder().display()
    );
    let world = world.raw("state", &state);
    let source = world.source().await.unwrap();
    let now_ms = source.clock.now_ms();
    for pages in [3, 1] {
        let capabilities = (source.capabilities)();
        let (sandbox, component) = (&source.sandbox, &source.component);
        let instance = Instance::new(sandbox, component, capabilities, source.limits);
        let mut instance = instance.await.unwrap();
        instance.open(&source.config, now_ms).await.unwrap();
        let budget = Budget {
            pages,
            milliseconds: 60_000,
        };
        instance.poll(now_ms, budget).await.unwrap();
        if pages == 1 {
            instance.close().await.unwrap();
        }
    }
    drop(source);
    world.once().await.unwrap();
    world.assert_holds_exactly(ids(0..DOCUMENTS));
}

/// The save that is under way may hang while the next pages are published, but not for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_does_not_answer_holds_publishing_back_at_unsaved_max() {
    let cluster = sample::cluster(Product::Elasticsearch, 3_000);
    let state =
        r#"{ storage_type = "elasticsearch", unsaved_max = 500, auto_save_interval = "1h" }"#;
    let world = World::reading(cluster.url(), "logs")
        .raw("batch_size", "100")
        .raw("state", state)
        .limits("poll_pages = 100");
    let source = world.source().await.unwrap();
    let hang = Effect::Hang(Duration::from_secs(2));
    // The first one, which creates it, goes another way.
    let save = Fault::new(hang).method("PUT").path("/_doc/test?");
    cluster.inject(save);
    let run = tokio::spawn(async move { World::run_once(&source).await });
    while cluster.pending_faults() > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let ahead = world.delivered().len();
    assert!((400..=500).contains(&ahead), "{ahead}");
    run.await.unwrap().unwrap();
    world.assert_holds_exactly(sample::ids(0..3_000));
}
