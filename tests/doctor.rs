//! What the doctor finds, in every kind of cluster, and how the program says it.

mod fields;
mod hosts;
mod program;

use chrono::{Duration, SecondsFormat};
use elasticsearch_source::clock::Clock;
use elasticsearch_source::config::Config;
use elasticsearch_source::doctor::{self, Examination, Finding, Level, Pagination, Product, Topic};
use elasticsearch_source::mini_elasticsearch::{self, Effect, Fault};
use serde_json::{Value, json};

use crate::support::servers::{Cluster, for_each_cluster, run};
use crate::support::world::World;

/// Examines the source as it is configured, with the time of this machine.
pub(crate) async fn examine(world: &World) -> Examination {
    let config = Config::parse(&world.toml(), "test.toml", std::iter::empty()).unwrap();
    let examined = doctor::examine(&config.sources["test"], Clock::system().now());
    examined.await.unwrap()
}

/// The one finding that holds this text.
#[track_caller]
fn finding<'a>(examination: &'a Examination, part: &str) -> &'a Finding {
    let mut found = examination.findings.iter();
    let found = found.find(|finding| finding.message.contains(part));
    found.unwrap_or_else(|| panic!("no {part:?} in {examination:#?}"))
}

#[track_caller]
fn assert_found(examination: &Examination, level: Level, part: &str) {
    let finding = finding(examination, part);
    assert_eq!(finding.level, level, "{finding:?}");
}

fn dates(kind: &str) -> Value {
    json!({"properties": {"@timestamp": {"type": kind}}})
}

/// Indexes these sources and makes them visible.
async fn load(cluster: &Cluster, index: &str, sources: impl IntoIterator<Item = String>) {
    let lines = sources
        .into_iter()
        .map(|source| format!("{{\"index\":{{}}}}\n{source}\n"));
    let path = format!("/{index}/_bulk?refresh=true");
    let answer = cluster
        .call("POST", &path, lines.collect::<String>())
        .await
        .ok();
    assert_eq!(answer["errors"], false, "{answer}");
}

fn at(timestamp: &str) -> String {
    json!({"@timestamp": timestamp}).to_string()
}

for_each_cluster! {
    async fn a_healthy_index_has_no_problem_and_is_left_as_it_was(cluster) {
        let index = cluster.create("logs", 3, dates("date")).await;
        let seven = |ms: u64| std::iter::repeat_n(at(&format!("2026-01-01T00:00:00.{ms:03}Z")), 7);
        load(cluster, &index, (0..100).flat_map(seven)).await;
        let examination = examine(&World::reading(cluster.url(), &index)).await;
        assert!(examination.healthy, "{examination:#?}");
        let not_ok = examination.findings.iter().filter(|finding| finding.level != Level::Ok);
        // What the one in this process does not answer.
        assert!(not_ok.clone().all(|finding| cluster.mini.is_some() && finding.topic == Topic::Access), "{examination:#?}");
        use Pagination::{Offset, Scroll, Timestamp};
        assert_eq!(examination.safe_pagination, [Timestamp, Scroll, Offset]);
        let figures = &examination.figures;
        let product = match cluster.product {
            mini_elasticsearch::Product::Elasticsearch => Product::Elasticsearch,
            mini_elasticsearch::Product::OpenSearch => Product::OpenSearch,
        };
        assert_eq!((figures.product, figures.indices.as_ref()), (Some(product), Some(&vec![index])));
        assert_eq!((figures.documents, figures.without_timestamp, figures.in_the_future), (Some(700), Some(0), Some(0)));
        assert_eq!((figures.oldest_ms, figures.newest_ms), (Some(1_767_225_600_000), Some(1_767_225_600_099)));
        assert_eq!((figures.largest_group, figures.largest_group_is_exact), (Some(7), Some(true)));
        assert_eq!((figures.settle_ms, figures.document_bytes, figures.first_read_bytes), (Some(5_000), Some(41), Some(700 * 41)));
        assert_found(&examination, Level::Ok, "a point in time can be opened, and was closed again");
        if let Some(mini) = &cluster.mini {
            assert_eq!(mini.open_pits(), 0);
        }
    }

    async fn a_mixed_pattern_tells_what_is_not_read(cluster) {
        for kind in ["date", "date_nanos"] {
            let index = cluster.create(kind, 2, dates(kind)).await;
            load(cluster, &index, [at("2026-01-01T00:00:00.000000001Z"), r#"{"n":1}"#.to_owned()]).await;
        }
        let unmapped = cluster.create("unmapped", 1, json!({"properties": {"n": {"type": "long"}}})).await;
        load(cluster, &unmapped, [r#"{"n":2}"#.to_owned()]).await;
        let tomorrow = (Clock::system().now() + Duration::days(1)).to_rfc3339_opts(SecondsFormat::Millis, true);
        load(cluster, &cluster.name("date"), [at(&tomorrow), at("1066-10-14T09:00:00Z")]).await;
        let examination = examine(&World::reading(cluster.url(), &cluster.name("*"))).await;
        assert!(examination.healthy, "{examination:#?}");
        for part in [
            "is date in some indices and date_nanos in others",
            &format!("is not mapped in 1 index ({unmapped})"),
            "3 documents without @timestamp",
            "1 document in the future",
            "1 document outside of 1970 to 2262",
        ] {
            assert_found(&examination, Level::Note, part);
        }
        let figures = &examination.figures;
        assert_eq!((figures.documents, figures.without_timestamp, figures.in_the_future), (Some(7), Some(3), Some(1)));
        assert_eq!((figures.largest_group, figures.first_read_documents), (Some(2), Some(3)));
    }

    async fn a_group_is_as_large_as_its_documents_are_many_whatever_they_stand_for(cluster) {
        let index = cluster.create("logs", 2, dates("date")).await;
        let standing = json!({"@timestamp": "2026-01-01T00:00:00Z", "_doc_count": 9}).to_string();
        load(cluster, &index, [standing, at("2026-01-01T00:00:01Z"), at("2026-01-01T00:00:01Z")]).await;
        let examination = examine(&World::reading(cluster.url(), &index)).await;
        assert_found(&examination, Level::Ok, "with the same timestamp is 2 documents, at 2026-01-01T00:00:01.000Z");
        assert_eq!(examination.figures.largest_group, Some(2));
    }

    async fn what_the_source_will_hold_open_is_opened_for_as_long(cluster) {
        let index = cluster.create("logs", 2, dates("date")).await;
        load(cluster, &index, [at("2026-01-01T00:00:00Z")]).await;
        let scrolling = || World::reading(cluster.url(), &index).key("pagination", "scroll");
        assert_found(&examine(&scrolling()).await, Level::Ok, "a scroll can be opened, and was closed again");
        let examination = examine(&scrolling().key("scroll_timeout", "25h")).await;
        assert_found(&examination, Level::Problem, "not known: whether a scroll can be opened");
        assert_found(&examination, Level::Problem, "[search.max_keep_alive]");
        if let Some(mini) = &cluster.mini {
            assert_eq!((mini.open_pits(), mini.open_scrolls()), (0, 0));
        }
    }

    async fn a_missing_field_is_a_problem_with_ways_out(cluster) {
        let index = cluster.create("logs", 1, dates("date")).await;
        load(cluster, &index, [at("2026-01-01T00:00:00Z")]).await;
        let world = World::reading(cluster.url(), &index).key("timestamp_field", "created");
        let examination = examine(&world).await;
        assert!(!examination.healthy);
        assert_found(&examination, Level::Problem, "none of them has created");
        assert_found(&examination, Level::Problem, "\"scroll\" exports what is there once, or \"offset\", as 1 document");
        assert_eq!(examination.safe_pagination, [Pagination::Scroll, Pagination::Offset]);
    }

    async fn a_field_of_another_type_is_a_problem(cluster) {
        let index = cluster.create("logs", 1, json!({"properties": {"@timestamp": {"type": "keyword"}}})).await;
        load(cluster, &index, [at("2026-01-01T00:00:00Z")]).await;
        let examination = examine(&World::reading(cluster.url(), &index)).await;
        assert_found(&examination, Level::Problem, "@timestamp is mapped as keyword in 1 index");
        assert_found(&examination, Level::Problem, "can not read these indices");
    }

    async fn a_pattern_that_matches_nothing_waits_and_a_missing_index_does_not(cluster) {
        let pattern = examine(&World::reading(cluster.url(), &cluster.name("nothing-*"))).await;
        assert!(pattern.healthy, "{pattern:#?}");
        assert_found(&pattern, Level::Note, "the source waits for one");
        assert_eq!((pattern.figures.documents, pattern.figures.indices), (Some(0), Some(vec![])));
        let missing = examine(&World::reading(cluster.url(), &cluster.name("nothing"))).await;
        assert!(!missing.healthy, "{missing:#?}");
        assert_found(&missing, Level::Problem, "there is no index");
    }

    async fn settings_that_lose_or_refuse_documents_are_problems(cluster) {
        let settings = json!({"number_of_shards": 1, "number_of_replicas": 0, "refresh_interval": "-1", "max_result_window": 500});
        let index = cluster.create_with("settings", settings, dates("date")).await;
        let examination = examine(&World::reading(cluster.url(), &index)).await;
        assert_found(&examination, Level::Problem, "refreshed only on demand");
        assert_found(&examination, Level::Problem, "set \"batch_size\" to 500 or less");
        let world = World::reading(cluster.url(), &index).key("settle", "1h").raw("batch_size", "500");
        let examination = examine(&world).await;
        assert!(examination.healthy, "{examination:#?}");
        assert_eq!(examination.figures.settle_ms, Some(3_600_000));
    }

    async fn a_query_that_the_cluster_does_not_take_is_a_problem(cluster) {
        let index = cluster.create("logs", 1, dates("date")).await;
        let world = World::reading(cluster.url(), &index).raw("query", "{ \"trem\": { \"n\": 1 } }");
        let examination = examine(&world).await;
        assert_found(&examination, Level::Problem, "not known: how many documents match");
        assert_found(&examination, Level::Problem, "[trem]");
    }

    async fn a_page_that_would_be_too_large_is_a_problem(cluster) {
        let index = cluster.create("logs", 1, dates("date")).await;
        let long = json!({"@timestamp": "2026-01-01T00:00:00Z", "text": "x".repeat(9_000)}).to_string();
        load(cluster, &index, [long]).await;
        let world = World::reading(cluster.url(), &index).key("max_response_bytes", "1MiB").key("batch_bytes", "1MiB");
        assert_found(&examine(&world).await, Level::Problem, "more than \"max_response_bytes\" allows");
        let world = world.raw("batch_size", "100");
        assert!(examine(&world).await.healthy);
    }
}

#[tokio::test]
async fn what_is_refused_is_not_known_and_named() {
    let rows = [
        (
            "_settings",
            Level::Note,
            "index privilege \"view_index_metadata\"",
        ),
        (
            "/_mapping/field",
            Level::Note,
            "the format of the timestamp field",
        ),
        ("_search?", Level::Problem, "index privilege \"read\""),
        ("_field_caps", Level::Problem, "index privilege \"read\""),
        (
            "_pit",
            Level::Problem,
            "whether a point in time can be opened",
        ),
    ];
    for (path, level, part) in rows {
        let cluster = Cluster::mini(mini_elasticsearch::Product::Elasticsearch);
        let index = cluster.create("logs", 1, dates("date")).await;
        load(&cluster, &index, [at("2026-01-01T00:00:00Z")]).await;
        let body = r#"{"error":{"root_cause":[{"type":"security_exception","reason":"API key id [hidden]"}]},"status":403}"#;
        let refusal = Effect::Respond {
            status: 403,
            headers: vec![],
            body: body.to_owned(),
        };
        cluster
            .mini
            .as_ref()
            .unwrap()
            .inject(Fault::new(refusal).path(path).times(10));
        let examination = examine(&World::reading(cluster.url(), &index)).await;
        assert_found(&examination, level, part);
        assert_eq!(
            examination.healthy,
            level == Level::Note,
            "{path}: {examination:#?}"
        );
        assert!(!format!("{examination:?}").contains("hidden"), "{path}");
    }
}

/// Mappings and states of indices that the one in this process does not have.
async fn special_indices(cluster: &Cluster) {
    let unsorted = json!({"_source": {"enabled": false}, "properties": {"@timestamp": {"type": "date", "doc_values": false}}});
    let unsorted = cluster.create("unsorted", 1, unsorted).await;
    let sorted = cluster.create("sorted", 1, dates("date")).await;
    let closed = cluster.create("shut", 1, dates("date")).await;
    cluster
        .call("POST", &format!("/{closed}/_close"), "")
        .await
        .ok();
    let nested = json!({"properties": {"events": {"type": "nested", "properties": {"at": {"type": "date"}}}}});
    let nested = cluster.create("nested", 1, nested).await;
    for index in [&unsorted, &sorted] {
        load(cluster, index, [at("2026-01-01T00:00:00Z")]).await;
    }
    let examination = examine(&World::reading(cluster.url(), &cluster.name("*s*t*"))).await;
    assert_found(
        &examination,
        Level::Problem,
        &format!("can not be sorted by in 1 index ({unsorted})"),
    );
    assert_found(
        &examination,
        Level::Problem,
        &format!("no documents are kept in 1 index ({unsorted})"),
    );
    assert_found(
        &examination,
        Level::Note,
        &format!("closed: 1 index ({closed})"),
    );
    let world = World::reading(cluster.url(), &nested).key("timestamp_field", "events.at");
    assert_found(
        &examine(&world).await,
        Level::Problem,
        "events.at lies in events, which is mapped as nested",
    );
    let shut = examine(&World::reading(cluster.url(), &closed)).await;
    let refused = finding(&shut, "was answered with status 40");
    assert_eq!(refused.level, Level::Problem, "{refused:?}");
    assert!(refused.message.contains("closed"), "{refused:?}");
}

mod what_only_real_servers_have_is_judged {
    use super::*;

    #[tokio::test]
    #[cfg_attr(
        not(real_elasticsearch),
        ignore = "needs a real Elasticsearch: see README, \"Tests with real servers\""
    )]
    async fn real_elasticsearch() {
        let cluster = Cluster::real(
            mini_elasticsearch::Product::Elasticsearch,
            "ELASTICSEARCH_URL",
        );
        run(cluster, |cluster| Box::pin(special_indices(cluster))).await;
    }

    #[tokio::test]
    #[cfg_attr(
        not(real_opensearch),
        ignore = "needs a real OpenSearch: see README, \"Tests with real servers\""
    )]
    async fn real_opensearch() {
        let cluster = Cluster::real(mini_elasticsearch::Product::OpenSearch, "OPENSEARCH_URL");
        run(cluster, |cluster| Box::pin(special_indices(cluster))).await;
    }
}
