//! Writing, conditional writing, and getting the same bytes back.

use serde_json::json;

use super::reader::{found, hits, load, search};
use crate::support::servers::for_each_cluster;

/// Order of keys, forms of numbers, escapes and blanks that a parser would lose.
const ODD: &str = r#"{ "z" :  1.50e3,"a":-0.0 , "big":12345678901234567890, "u":"\u00e9\/é", "n":null,"e":{},"l":[ ]  ,"f":1E+2 }"#;

for_each_cluster! {
    async fn a_source_comes_back_byte_for_byte(cluster) {
        let index = cluster.create("bytes", 1, json!({"dynamic": false})).await;
        cluster.call("PUT", &format!("/{index}/_doc/1"), format!("{ODD}  ")).await.ok();
        load(cluster, &index, [("2".into(), ODD.into())]).await;
        let answer = cluster.call("POST", &format!("/{index}/_search"), r#"{"sort":["_seq_no"]}"#).await;
        assert!(answer.text.contains(&format!(r#""_id":"1","_score":null,"_source":{ODD}  ,"sort":[0]"#)), "{}", answer.text);
        assert!(answer.text.contains(&format!(r#""_id":"2","_score":null,"_source":{ODD},"sort":[1]"#)), "{}", answer.text);
        let answer = cluster.call("GET", &format!("/{index}/_doc/2"), "").await;
        assert!(answer.text.contains(&format!(r#""_source":{ODD}}}"#)), "{}", answer.text);
        let answer = cluster.call("GET", &format!("/{index}/_doc/2?_source=false"), "").await.ok();
        assert_eq!((&answer["_seq_no"], answer.get("_source")), (&json!(1), None));
    }

    async fn an_update_has_a_new_sequence_number_and_version(cluster) {
        let index = cluster.create("update", 1, json!({})).await;
        let path = format!("/{index}/_doc/1");
        let first = cluster.call("PUT", &path, r#"{"n":1}"#).await;
        assert_eq!((first.status, &first.json["result"]), (201, &json!("created")));
        let second = cluster.call("PUT", &path, r#"{"n":2}"#).await;
        assert_eq!((second.status, &second.json["result"]), (200, &json!("updated")));
        cluster.call("POST", &format!("/{index}/_refresh"), "").await.ok();
        let body = json!({"seq_no_primary_term": true, "version": true});
        let answer = search(cluster, &format!("/{index}/_search"), body).await;
        let hit = &hits(&answer)[0];
        assert_eq!((&hit["_seq_no"], &hit["_primary_term"], &hit["_version"]), (&json!(1), &json!(1), &json!(2)));
        let deleted = cluster.call("DELETE", &path, "").await;
        assert_eq!((deleted.status, &deleted.json["_seq_no"]), (200, &json!(2)));
        assert_eq!(cluster.call("DELETE", &path, "").await.status, 404);
        assert_eq!(cluster.call("GET", &path, "").await.status, 404);
    }

    async fn a_write_is_visible_after_a_refresh(cluster) {
        if let Some(mini) = &cluster.mini {
            mini.set_manual_refresh(true);
        }
        // From the start: a refresh that is under way would not heed a later change.
        let settings = json!({"number_of_shards": 1, "number_of_replicas": 0, "refresh_interval": "-1"});
        let index = cluster.create_with("refresh", settings, json!({"properties": {"n": {"type": "long"}}})).await;
        cluster.call("PUT", &format!("/{index}/_doc/1"), r#"{"n":1}"#).await.ok();
        assert!(found(cluster, &index, json!({"match_all": {}})).await.is_empty());
        assert_eq!(cluster.call("GET", &format!("/{index}/_doc/1"), "").await.ok()["found"], true);
        cluster.call("POST", &format!("/{index}/_refresh"), "").await.ok();
        assert_eq!(found(cluster, &index, json!({"match_all": {}})).await, ["1"]);
        cluster.call("PUT", &format!("/{index}/_doc/2?refresh=true"), r#"{"n":1}"#).await.ok();
        assert_eq!(found(cluster, &index, json!({"match_all": {}})).await, ["1", "2"]);
    }

    async fn a_conditional_write_is_a_conflict_or_takes_effect(cluster) {
        let index = cluster.create("conditional", 1, json!({})).await;
        let path = format!("/{index}/_doc/1");
        cluster.call("PUT", &format!("/{index}/_create/1"), r#"{"n":1}"#).await.ok();
        for path in [format!("/{index}/_create/1"), format!("{path}?op_type=create"), format!("{path}?if_seq_no=7&if_primary_term=1"),
            format!("{path}?if_seq_no=0&if_primary_term=2"), format!("/{index}/_doc/nobody?if_seq_no=0&if_primary_term=1")] {
            let answer = cluster.call("PUT", &path, r#"{"n":2}"#).await;
            assert_eq!(answer.cause(409), "version_conflict_engine_exception", "{path}");
        }
        let written = cluster.call("PUT", &format!("{path}?if_seq_no=0&if_primary_term=1"), r#"{"n":3}"#).await.ok();
        assert_eq!(written["_seq_no"], 1);
        assert_eq!(cluster.call("DELETE", &format!("{path}?if_seq_no=0&if_primary_term=1"), "").await.status, 409);
    }

    async fn a_bulk_reports_every_item(cluster) {
        let index = cluster.create("bulk", 1, json!({"properties": {"at": {"type": "date"}}})).await;
        let lines = [r#"{"index":{"_id":"1"}}"#, r#"{"at":"2026-01-01"}"#, r#"{"create":{"_id":"1"}}"#, "{}", r#"{"index":{"_id":"2"}}"#,
            r#"{"at":"nonsense"}"#, r#"{"delete":{"_id":"nobody"}}"#, r#"{"index":{}}"#, "{}", ""];
        let answer = cluster.call("POST", &format!("/{index}/_bulk"), lines.join("\n")).await.ok();
        assert_eq!(answer["errors"], true);
        let items = answer["items"].as_array().unwrap();
        let status = |(n, action): (usize, &str)| items[n][action]["status"].as_u64().unwrap();
        assert_eq!([(0, "index"), (1, "create"), (2, "index"), (3, "delete"), (4, "index")].map(status), [201, 409, 400, 404, 201]);
        assert_eq!(items[1]["create"]["error"]["type"], "version_conflict_engine_exception");
        assert_eq!(cluster.call("POST", &format!("/{index}/_bulk"), r#"{"index":{}}"#).await.status, 400);
    }

    async fn routing_decides_about_the_shard_and_is_shown(cluster) {
        let index = cluster.create("routing", 3, json!({})).await;
        for n in 0..10 {
            cluster.call("PUT", &format!("/{index}/_doc/{n}?routing=same&refresh=true"), "{}").await.ok();
        }
        let answer = search(cluster, &format!("/{index}/_search"), json!({"seq_no_primary_term": true, "sort": ["_seq_no"]})).await;
        let seq_nos: Vec<i64> = hits(&answer).iter().map(|hit| hit["_seq_no"].as_i64().unwrap()).collect();
        assert_eq!(seq_nos, (0..10).collect::<Vec<_>>());
        assert_eq!(hits(&answer)[0]["_routing"], "same");
    }
}
