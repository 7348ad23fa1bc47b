//! Pages by timestamp and sequence number bring every document once.

use elasticsearch_source::mini_elasticsearch::Product;
use serde_json::{Value, json};

use super::reader::{hits, load, open_pit, read_inclusive, search};
use crate::support::servers::{Cluster, for_each_cluster};

const SHARDS: usize = 3;
const DOCUMENTS: usize = 700;

fn ascending(field: &str) -> Value {
    json!({field: {"order": "asc"}})
}

/// On OpenSearch a dense `date_nanos` needs this to be sorted rightly over shards.
fn ascending_nanos(cluster: &Cluster, field: &str) -> Value {
    match cluster.product {
        Product::Elasticsearch => ascending(field),
        Product::OpenSearch => json!({field: {"order": "asc", "missing": "_first"}}),
    }
}

async fn dated(cluster: &Cluster, mapping: &str, timestamp: impl Fn(usize) -> String) -> String {
    let index = cluster
        .create(
            "paging",
            SHARDS,
            json!({"properties": {"at": {"type": mapping}}}),
        )
        .await;
    let documents =
        (0..DOCUMENTS).map(|n| (format!("d{n}"), format!(r#"{{"at":"{}"}}"#, timestamp(n))));
    load(cluster, &index, documents).await;
    index
}

async fn reads_all(cluster: &Cluster, index: &str, timestamp: Value) {
    for size in [7, 100, 1_000] {
        let pit = open_pit(cluster, index).await;
        let mut read = read_inclusive(cluster, &pit, timestamp.clone(), size).await;
        read.sort();
        let mut all: Vec<String> = (0..DOCUMENTS).map(|n| format!("{index}/d{n}")).collect();
        all.sort();
        assert_eq!(read.len(), all.len(), "pages of {size}");
        assert_eq!(read, all, "pages of {size}");
    }
}

for_each_cluster! {
    async fn seven_documents_per_millisecond_are_all_read(cluster) {
        let index = dated(cluster, "date", |n| format!("2026-01-01T00:00:00.{:03}Z", n / 7)).await;
        reads_all(cluster, &index, ascending("at")).await;
    }

    async fn documents_of_one_timestamp_are_all_read(cluster) {
        let index = dated(cluster, "date", |_| "2026-01-01T00:00:00.000Z".into()).await;
        reads_all(cluster, &index, ascending("at")).await;
    }

    async fn dense_nanoseconds_are_all_read(cluster) {
        let index = dated(cluster, "date_nanos", |n| format!("2026-01-01T00:00:00.000{:06}Z", n / 2)).await;
        reads_all(cluster, &index, ascending_nanos(cluster, "at")).await;
    }

    async fn an_index_pair_of_date_and_date_nanos_is_read_in_one_order(cluster) {
        let pattern = cluster.name("pair*");
        for (name, mapping) in [("pair-a", "date"), ("pair-b", "date_nanos")] {
            let index = cluster.create(name, 2, json!({"properties": {"at": {"type": mapping}}})).await;
            let documents = (0..100).map(|n| (format!("d{n}"), format!(r#"{{"at":"2026-01-01T00:00:{:02}.5Z"}}"#, n / 4)));
            load(cluster, &index, documents).await;
        }
        for (numeric_type, unit) in [("date", 1), ("date_nanos", 1_000_000)] {
            let pit = open_pit(cluster, &pattern).await;
            let mut sort = ascending_nanos(cluster, "at");
            sort["at"]["numeric_type"] = numeric_type.into();
            assert_eq!(read_inclusive(cluster, &pit, sort.clone(), 30).await.len(), 200, "{numeric_type}");
            let body = json!({"size": 1_000, "pit": {"id": pit}, "sort": [sort]});
            let answer = search(cluster, "/_search", body).await;
            let values: Vec<i64> = hits(&answer).iter().map(|hit| hit["sort"][0].as_i64().unwrap()).collect();
            assert!(values.is_sorted());
            assert_eq!((values[0], values[199]), (1_767_225_600_500 * unit, 1_767_225_624_500 * unit));
        }
    }

    async fn sort_values_are_milliseconds_or_nanoseconds(cluster) {
        let mapping = json!({"properties": {"ms": {"type": "date"}, "ns": {"type": "date_nanos"}, "n": {"type": "long"}, "k": {"type": "keyword"}}});
        let index = cluster.create("values", 1, mapping).await;
        let source = r#"{"ms":"2026-01-01T00:00:00.123456789Z","ns":"2026-01-01T00:00:00.123456789Z","n":-5,"k":["b","a"]}"#;
        load(cluster, &index, [("1".into(), source.into()), ("2".into(), "{}".into())]).await;
        let body = json!({"sort": ["ms", "ns", "n", "k", "_seq_no"]});
        let answer = search(cluster, &format!("/{index}/_search"), body).await;
        assert_eq!(hits(&answer)[0]["sort"], json!([1_767_225_600_123_i64, 1_767_225_600_123_456_789_i64, -5, "a", 0]));
        assert_eq!(hits(&answer)[1]["sort"], json!([i64::MAX, i64::MAX, i64::MAX, null, 1]));
    }

    async fn several_dates_sort_by_the_smallest(cluster) {
        let index = cluster.create("several", 1, json!({"properties": {"at": {"type": "date"}}})).await;
        load(cluster, &index, [("1".into(), r#"{"at":["2026-01-03","2026-01-01"]}"#.into())]).await;
        let body = json!({"query": {"range": {"at": {"gte": "2026-01-02"}}}, "sort": ["at"]});
        let answer = search(cluster, &format!("/{index}/_search"), body).await;
        assert_eq!(hits(&answer)[0]["sort"], json!([1_767_225_600_000_i64]));
    }

    async fn several_dates_are_selected_by_a_range_that_one_of_them_lies_in(cluster) {
        let index = cluster.create("several", 1, json!({"properties": {"at": {"type": "date"}}})).await;
        load(cluster, &index, [("1".into(), r#"{"at":["2026-01-03","2026-01-01"]}"#.into())]).await;
        let range = |bounds: serde_json::Value| json!({"range": {"at": bounds}});
        let (since, before) = (range(json!({"gte": "2026-01-02"})), range(json!({"lt": "2026-01-03"})));
        for (query, expected) in [
            (range(json!({"gte": "2026-01-01", "lt": "2026-01-02"})), 1),
            (range(json!({"gte": "2026-01-02", "lt": "2026-01-03"})), 0),
            (range(json!({"gte": "2026-01-03", "lt": "2026-01-04"})), 1),
            (range(json!({"gte": "2026-01-03", "lt": "2026-01-03"})), 0),
            (json!({"bool": {"filter": [since, before]}}), 1),
        ] {
            let body = json!({"query": query});
            let answer = search(cluster, &format!("/{index}/_search"), body.clone()).await;
            assert_eq!(hits(&answer).len(), expected, "{body}");
        }
    }

    async fn numeric_type_date_nanos_refuses_a_match_before_1970(cluster) {
        let index = cluster.create("old", 1, json!({"properties": {"at": {"type": "date"}}})).await;
        load(cluster, &index, [("1".into(), r#"{"at":"1950-01-01"}"#.into()), ("2".into(), r#"{"at":"2026-01-01"}"#.into())]).await;
        let path = format!("/{index}/_search");
        let mut body = json!({"sort": [{"at": {"order": "asc", "numeric_type": "date_nanos"}}]});
        let answer = cluster.call("POST", &path, body.to_string()).await;
        assert_eq!(answer.cause(400), "illegal_argument_exception");
        body["query"] = json!({"range": {"at": {"gte": "1970-01-01"}}});
        assert_eq!(hits(&search(cluster, &path, body).await).len(), 1);
    }
}
