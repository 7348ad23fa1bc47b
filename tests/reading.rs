//! Every document exactly once, from every kind of cluster: ties, pages, restarts.

use elasticsearch_source::clock::Clock;
use serde_json::{Value, json};

use crate::support::servers::{Cluster, for_each_cluster};
use crate::support::world::World;

/// Enough for many pages and several receipts; the last group of seven is not full.
const MANY: u64 = 100_000;
/// The first timestamp of all test documents, in milliseconds.
const FIRST_MS: i64 = 1_767_225_600_000;

/// Documents `from..to`, `per` of them with each timestamp, `step` nanoseconds apart.
pub(crate) fn documents(range: std::ops::Range<u64>, per: u64, step: i64) -> Vec<(String, String)> {
    range
        .map(|n| {
            (
                format!("d{n}"),
                document(n, FIRST_MS * 1_000_000 + (n / per) as i64 * step),
            )
        })
        .collect()
}

fn document(number: u64, nanos: i64) -> String {
    let at = chrono::DateTime::from_timestamp_nanos(nanos)
        .to_rfc3339_opts(chrono::SecondsFormat::Nanos, true);
    format!(r#"{{"@timestamp":"{at}","number":{number}}}"#)
}

pub(crate) fn ids(range: std::ops::Range<u64>) -> impl Iterator<Item = String> {
    range.map(|n| format!("d{n}"))
}

/// An object field for a dotted name, as mappings write it.
fn mapping(field: &str, format: &Value) -> Value {
    match field.split_once('.') {
        Some((parent, child)) => json!({parent: {"properties": {child: format}}}),
        None => json!({field: format}),
    }
}

/// Indexes documents and makes them visible.
pub(crate) async fn load(cluster: &Cluster, index: &str, documents: &[(String, String)]) {
    for chunk in documents.chunks(5_000) {
        let line = |(id, source): &(String, String)| {
            format!("{{\"index\":{{\"_id\":\"{id}\"}}}}\n{source}\n")
        };
        let lines: String = chunk.iter().map(line).collect();
        let answer = cluster
            .call("POST", &format!("/{index}/_bulk?refresh=true"), lines)
            .await
            .ok();
        assert_eq!(answer["errors"], false, "{answer}");
    }
}

async fn read_and_read_again(
    cluster: &Cluster,
    kind: &str,
    documents: Vec<(String, String)>,
    later: Vec<(String, String)>,
    batch: u64,
) {
    let index = cluster
        .create(
            "logs",
            3,
            json!({"properties": {"@timestamp": {"type": kind}}}),
        )
        .await;
    load(cluster, &index, &documents).await;
    let world = World::reading(cluster.url(), &index).raw("batch_size", &batch.to_string());
    let first = world.once().await.unwrap();
    assert_eq!(first.documents, documents.len() as u64);
    assert_eq!(first.left, Some((0, 0)));
    assert_eq!(
        world.published_once().await,
        0,
        "a second run has nothing to do"
    );
    load(cluster, &index, &later).await;
    assert_eq!(world.published_once().await, later.len() as u64);
    assert_eq!(world.published_once().await, 0);
    world.assert_holds_exactly(documents.into_iter().chain(later).map(|(id, _)| id));
}

for_each_cluster! {
    async fn seven_documents_per_millisecond_arrive_once(cluster) {
        let (first, later) = (documents(0..MANY, 7, 1_000_000), documents(MANY..MANY + 11, 7, 1_000_000));
        read_and_read_again(cluster, "date", first, later, 1_000).await;
    }

    async fn dense_nanoseconds_arrive_once(cluster) {
        let (first, later) = (documents(0..MANY, 7, 1), documents(MANY..MANY + 11, 7, 1));
        read_and_read_again(cluster, "date_nanos", first, later, 1_000).await;
    }

    async fn one_timestamp_for_all_arrives_once(cluster) {
        let (first, later) = (documents(0..5_000, 1_000_000, 1), documents(5_000..5_003, 1_000_000, 1));
        read_and_read_again(cluster, "date", first, later, 100).await;
    }

    async fn a_new_source_begins_at_its_start_and_then_goes_on(cluster) {
        let index = cluster.create("logs", 3, json!({"properties": {"@timestamp": {"type": "date_nanos"}}})).await;
        load(cluster, &index, &documents(0..100, 1, 1)).await;
        let key = |start| World::reading(cluster.url(), &index).key("start", start);
        assert_eq!(key("now").published_once().await, 0);
        let world = key("2026-01-01T00:00:00.000000040Z");
        assert_eq!(world.published_once().await, 60);
        load(cluster, &index, &documents(100..103, 1, 1)).await;
        assert_eq!(world.published_once().await, 3);
        world.assert_holds_exactly(ids(40..103));
    }

    async fn a_page_smaller_than_the_number_of_shards_grows(cluster) {
        let (first, later) = (documents(0..300, 1_000, 1), documents(300..302, 1_000, 1));
        read_and_read_again(cluster, "date", first, later, 2).await;
    }

    async fn late_documents_arrive_once_as_far_as_the_edge_reaches(cluster) {
        for (kind, step) in [("date", 1_000_000), ("date_nanos", 1)] {
            let index = cluster.create(kind, 3, json!({"properties": {"@timestamp": {"type": kind}}})).await;
            load(cluster, &index, &documents(100..3_000, 7, step * 1_000)).await;
            let mut world = World::reading(cluster.url(), &index).raw("batch_size", "100").key("overlap", "9000d");
            assert_eq!(world.published_once().await, 2_900);
            for (late, slices) in [(0..1, "1"), (1..50, "3"), (50..100, "2")] {
                world = world.raw("slices", slices);
                load(cluster, &index, &documents(late.clone(), 7, step * 1_000)).await;
                assert_eq!(world.published_once().await, late.count() as u64);
                assert_eq!(world.published_once().await, 0);
            }
            world.assert_holds_exactly(ids(0..3_000));
        }
    }

    async fn documents_later_than_the_overlap_are_reported(cluster) {
        let index = cluster.create("logs", 3, json!({"properties": {"@timestamp": {"type": "date"}}})).await;
        load(cluster, &index, &documents(100..1_000, 7, 1_000_000_000)).await;
        let world = World::reading(cluster.url(), &index);
        assert_eq!(world.published_once().await, 900);
        load(cluster, &index, &documents(40..43, 7, 1_000_000_000)).await;
        assert_eq!(world.published_once().await, 0);
        assert_eq!(world.state()["data"]["reading"]["missed"], 3);
        assert_eq!(world.published_once().await, 0);
        assert_eq!(world.state()["data"]["reading"]["missed"], 3, "they are reported once");
    }

    async fn documents_that_stand_for_several_are_read_once_and_none_is_missed(cluster) {
        for (overlap, later) in [("5m", 3), ("9000d", 40)] {
            let index = cluster.create(&format!("logs-{overlap}"), 3, json!({"properties": {"@timestamp": {"type": "date"}}})).await;
            let counting = |range: std::ops::Range<u64>| -> Vec<_> {
                let counting = |(id, source): (String, String)| (id, source.replacen('{', r#"{"_doc_count":9,"#, 1));
                documents(range, 7, 1_000_000_000).into_iter().map(counting).collect()
            };
            load(cluster, &index, &counting(40..1_000)).await;
            let world = World::reading(cluster.url(), &index).key("overlap", overlap);
            assert_eq!(world.published_once().await, 960);
            let asked = || cluster.mini.as_ref().map_or(0, |mini| mini.requests().iter().filter(|request| request.path.contains("_search")).count());
            let before = asked();
            assert_eq!(world.published_once().await, 0);
            assert!(asked() - before <= 2, "a quiet cycle reads again what it knows");
            load(cluster, &index, &counting(1_000..1_000 + later)).await;
            assert_eq!(world.published_once().await, later);
            assert_eq!(world.state()["data"]["reading"]["missed"], 0, "{overlap}");
            world.assert_holds_exactly(ids(40..1_000 + later));
        }
    }

    async fn slices_read_every_document_once_and_their_number_may_change(cluster) {
        let index = cluster.create("logs", 3, json!({"properties": {"@timestamp": {"type": "date"}}})).await;
        load(cluster, &index, &documents(0..20_000, 7, 1_000_000)).await;
        let mut world = World::reading(cluster.url(), &index);
        let mut there = 20_000;
        for slices in ["4", "3", "1", "2"] {
            world = world.raw("slices", slices).raw("batch_size", "500");
            let expected = if slices == "4" { 20_000 } else { 701 };
            assert_eq!(world.published_once().await, expected);
            load(cluster, &index, &documents(there..there + 701, 7, 1_000_000)).await;
            there += 701;
        }
        world.assert_holds_exactly(ids(0..there - 701));
    }

    async fn slices_keep_their_documents_when_segments_merge_and_an_index_joins(cluster) {
        let index = cluster.create("logs", 2, json!({"properties": {"@timestamp": {"type": "date"}}})).await;
        load(cluster, &index, &documents(0..3_000, 7, 1_000_000)).await;
        let pattern = format!("{index}*");
        let world = World::reading(cluster.url(), &pattern).raw("slices", "4").raw("batch_size", "100").limits("poll_pages = 5");
        let source = world.source().await.unwrap();
        let mut instance = source.open(source.clock.now_ms()).await.unwrap();
        for _ in 0..3 {
            instance.poll(source.clock.now_ms(), source.budget).await.unwrap();
        }
        instance.close().await.unwrap();
        drop((instance, source));
        cluster.call("POST", &format!("/{index}/_forcemerge?max_num_segments=1"), "").await;
        let second = format!("{index}-2");
        cluster.call("PUT", &format!("/{second}"), json!({"mappings": {"properties": {"@timestamp": {"type": "date"}}}}).to_string()).await.ok();
        load(cluster, &second, &documents(3_000..3_100, 7, 1_000_000)).await;
        world.published_once().await;
        assert_eq!(world.published_once().await, 0);
        world.assert_holds_exactly(ids(0..3_100));
    }

    async fn numbers_of_a_known_unit_are_read_like_dates(cluster) {
        for (unit, per_second) in [("s", 1), ("ms", 1_000), ("us", 1_000_000), ("ns", 1_000_000_000)] {
            let index = cluster.create(unit, 3, json!({"properties": {"at": {"type": "long"}}})).await;
            let document = |n: u64| {
                let at = FIRST_MS / 1_000 * per_second + (n / 7) as i64;
                (format!("d{n}"), format!(r#"{{"at":{at},"number":{n}}}"#))
            };
            let documents = |range: std::ops::Range<u64>| range.map(document).collect::<Vec<_>>();
            load(cluster, &index, &documents(10..1_000)).await;
            let world = World::reading(cluster.url(), &index).key("timestamp_field", "at").key("timestamp_unit", unit)
                .raw("batch_size", "100").key("overlap", "9000d");
            assert_eq!(world.published_once().await, 990);
            load(cluster, &index, &documents(1_000..1_011)).await;
            load(cluster, &index, &documents(0..10)).await;
            assert_eq!(world.published_once().await, 21, "{unit}");
            assert_eq!(world.published_once().await, 0);
            world.assert_holds_exactly(ids(0..1_011));
        }
    }

    async fn a_field_of_whole_numbers_breaks_ties_in_the_place_of_sequence_numbers(cluster) {
        let mapping = json!({"properties": {"@timestamp": {"type": "date"}, "number": {"type": "long"}}});
        let index = cluster.create("logs", 3, mapping).await;
        load(cluster, &index, &documents(0..1_000, 700, 1_000_000)).await;
        let world = World::reading(cluster.url(), &index).key("tiebreaker_field", "number").raw("batch_size", "50").raw("edge_max", "200");
        assert_eq!(world.published_once().await, 1_000);
        assert_eq!(world.published_once().await, 0);
        world.assert_holds_exactly(ids(0..1_000));
        // A new version with the old number is another message.
        load(cluster, &index, &[("d5".to_owned(), r#"{"@timestamp":"2026-02-01","number":5}"#.to_owned())]).await;
        assert_eq!(world.published_once().await, 1);
    }

    async fn a_group_larger_than_the_edge_arrives_once_and_a_surplus_is_an_error(cluster) {
        let index = cluster.create("logs", 3, json!({"properties": {"@timestamp": {"type": "date"}}})).await;
        load(cluster, &index, &documents(0..1_000, 1_000_000, 1)).await;
        let world = World::reading(cluster.url(), &index).raw("batch_size", "50").raw("edge_max", "200");
        assert_eq!(world.published_once().await, 1_000);
        assert_eq!(world.published_once().await, 0);
        load(cluster, &index, &documents(1_000..1_003, 1_000_000, 1)).await;
        let (failure, _) = world.once().await.unwrap_err();
        assert!(failure.to_string().contains("3 more documents appeared at 2026-01-01T00:00:00"), "{failure}");
        assert!(failure.to_string().contains("edge_max"), "{failure}");
        world.assert_holds_exactly(ids(0..1_000));
    }

    async fn several_segments_and_polls_arrive_once(cluster) {
        let index = cluster.create("logs", 3, json!({"properties": {"@timestamp": {"type": "date"}}})).await;
        load(cluster, &index, &documents(0..3_000, 7, 1_000_000)).await;
        let world = World::reading(cluster.url(), &index).raw("batch_size", "50").raw("edge_max", "300").limits("poll_pages = 3");
        let summary = world.once().await.unwrap();
        assert_eq!(summary.documents, 3_000);
        assert!(summary.polls >= 20, "{} polls", summary.polls);
        world.assert_holds_exactly(ids(0..3_000));
    }

    async fn updates_and_deletions_between_cycles_do_not_disturb(cluster) {
        let index = cluster.create("logs", 3, json!({"properties": {"@timestamp": {"type": "date"}}})).await;
        load(cluster, &index, &documents(0..500, 7, 1_000_000)).await;
        let world = World::reading(cluster.url(), &index).raw("batch_size", "100");
        assert_eq!(world.published_once().await, 500);
        cluster.call("DELETE", &format!("/{index}/_doc/d499?refresh=true"), "").await.ok();
        load(cluster, &index, &[("d498".to_owned(), document(498, FIRST_MS * 1_000_000 + 71_000_000))]).await;
        assert_eq!(world.published_once().await, 1, "the new version of d498, and nothing else");
        assert_eq!(world.published_once().await, 0);
    }

    async fn every_kind_of_date_is_read_by_its_sort_value(cluster) {
        let rows = [
            ("@timestamp", json!({"type": "date"}), r#"{"@timestamp":1767225600000}"#),
            ("@timestamp", json!({"type": "date", "format": "epoch_second"}), r#"{"@timestamp":1767225600}"#),
            ("@timestamp", json!({"type": "date", "format": "dd/MM/yyyy HH:mm:ss"}), r#"{"@timestamp":"01/01/2026 00:00:00"}"#),
            ("@timestamp", json!({"type": "date_nanos"}), r#"{"@timestamp":"2026-01-01T00:00:00.123456789Z"}"#),
            ("event.created", json!({"type": "date"}), r#"{"event":{"created":"2026-01-01T00:00:00Z"}}"#),
        ];
        for (row, (field, format, source)) in rows.into_iter().enumerate() {
            let index = cluster.create(&format!("dates-{row}"), 2, json!({"properties": mapping(field, &format)})).await;
            let documents: Vec<_> = ids(0..250).map(|id| (id, source.to_owned())).collect();
            load(cluster, &index, &documents).await;
            let world = World::reading(cluster.url(), &index).key("timestamp_field", field).raw("batch_size", "100");
            assert_eq!(world.published_once().await, 250, "{format}");
            assert_eq!(world.published_once().await, 0, "{format}");
            world.assert_holds_exactly(ids(0..250));
        }
    }

    async fn documents_without_the_field_are_counted_and_never_repeated(cluster) {
        let index = cluster.create("logs", 2, json!({"properties": {"@timestamp": {"type": "date"}}})).await;
        let without: Vec<_> = (500..600).map(|n| (format!("d{n}"), r#"{"number":1}"#.to_owned())).collect();
        load(cluster, &index, &without).await;
        load(cluster, &index, &documents(0..500, 7, 1_000_000)).await;
        let world = World::reading(cluster.url(), &index).raw("batch_size", "100");
        let summary = world.once().await.unwrap();
        assert_eq!((summary.documents, summary.left), (500, Some((0, 100))));
        assert_eq!(world.published_once().await, 0);
    }

    async fn documents_of_the_future_wait(cluster) {
        let index = cluster.create("logs", 2, json!({"properties": {"@timestamp": {"type": "date"}}})).await;
        let future = Clock::system().now().timestamp_nanos_opt().unwrap() + 3_600_000_000_000;
        load(cluster, &index, &[("future".to_owned(), document(0, future))]).await;
        load(cluster, &index, &documents(0..10, 7, 1_000_000)).await;
        let summary = World::reading(cluster.url(), &index).once().await.unwrap();
        assert_eq!((summary.documents, summary.left), (10, Some((1, 0))));
    }

    async fn payloads_are_the_bytes_that_were_indexed(cluster) {
        let index = cluster.create("logs", 1, json!({"properties": {"@timestamp": {"type": "date"}, "big": {"type": "object", "enabled": false}}})).await;
        let source = r#"{"z": 1,"@timestamp":"2026-01-01T00:00:00Z", "big":{"n":123456789012345678901234567890,"f":0.10,"e":1E5},"a":"\u00e9 \/"}"#;
        load(cluster, &index, &[("one".to_owned(), source.to_owned())]).await;
        let world = World::reading(cluster.url(), &index);
        assert_eq!(world.published_once().await, 1);
        let line = &world.delivered()[0].line;
        assert!(line.ends_with(&format!("\"payload\":{source}}}")), "{line}");
        assert!(line.contains(&format!("\"_index\":\"{index}\"")) && line.contains("\"_id\":\"one\""), "{line}");
    }

    async fn several_indices_with_the_same_ids_and_mixed_dates_arrive_once(cluster) {
        for (suffix, kind) in [("a", "date"), ("b", "date_nanos")] {
            let index = cluster.create(suffix, 2, json!({"properties": {"@timestamp": {"type": kind}}})).await;
            load(cluster, &index, &documents(0..1_000, 7, 1_000_000)).await;
        }
        let world = World::reading(cluster.url(), &cluster.name("*")).raw("batch_size", "100");
        assert_eq!(world.published_once().await, 2_000);
        assert_eq!(world.published_once().await, 0);
        let lines: std::collections::BTreeSet<_> = world.delivered().into_iter().map(|message| message.id).collect();
        assert_eq!(lines.len(), 2_000);
    }
}
