//! Searches of some shards only: chosen by a search, or by the opening of a point in time.

use elasticsearch_source::mini_elasticsearch::Product;
use serde_json::{Value, json};

use super::reader::{hits, ids, load, search};
use crate::support::servers::{Cluster, for_each_cluster};

/// Sixty documents of six routing values in five shards.
async fn index(cluster: &Cluster) -> String {
    let index = cluster.create("routing", 5, json!({})).await;
    let line = |n: u32| {
        let head = json!({"index": {"_id": n.to_string(), "routing": format!("r{}", n % 6)}});
        format!("{head}\n{{}}\n")
    };
    let lines: String = (0..60).map(line).collect();
    let path = format!("/{index}/_bulk?refresh=true");
    let answer = cluster.call("POST", &path, lines).await.ok();
    assert_eq!(answer["errors"], false, "{answer}");
    index
}

/// The body of a search for everything.
fn all(pit: Option<&Value>) -> String {
    let mut body = json!({"size": 100, "sort": ["_doc"]});
    if let Some(id) = pit {
        body["pit"] = json!({"id": id});
    }
    body.to_string()
}

fn sorted(answer: &Value) -> Vec<&str> {
    let mut ids = ids(answer);
    ids.sort_unstable();
    ids
}

for_each_cluster! {
    async fn a_routing_asks_the_shards_of_its_values(cluster) {
        let index = index(cluster).await;
        for (routing, values, shards) in [("r1", vec![1], 1..=1), ("r1,r2,r3", vec![1, 2, 3], 2..=3)] {
            let chosen = format!("routing={routing}&preference=_local");
            let answer = cluster.call("POST", &format!("/{index}/_search?{chosen}"), all(None)).await.ok();
            let found = sorted(&answer);
            let mut of_values = (0..60).filter(|n| values.contains(&(n % 6))).map(|n| n.to_string());
            assert!(of_values.all(|id| found.contains(&&*id)) && found.len() < 60, "{found:?}");
            assert!(shards.contains(&answer["_shards"]["total"].as_i64().unwrap()), "{answer}");
            let count = cluster.call("POST", &format!("/{index}/_count?{chosen}"), "").await.ok();
            assert_eq!(count["count"], found.len());
        }
    }

    async fn a_hit_says_how_it_was_routed_whatever_is_asked_of_its_content(cluster) {
        let index = index(cluster).await;
        let put = format!("/{index}/_doc/unrouted?refresh=true");
        cluster.call("PUT", &put, "{}").await.ok();
        for content in [json!({}), json!({"_source": false}), json!({"_source": false, "fields": ["n"]})] {
            let mut body = json!({"size": 100, "sort": ["_doc"], "seq_no_primary_term": true});
            body.as_object_mut().unwrap().extend(content.as_object().unwrap().clone());
            let answer = cluster.call("POST", &format!("/{index}/_search"), body.to_string()).await.ok();
            let found = hits(&answer);
            assert_eq!(found.len(), 61, "{body}");
            for hit in found {
                let number = hit["_id"].as_str().unwrap().parse::<i64>();
                let routing = number.ok().map(|n| format!("r{}", n % 6));
                assert_eq!(hit.get("_routing").and_then(Value::as_str), routing.as_deref(), "{body}");
            }
        }
    }

    async fn a_point_in_time_keeps_to_the_shards_that_it_was_opened_for(cluster) {
        let index = index(cluster).await;
        let chosen = "routing=r1,r2&preference=_local";
        let answer = cluster.call("POST", &format!("/{index}/_search?{chosen}"), all(None)).await.ok();
        let (path, key) = match cluster.product {
            Product::Elasticsearch => ("_pit", "id"),
            Product::OpenSearch => ("_search/point_in_time", "pit_id"),
        };
        let path = format!("/{index}/{path}?keep_alive=1m&{chosen}");
        let pit = cluster.call("POST", &path, "").await.ok()[key].clone();
        let in_pit = cluster.call("POST", "/_search", all(Some(&pit))).await.ok();
        assert_eq!(sorted(&in_pit), sorted(&answer));
        for parameter in ["routing=r1", "preference=_local"] {
            let answer = cluster.call("POST", &format!("/_search?{parameter}"), all(Some(&pit))).await;
            assert_eq!(answer.cause(400), "action_request_validation_exception", "{parameter}");
        }
    }

    async fn a_hit_names_its_routing(cluster) {
        let index = index(cluster).await;
        let answer = search(cluster, &format!("/{index}/_search"), json!({"query": {"ids": {"values": ["7"]}}})).await;
        assert_eq!(hits(&answer)[0]["_routing"], "r1");
    }

    /// OpenSearch has none, and the server in this process refuses them alike.
    async fn runtime_mappings_are_known_to_elasticsearch_only(cluster) {
        let index = cluster.create("runtime", 1, json!({"dynamic": false})).await;
        load(cluster, &index, [("a".to_owned(), r#"{"parity":"odd"}"#.to_owned())]).await;
        let ask = async |kind: &str| {
            let body = json!({"size": 0, "query": {"term": {"parity": "odd"}}, "runtime_mappings": {"parity": {"type": kind}}});
            cluster.call("POST", &format!("/{index}/_search"), body.to_string()).await
        };
        if cluster.mini.is_none() && cluster.product == Product::Elasticsearch {
            assert_eq!(ask("keyword").await.ok()["hits"]["total"]["value"], 1);
            assert_eq!(ask("unknown").await.cause(400), "mapper_parsing_exception");
        } else {
            let refused = ask("keyword").await;
            assert_eq!(refused.cause(400), "parsing_exception");
            assert!(refused.text.contains("[runtime_mappings]"), "{}", refused.text);
        }
    }
}
