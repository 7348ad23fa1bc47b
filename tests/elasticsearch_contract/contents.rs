//! What a hit carries: parts of `_source`, and `fields` in its place.

use serde_json::{Value, json};

use super::reader::{hits, load, search};
use crate::support::servers::{Cluster, for_each_cluster};

async fn index(cluster: &Cluster) -> String {
    let mappings = json!({"properties": {
        "at": {"type": "date"}, "nanos": {"type": "date_nanos"}, "k": {"type": "keyword", "ignore_above": 3},
        "n": {"type": "long"}, "f": {"type": "double"}, "yes": {"type": "boolean"},
        "t": {"type": "text", "fields": {"raw": {"type": "keyword"}}}, "o": {"properties": {"k": {"type": "keyword"}}},
    }});
    cluster.create("contents", 1, mappings).await
}

/// The only hit of a search with these keys.
async fn hit(cluster: &Cluster, index: &str, keys: Value) -> Value {
    let answer = search(cluster, &format!("/{index}/_search"), keys).await;
    assert_eq!(hits(&answer).len(), 1);
    hits(&answer)[0].clone()
}

for_each_cluster! {
    async fn names_and_patterns_filter_the_source(cluster) {
        let index = index(cluster).await;
        let source = json!({"n": 1, "o": {"k": "a", "d": {"e": 3}}, "l": [{"k": 4, "x": 5}, {"x": 6}], "v": [1, 2], "ok": 7});
        load(cluster, &index, [("a".to_owned(), source.to_string())]).await;
        let cases = [
            (json!(true), source.clone()),
            (json!(false), json!(null)),
            (json!("n"), json!({"n": 1})),
            (json!(["n", "nowhere"]), json!({"n": 1})),
            (json!(["nowhere"]), json!({})),
            (json!(["o"]), json!({"o": {"k": "a", "d": {"e": 3}}})),
            (json!(["o.*"]), json!({"o": {"k": "a", "d": {"e": 3}}})),
            (json!(["o*"]), json!({"o": {"k": "a", "d": {"e": 3}}, "ok": 7})),
            (json!(["o.d.e", "v"]), json!({"o": {"d": {"e": 3}}, "v": [1, 2]})),
            (json!(["*.k"]), json!({"o": {"k": "a"}, "l": [{"k": 4}]})),
            (json!({"includes": ["o"], "excludes": ["o.d"]}), json!({"o": {"k": "a"}})),
            (json!({"excludes": ["o", "l", "v*"]}), json!({"n": 1, "ok": 7})),
            (json!({"includes": ["l"], "excludes": ["*.k"]}), json!({"l": [{"x": 5}, {"x": 6}]})),
        ];
        for (filter, expected) in cases {
            let hit = hit(cluster, &index, json!({"_source": filter})).await;
            assert_eq!(hit["_source"], expected, "{filter}");
        }
    }

    async fn fields_are_lists_of_values_as_they_are_mapped(cluster) {
        let index = index(cluster).await;
        let source = r#"{"at":1767225600000,"nanos":"2026-01-01T00:00:00.1234Z","k":["x","y","long"],"n":"5","f":0.5,"yes":true,"t":"A b","o":{"k":"z"}}"#;
        load(cluster, &index, [("a".to_owned(), source.to_owned())]).await;
        let cases = [
            (json!(["k", "n"]), json!({"k": ["x", "y"], "n": [5]})),
            (json!(["at", {"field": "nanos", "format": "strict_date_optional_time_nanos"}]), json!({"at": ["2026-01-01T00:00:00.000Z"], "nanos": ["2026-01-01T00:00:00.1234Z"]})),
            (json!([{"field": "at", "format": "epoch_millis"}]), json!({"at": ["1767225600000"]})),
            (json!(["f", "yes"]), json!({"f": [0.5], "yes": [true]})),
            (json!(["t*"]), json!({"t": ["A b"], "t.raw": ["A b"]})),
            (json!(["o.*"]), json!({"o.k": ["z"]})),
            (json!(["o", "nowhere"]), json!(null)),
        ];
        for (fields, expected) in cases {
            let hit = hit(cluster, &index, json!({"_source": false, "fields": fields})).await;
            assert_eq!(hit["fields"], expected, "{fields}");
            assert_eq!(hit["_source"], json!(null));
        }
    }

    async fn a_format_is_for_dates(cluster) {
        let index = index(cluster).await;
        load(cluster, &index, [("a".to_owned(), r#"{"k":"x"}"#.to_owned())]).await;
        let body = json!({"fields": [{"field": "k", "format": "epoch_millis"}]}).to_string();
        let answer = cluster.call("POST", &format!("/{index}/_search"), body).await;
        assert_eq!(answer.cause(400), "illegal_argument_exception");
    }
}
