//! Points in time: snapshots with an id, opened and closed in each product's own way.

use std::collections::BTreeSet;

use elasticsearch_source::mini_elasticsearch::Product;
use serde_json::json;

use super::reader::{close_pit, hits, load, open_pit, search};
use crate::support::servers::{Cluster, for_each_cluster};

async fn three(cluster: &Cluster, shards: usize) -> String {
    let index = cluster
        .create(
            "pit",
            shards,
            json!({"properties": {"at": {"type": "date"}}}),
        )
        .await;
    load(
        cluster,
        &index,
        (0..3).map(|n| (n.to_string(), r#"{"at":"2026-01-01"}"#.into())),
    )
    .await;
    index
}

for_each_cluster! {
    async fn a_point_in_time_does_not_see_what_comes_later(cluster) {
        let index = three(cluster, 3).await;
        let pit = open_pit(cluster, &index).await;
        load(cluster, &index, [("0".into(), r#"{"at":"2026-02-02"}"#.into()), ("9".into(), "{}".into())]).await;
        cluster.call("DELETE", &format!("/{index}/_doc/1?refresh=true"), "").await.ok();
        let answer = search(cluster, "/_search", json!({"pit": {"id": pit, "keep_alive": "1m"}, "sort": ["at"]})).await;
        assert_eq!(answer["hits"]["total"], json!({"value": 3, "relation": "eq"}));
        assert!(hits(&answer).iter().all(|hit| hit["_source"] == json!({"at": "2026-01-01"})));
        assert!(answer["pit_id"].is_string());
        let answer = search(cluster, &format!("/{index}/_search"), json!({})).await;
        assert_eq!(answer["hits"]["total"]["value"], 3);
    }

    async fn the_implicit_tiebreaker_is_elasticsearch_only(cluster) {
        let index = three(cluster, 1).await;
        let pit = open_pit(cluster, &index).await;
        let body = |after: serde_json::Value| {
            let mut body = json!({"size": 1, "pit": {"id": pit}, "sort": ["at", "_seq_no"]});
            if !after.is_null() {
                body["search_after"] = after;
            }
            body
        };
        let first = search(cluster, "/_search", body(json!(null))).await;
        let sort = hits(&first)[0]["sort"].as_array().unwrap();
        let with_three = body(json!([sort[0], sort[1], 0]));
        match cluster.product {
            Product::Elasticsearch => {
                assert_eq!(sort.len(), 3);
                let next = search(cluster, "/_search", with_three).await;
                assert_eq!(hits(&next)[0]["sort"].as_array().unwrap().len(), 3);
            }
            Product::OpenSearch => {
                assert_eq!(sort.len(), 2);
                let next = cluster.call("POST", "/_search", with_three.to_string()).await;
                assert_eq!(next.cause(400), "illegal_argument_exception");
            }
        }
        let next = search(cluster, "/_search", body(json!([sort[0], sort[1]]))).await;
        assert_eq!(hits(&next)[0]["sort"].as_array().unwrap().len(), 2);
        assert_eq!(hits(&next)[0]["_id"], "1");
    }

    async fn a_non_unique_sort_is_exact_in_elasticsearch_only(cluster) {
        let index = cluster.create("ties", 3, json!({"properties": {"at": {"type": "date"}}})).await;
        load(cluster, &index, (0..60).map(|n| (n.to_string(), r#"{"at":"2026-01-01"}"#.into()))).await;
        let pit = open_pit(cluster, &index).await;
        let (mut read, mut after) = (0, json!(null));
        loop {
            let mut body = json!({"size": 7, "pit": {"id": pit}, "sort": ["at"]});
            if !after.is_null() {
                body["search_after"] = after;
            }
            let answer = search(cluster, "/_search", body).await;
            let Some(last) = hits(&answer).last() else { break };
            read += hits(&answer).len();
            assert!(read <= 60, "pages overlap");
            after = last["sort"].clone();
        }
        assert_eq!(read, if cluster.product == Product::Elasticsearch { 60 } else { 7 });
    }

    async fn a_closed_point_in_time_is_gone(cluster) {
        let index = three(cluster, 1).await;
        let pit = open_pit(cluster, &index).await;
        let closed = close_pit(cluster, &pit).await.ok();
        match cluster.product {
            Product::Elasticsearch => assert_eq!(closed, json!({"succeeded": true, "num_freed": 1})),
            Product::OpenSearch => assert_eq!(closed, json!({"pits": [{"successful": true, "pit_id": pit}]})),
        }
        let body = json!({"pit": {"id": pit, "keep_alive": "1m"}, "sort": ["at"]});
        let answer = cluster.call("POST", "/_search?allow_partial_search_results=false", body.to_string()).await;
        assert_eq!(answer.cause(404), "search_context_missing_exception");
        assert_eq!(answer.json["error"]["type"], "search_phase_execution_exception");
        let again = close_pit(cluster, &pit).await;
        match cluster.product {
            Product::Elasticsearch => assert_eq!((again.status, again.json["num_freed"].as_i64()), (404, Some(0))),
            Product::OpenSearch => assert_eq!(again.status, 200),
        }
    }

    async fn a_malformed_id_is_an_argument_error(cluster) {
        let answer = cluster.call("POST", "/_search", json!({"pit": {"id": "garbage"}}).to_string()).await;
        assert_eq!(answer.cause(400), "illegal_argument_exception");
        assert_eq!(close_pit(cluster, "garbage").await.cause(400), "illegal_argument_exception");
    }

    async fn the_other_products_way_to_open_is_unknown(cluster) {
        let index = three(cluster, 1).await;
        let other = match cluster.product {
            Product::Elasticsearch => "_search/point_in_time",
            Product::OpenSearch => "_pit",
        };
        let answer = cluster.call("POST", &format!("/{index}/{other}?keep_alive=1m"), "").await;
        assert_eq!(answer.status, 400);
        // Elasticsearch 7 takes the path for that of a type.
        let reasons = ["no handler found", "request body is required"];
        assert!(reasons.iter().any(|reason| answer.text.contains(reason)), "{}", answer.text);
    }

    async fn a_point_in_time_needs_a_keep_alive_and_an_index(cluster) {
        let (path, index) = match cluster.product {
            Product::Elasticsearch => ("_pit", three(cluster, 1).await),
            Product::OpenSearch => ("_search/point_in_time", three(cluster, 1).await),
        };
        let answer = cluster.call("POST", &format!("/{index}/{path}"), "").await;
        // 500 in Elasticsearch 7.
        assert!(answer.status >= 400 && answer.text.contains("keep"), "{}", answer.text);
        let missing = cluster.name("missing");
        let answer = cluster.call("POST", &format!("/{missing}/{path}?keep_alive=1m"), "").await;
        assert_eq!(answer.cause(404), "index_not_found_exception");
        let empty = cluster.call("POST", &format!("/{missing}*/{path}?keep_alive=1m"), "").await;
        assert_eq!(empty.status, if cluster.product == Product::Elasticsearch { 200 } else { 400 });
    }

    async fn an_index_in_the_path_and_a_point_in_time_do_not_go_together(cluster) {
        let index = three(cluster, 1).await;
        let body = json!({"pit": {"id": open_pit(cluster, &index).await}}).to_string();
        for path in [format!("/{index}/_search"), "/_search?ignore_unavailable=true".to_owned()] {
            let answer = cluster.call("POST", &path, body.clone()).await;
            assert_eq!(answer.cause(400), "action_request_validation_exception", "{path}");
        }
    }

    async fn parts_of_the_shards_are_parts_of_the_documents_that_stay_as_they_are(cluster) {
        let index = cluster.create("pit", 3, json!({"properties": {"at": {"type": "date"}}})).await;
        let document = |n: i64| (n.to_string(), format!(r#"{{"at":{}}}"#, n / 3 * 1_000));
        load(cluster, &index, (0..600).map(document)).await;
        let pattern = format!("{index}*");
        let before = parts(cluster, &pattern).await;
        assert_eq!(before.iter().map(BTreeSet::len).sum::<usize>(), 600);
        assert_eq!(before.iter().flatten().collect::<BTreeSet<_>>().len(), 600);
        // No more documents in there, but other segments, and an index with more shards.
        cluster.call("POST", &format!("/{index}/_forcemerge?max_num_segments=1"), "").await;
        let second = cluster.create("pit-2", 5, json!({"properties": {"at": {"type": "date"}}})).await;
        load(cluster, &second, (600..700).map(document)).await;
        let after = parts(cluster, &pattern).await;
        assert!(before.iter().zip(&after).all(|(before, after)| before.is_subset(after)));
        assert_eq!(after.iter().map(BTreeSet::len).sum::<usize>(), 700);
        assert_eq!(after.iter().flatten().collect::<BTreeSet<_>>().len(), 700);
    }

    async fn filters_count_dates_of_every_kind(cluster) {
        for kind in ["date", "date_nanos"] {
            let index = cluster.create(kind, 3, json!({"properties": {"at": {"type": kind}}})).await;
            load(cluster, &index, (0..30).map(|n| (n.to_string(), format!(r#"{{"at":"1970-01-01T00:00:{n:02}Z"}}"#)))).await;
            let within = |from: &str, to: &str| json!({"range": {"at": {"gte": from, "lt": to, "format": "strict_date_optional_time_nanos"}}});
            let filters = json!({"-1": within("1970-01-01T00:00:05Z", "1970-01-01T00:00:12Z"), "7": within("1971-01-01T00:00:00Z", "1972-01-01T00:00:00Z")});
            let body = json!({"size": 0, "query": within("1970-01-01T00:00:10Z", "1980-01-01T00:00:00Z"), "aggs": {"m": {"filters": {"filters": filters}}}});
            let answer = search(cluster, &format!("/{index}/_search"), body).await;
            let buckets = &answer["aggregations"]["m"]["buckets"];
            assert_eq!(*buckets, json!({"-1": {"doc_count": 2}, "7": {"doc_count": 0}}));
        }
    }
}

/// The ids in every third of the shards, counted and returned alike, in a point in time and not.
async fn parts(cluster: &Cluster, pattern: &str) -> Vec<BTreeSet<String>> {
    let mut parts = Vec::new();
    for part in 0..3 {
        let shards: Vec<_> = (part..1_024)
            .step_by(3)
            .map(|shard: u32| shard.to_string())
            .collect();
        let preference = format!("preference=_shards:{}", shards.join(","));
        let path = match cluster.product {
            Product::Elasticsearch => "_pit",
            Product::OpenSearch => "_search/point_in_time",
        };
        let opened = cluster
            .call(
                "POST",
                &format!("/{pattern}/{path}?keep_alive=1m&{preference}"),
                "",
            )
            .await
            .ok();
        let pit = opened.get("id").or(opened.get("pit_id")).unwrap().clone();
        let body = json!({"size": 1_000, "pit": {"id": pit}, "sort": ["at", "_seq_no"]});
        let answer = search(cluster, "/_search", body).await;
        let ids = hits(&answer)
            .iter()
            .map(|hit| hit["_id"].as_str().unwrap().to_owned());
        let ids: BTreeSet<_> = ids.collect();
        assert_eq!(answer["hits"]["total"]["value"], ids.len());
        let none = json!({"size": 0}).to_string();
        let plain = cluster
            .call("POST", &format!("/{pattern}/_search?{preference}"), none)
            .await
            .ok();
        assert_eq!(plain["hits"]["total"]["value"], ids.len());
        let all = json!({"query": {"match_all": {}}}).to_string();
        let counted = cluster
            .call("POST", &format!("/{pattern}/_count?{preference}"), all)
            .await
            .ok();
        assert_eq!(counted["count"], ids.len());
        parts.push(ids);
    }
    parts
}
