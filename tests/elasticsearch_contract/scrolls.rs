//! Scrolls: read to the end, cleared, gone.

use serde_json::{Value, json};

use super::reader::{hits, ids, load};
use crate::support::servers::{Cluster, for_each_cluster};

async fn index(cluster: &Cluster) -> String {
    let index = cluster
        .create("scroll", 3, json!({"properties": {"at": {"type": "date"}}}))
        .await;
    load(
        cluster,
        &index,
        (0..50).map(|n| (format!("d{n}"), r#"{"at":"2026-01-01"}"#.into())),
    )
    .await;
    index
}

async fn start(cluster: &Cluster, index: &str, sort: Value) -> Value {
    let body = json!({"size": 7, "sort": sort}).to_string();
    cluster
        .call("POST", &format!("/{index}/_search?scroll=1m"), body)
        .await
        .ok()
}

async fn next(cluster: &Cluster, id: &Value) -> crate::support::servers::Answer {
    cluster
        .call(
            "POST",
            "/_search/scroll",
            json!({"scroll": "1m", "scroll_id": id}).to_string(),
        )
        .await
}

for_each_cluster! {
    async fn a_scroll_brings_every_document_once(cluster) {
        let index = index(cluster).await;
        for sort in [json!(["_doc"]), json!(["at"])] {
            let mut answer = start(cluster, &index, sort.clone()).await;
            load(cluster, &index, [("late".into(), "{}".into())]).await;
            let mut read: Vec<String> = Vec::new();
            while !hits(&answer).is_empty() {
                assert_eq!(answer["_shards"]["failed"], 0);
                read.extend(ids(&answer).into_iter().map(str::to_owned));
                assert!(read.len() <= 51, "pages overlap");
                answer = next(cluster, &answer["_scroll_id"]).await.ok();
            }
            read.retain(|id| id != "late");
            read.sort();
            read.dedup();
            assert_eq!(read.len(), 50, "{sort}");
        }
    }

    async fn a_cleared_scroll_is_gone(cluster) {
        let answer = start(cluster, &index(cluster).await, json!(["_doc"])).await;
        let id = &answer["_scroll_id"];
        let body = json!({"scroll_id": [id]}).to_string();
        let cleared = cluster.call("DELETE", "/_search/scroll", body.clone()).await.ok();
        assert_eq!(cleared, json!({"succeeded": true, "num_freed": 3}));
        assert_eq!(cluster.call("DELETE", "/_search/scroll", body).await.status, 404);
        let gone = next(cluster, id).await;
        assert_eq!(gone.cause(404), "search_context_missing_exception");
        assert_eq!(gone.json["error"]["type"], "search_phase_execution_exception");
        assert_eq!(next(cluster, &json!("garbage")).await.cause(400), "illegal_argument_exception");
    }

    async fn what_a_scroll_cannot_do_is_refused(cluster) {
        let path = format!("/{}/_search?scroll=1m", index(cluster).await);
        for body in [json!({"from": 1}), json!({"size": 0}), json!({"track_total_hits": false}), json!({"size": 10_001})] {
            assert_eq!(cluster.call("POST", &path, body.to_string()).await.status, 400, "{body}");
        }
    }
}
