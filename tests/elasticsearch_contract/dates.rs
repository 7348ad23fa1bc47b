//! Ranges over dates of every kind, with bounds in nanoseconds and in milliseconds.

use serde_json::{Value, json};

use super::reader::{found, load};
use crate::support::servers::{Cluster, for_each_cluster};

const NANOS: &str = "strict_date_optional_time_nanos";

/// Three documents, a millisecond apart, the first with nanoseconds; as whole seconds
/// where the format has no more.
async fn index(cluster: &Cluster) -> String {
    let mappings = json!({"properties": {
        "date": {"type": "date"},
        "nanos": {"type": "date_nanos"},
        "epoch": {"type": "date", "format": "epoch_second"},
        "custom": {"type": "date", "format": "dd/MM/yyyy HH:mm:ss"},
    }});
    let index = cluster.create("dates", 1, mappings).await;
    let document = |id: &str, fraction: &str, second: u64| {
        let at = format!("2026-01-01T00:00:00.{fraction}Z");
        let epoch = 1_767_225_600 + second;
        let source = json!({"date": at, "nanos": at, "epoch": epoch, "custom": format!("01/01/2026 00:00:{second:02}")});
        (id.to_owned(), source.to_string())
    };
    load(
        cluster,
        &index,
        [
            document("a", "123456789", 0),
            document("b", "124", 1),
            document("c", "125", 2),
        ],
    )
    .await;
    index
}

async fn check(cluster: &Cluster, field: &str, cases: &[(Value, &[&str])]) {
    let index = index(cluster).await;
    for (bounds, expected) in cases {
        let found = found(
            cluster,
            &index,
            json!({"bool": {"filter": [{"range": {field: bounds}}]}}),
        )
        .await;
        assert_eq!(&found, expected, "{field} {bounds}");
    }
}

for_each_cluster! {
    async fn a_range_over_dates_cuts_its_bounds_to_milliseconds(cluster) {
        check(cluster, "date", &[
            (json!({"gte": "2026-01-01T00:00:00.123999999Z", "format": NANOS}), &["a", "b", "c"]),
            (json!({"gt": "2026-01-01T00:00:00.123000000Z", "format": NANOS}), &["b", "c"]),
            (json!({"lt": "2026-01-01T00:00:00.124000001Z", "format": NANOS}), &["a"]),
            (json!({"gte": "2026-01-01T00:00:00.124000000Z", "lte": "2026-01-01T00:00:00.124Z", "format": NANOS}), &["b"]),
            (json!({"gte": 1_767_225_600_124_u64, "format": "epoch_millis"}), &["b", "c"]),
            (json!({"gte": "1767225600124", "lt": 1_767_225_600_125_u64}), &["b"]),
            (json!({"lt": "2026-01-01T01:00:00.124+01:00"}), &["a"]),
            (json!({"lt": "2025-12-31T22:30:00.124-01:30"}), &["a"]),
            (json!({"lte": "2026-01-01"}), &["a", "b", "c"]),
            (json!({"gte": "2025-12", "lt": "2026-01"}), &[]),
        ]).await;
    }

    async fn a_range_over_nanoseconds_is_exact(cluster) {
        check(cluster, "nanos", &[
            (json!({"gte": "2026-01-01T00:00:00.123456789Z", "format": NANOS}), &["a", "b", "c"]),
            (json!({"gt": "2026-01-01T00:00:00.123456789Z", "format": NANOS}), &["b", "c"]),
            (json!({"gte": "2026-01-01T00:00:00.123456790Z", "format": NANOS}), &["b", "c"]),
            (json!({"lt": "2026-01-01T00:00:00.123456789Z", "format": NANOS}), &[]),
            (json!({"lte": "2026-01-01T00:00:00.123Z", "format": NANOS}), &[]),
            (json!({"lte": 1_767_225_600_123_u64}), &["a"]),
            (json!({"gt": 1_767_225_600_123_u64}), &["b", "c"]),
            (json!({"lte": "2026-01-01T00:00:00Z"}), &["a", "b", "c"]),
        ]).await;
    }

    async fn a_range_over_epoch_seconds_takes_other_formats(cluster) {
        check(cluster, "epoch", &[
            (json!({"gte": "2026-01-01T00:00:00.000000001Z", "format": NANOS}), &["a", "b", "c"]),
            (json!({"gte": "2026-01-01T00:00:00.001000000Z", "format": NANOS}), &["b", "c"]),
            (json!({"lt": 1_767_225_601_000_u64, "format": "epoch_millis"}), &["a"]),
            (json!({"gte": "1767225602"}), &["c"]),
        ]).await;
    }

    async fn a_range_over_a_custom_format_takes_other_formats(cluster) {
        check(cluster, "custom", &[
            (json!({"gte": "2026-01-01T00:00:01.000000000Z", "format": NANOS}), &["b", "c"]),
            (json!({"lt": 1_767_225_601_000_u64, "format": "epoch_millis"}), &["a"]),
            (json!({"gt": "01/01/2026 00:00:01"}), &["c"]),
        ]).await;
        let path = format!("/{}/_search", cluster.name("dates"));
        let body = json!({"query": {"range": {"custom": {"gte": "2026-01-01T00:00:00Z"}}}});
        assert_eq!(cluster.call("POST", &path, body.to_string()).await.cause(400), "parse_exception");
    }

    async fn nanoseconds_end_in_1970_and_2262(cluster) {
        let path = format!("/{}/_search", index(cluster).await);
        for bounds in [json!({"gte": "1969-12-31T23:59:59Z"}), json!({"lt": "2300-01-01"})] {
            let body = json!({"query": {"range": {"nanos": bounds}}});
            assert_eq!(cluster.call("POST", &path, body.to_string()).await.cause(400), "illegal_argument_exception");
        }
    }

    async fn a_custom_format_sorts_and_pages_by_milliseconds(cluster) {
        let index = index(cluster).await;
        for field in ["epoch", "custom"] {
            let body = json!({"sort": [field], "search_after": [1_767_225_600_000_u64]});
            let answer = super::reader::search(cluster, &format!("/{index}/_search"), body).await;
            let values: Vec<_> = super::reader::hits(&answer).iter().map(|hit| &hit["sort"][0]).collect();
            assert_eq!(values, [1_767_225_601_000_u64, 1_767_225_602_000], "{field}");
        }
    }

    async fn a_date_is_recognised_without_a_mapping(cluster) {
        let index = cluster.create("dynamic", 1, json!({})).await;
        load(cluster, &index, [("1".into(), r#"{"o":{"at":"2026-01-01T00:00:00.5+01:00","n":1,"t":"x"}}"#.into())]).await;
        let answer = cluster.call("GET", &format!("/{index}/_mapping"), "").await.ok();
        let types = &answer[&index]["mappings"]["properties"]["o"]["properties"];
        assert_eq!((&types["at"]["type"], &types["n"]["type"], &types["t"]["type"]), (&json!("date"), &json!("long"), &json!("text")));
        assert_eq!(found(cluster, &index, json!({"range": {"o.at": {"lt": "2026-01-01"}}})).await, ["1"]);
    }
}
