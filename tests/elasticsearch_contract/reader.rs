//! Steps that several cases share: bulk loads, points in time, and reading to the end.

use std::collections::HashSet;

use elasticsearch_source::mini_elasticsearch::Product;
use serde_json::{Value, json};

use crate::support::servers::Cluster;

/// Writes documents `(id, source)` and makes them visible.
pub(super) async fn load(
    cluster: &Cluster,
    index: &str,
    documents: impl IntoIterator<Item = (String, String)>,
) {
    let lines: String = documents
        .into_iter()
        .map(|(id, source)| format!("{}\n{source}\n", json!({"index": {"_id": id}})))
        .collect();
    let answer = cluster
        .call("POST", &format!("/{index}/_bulk?refresh=true"), lines)
        .await
        .ok();
    assert_eq!(answer["errors"], false, "{answer}");
}

/// Opens a point in time over an expression and returns its id.
pub(super) async fn open_pit(cluster: &Cluster, index: &str) -> String {
    let (path, key) = match cluster.product {
        Product::Elasticsearch => ("_pit", "id"),
        Product::OpenSearch => ("_search/point_in_time", "pit_id"),
    };
    let answer = cluster
        .call("POST", &format!("/{index}/{path}?keep_alive=1m"), "")
        .await
        .ok();
    answer[key].as_str().expect("an id").to_owned()
}

/// Closes a point in time.
pub(super) async fn close_pit(cluster: &Cluster, id: &str) -> crate::support::servers::Answer {
    match cluster.product {
        Product::Elasticsearch => {
            cluster
                .call("DELETE", "/_pit", json!({"id": id}).to_string())
                .await
        }
        Product::OpenSearch => {
            cluster
                .call(
                    "DELETE",
                    "/_search/point_in_time",
                    json!({"pit_id": [id]}).to_string(),
                )
                .await
        }
    }
}

/// A search that must be whole.
pub(super) async fn search(cluster: &Cluster, path: &str, body: Value) -> Value {
    let answer = cluster
        .call(
            "POST",
            &format!("{path}?allow_partial_search_results=false"),
            body.to_string(),
        )
        .await
        .ok();
    assert_eq!(answer["_shards"]["failed"], 0, "{answer}");
    assert_eq!(answer["timed_out"], false, "{answer}");
    answer
}

pub(super) fn hits(answer: &Value) -> &Vec<Value> {
    answer["hits"]["hits"].as_array().expect("hits")
}

/// The ids of an answer's hits, in order.
pub(super) fn ids(answer: &Value) -> Vec<&str> {
    hits(answer)
        .iter()
        .map(|hit| hit["_id"].as_str().expect("an id"))
        .collect()
}

/// The ids that a query finds in an index, in the order of their ids.
pub(super) async fn found(cluster: &Cluster, index: &str, query: Value) -> Vec<String> {
    let answer = search(
        cluster,
        &format!("/{index}/_search"),
        json!({"size": 100, "query": query}),
    )
    .await;
    let mut ids: Vec<String> = ids(&answer).into_iter().map(str::to_owned).collect();
    ids.sort();
    ids
}

/// Reads a point in time to its end as the connector does: the edge of a page is
/// inclusive, so that the next one begins at the last (timestamp, seq_no) again, and
/// what was seen is dropped. Returns `index/id` of what was found, in order.
pub(super) async fn read_inclusive(
    cluster: &Cluster,
    pit: &str,
    timestamp: Value,
    size: usize,
) -> Vec<String> {
    let (mut seen, mut order) = (HashSet::new(), Vec::new());
    let mut after = Value::Null;
    loop {
        let sort = json!([timestamp, {"_seq_no": {"order": "asc"}}]);
        let mut body = json!({"size": size, "pit": {"id": pit, "keep_alive": "1m"}, "sort": sort});
        if !after.is_null() {
            body["search_after"] = after;
        }
        let answer = search(cluster, "/_search", body).await;
        let page = hits(&answer).iter().map(|hit| {
            format!(
                "{}/{}",
                hit["_index"].as_str().unwrap(),
                hit["_id"].as_str().unwrap()
            )
        });
        let new: Vec<String> = page.filter(|name| seen.insert(name.clone())).collect();
        let Some(last) = hits(&answer).last().filter(|_| !new.is_empty()) else {
            return order;
        };
        after = json!([last["sort"][0], last["sort"][1].as_i64().unwrap() - 1]);
        order.extend(new);
    }
}
