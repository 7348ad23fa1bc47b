//! Indices that keep no sequence numbers.

use serde_json::{Value, json};

use super::reader::{hits, load, search};
use crate::support::servers::{Cluster, for_each_cluster};

const SETTING: &str = "index.disable_sequence_numbers";
const REFUSED: &str = "Cannot query field [_seq_no]: _seq_no cannot be queried when [index.disable_sequence_numbers] is [true]";

async fn unnumbered(cluster: &Cluster, name: &str) -> String {
    let settings = json!({"number_of_shards": 2, "number_of_replicas": 0, SETTING: true});
    let mappings = json!({"properties": {"at": {"type": "date"}, "n": {"type": "long"}}});
    let index = cluster.create_with(name, settings, mappings).await;
    load(
        cluster,
        &index,
        (1..4).map(|n| (n.to_string(), format!(r#"{{"at":0,"n":{n}}}"#))),
    )
    .await;
    index
}

fn reason(answer: &Value) -> &Value {
    &answer["error"]["root_cause"][0]["reason"]
}

for_each_cluster! {
    async fn only_some_servers_know_an_index_without_sequence_numbers(cluster) {
        let path = format!("/{}", cluster.name("unknown"));
        let create = |value: &str| cluster.call("PUT", &path, format!(r#"{{"settings":{{"{SETTING}":"{value}"}}}}"#));
        if cluster.knows_unnumbered().await {
            assert_eq!(create("maybe").await.cause(400), "illegal_argument_exception");
            create("false").await.ok();
            let settings = cluster.call("PUT", &format!("{path}/_settings"), format!(r#"{{"{SETTING}":true}}"#)).await;
            assert!(reason(&settings.json).as_str().unwrap().starts_with("Can't update non dynamic setting(s)"), "{}", settings.text);
            cluster.call("DELETE", &path, "").await.ok();
        } else {
            let reason = reason(&create("true").await.json).clone();
            assert!(reason.as_str().unwrap().starts_with(&format!("unknown setting [{SETTING}]")), "{reason}");
        }
    }

    async fn a_hit_without_sequence_numbers_shows_none(cluster) {
        if !cluster.knows_unnumbered().await {
            return;
        }
        let index = unnumbered(cluster, "shown").await;
        let body = json!({"seq_no_primary_term": true, "sort": ["at", "n"]});
        let answer = search(cluster, &format!("/{index}/_search"), body).await;
        let shown: Vec<_> = hits(&answer).iter().map(|hit| (&hit["_seq_no"], &hit["_primary_term"], &hit["sort"])).collect();
        let (none, zero) = (json!(-2), json!(0));
        let sorts = [json!([0, 1]), json!([0, 2]), json!([0, 3])];
        assert_eq!(shown, sorts.iter().map(|sort| (&none, &zero, sort)).collect::<Vec<_>>());
        let path = format!("/{index}/_doc/1");
        let got = cluster.call("GET", &path, "").await.ok();
        assert_eq!((got.get("_seq_no"), got.get("_primary_term"), &got["_version"]), (None, None, &json!(1)));
        let written = cluster.call("PUT", &path, "{}").await.ok();
        assert_eq!((&written["_seq_no"], &written["_primary_term"], &written["_version"]), (&none, &zero, &json!(2)));
        let conditional = cluster.call("PUT", &format!("{path}?if_seq_no=0&if_primary_term=1"), "{}").await;
        assert_eq!(conditional.cause(400), "o_c_c_not_supported_exception");
        let caps = cluster.call("GET", &format!("/{index}/_field_caps?fields=_seq_no"), "").await.ok();
        let caps = &caps["fields"]["_seq_no"]["_seq_no"];
        assert_eq!((&caps["searchable"], &caps["aggregatable"]), (&json!(false), &json!(false)));
    }

    async fn nothing_is_searched_or_sorted_by_sequence_numbers_that_are_not_there(cluster) {
        if !cluster.knows_unnumbered().await {
            return;
        }
        let none = unnumbered(cluster, "searched-a").await;
        let some = cluster.create("searched-b", 1, json!({"properties": {"at": {"type": "date"}}})).await;
        load(cluster, &some, [("1".into(), r#"{"at":0}"#.into())]).await;
        let rows = [
            (json!({"sort": ["at", "_seq_no"]}), "illegal_argument_exception"),
            (json!({"query": {"range": {"_seq_no": {"gte": 0}}}}), "query_shard_exception"),
            (json!({"aggs": {"a": {"max": {"field": "_seq_no"}}}}), "illegal_argument_exception"),
        ];
        for (body, kind) in rows {
            let answer = cluster.call("POST", &format!("/{none}/_search"), body.to_string()).await;
            assert_eq!(answer.cause(400), kind, "{body}");
            assert!(reason(&answer.json).as_str().unwrap().ends_with(REFUSED), "{}", answer.text);
            let both = format!("/{none},{some}/_search");
            let answer = cluster.call("POST", &both, body.to_string()).await.ok();
            assert_eq!((&answer["_shards"]["failed"], &answer["hits"]["total"]["value"]), (&json!(2), &json!(1)), "{body}");
            let answer = cluster.call("POST", &format!("{both}?allow_partial_search_results=false"), body.to_string()).await;
            assert!(answer.status >= 400 && answer.text.contains(REFUSED), "{}", answer.text);
        }
        let exists = json!({"query": {"exists": {"field": "_seq_no"}}});
        assert_eq!(search(cluster, &format!("/{none}/_search"), exists).await["hits"]["total"]["value"], 0);
        let caps = cluster.call("GET", &format!("/{none},{some}/_field_caps?fields=_seq_no"), "").await.ok();
        assert_eq!(caps["fields"]["_seq_no"]["_seq_no"]["non_aggregatable_indices"], json!([none]));
    }

    async fn what_is_missing_sorts_last_among_whole_numbers_of_every_kind(cluster) {
        for kind in ["long", "integer", "short", "byte"] {
            let index = cluster.create(&format!("kinds-{kind}"), 1, json!({"properties": {"at": {"type": "date"}, "n": {"type": kind}}})).await;
            load(cluster, &index, [("1".into(), r#"{"at":0,"n":1}"#.into()), ("2".into(), r#"{"at":0}"#.into())]).await;
        }
        let unmapped = cluster.create("kinds-none", 1, json!({"properties": {"at": {"type": "date"}}, "dynamic": false})).await;
        load(cluster, &unmapped, [("1".into(), r#"{"at":0,"n":1}"#.into())]).await;
        let sort = json!(["at", {"n": {"order": "asc", "unmapped_type": "long", "numeric_type": "long"}}]);
        let path = format!("/{}/_search", cluster.name("kinds-*"));
        let of = |after: Value| json!({"size": 20, "sort": sort, "search_after": after});
        for (after, numbers, missing) in [(json!([0, i64::MIN]), 4, 5), (json!([0, 5_000_000_000_i64]), 0, 5), (json!([0, i64::MAX - 1]), 0, 5)] {
            let answer = search(cluster, &path, of(after.clone())).await;
            let found: Vec<_> = hits(&answer).iter().map(|hit| hit["sort"][1].as_i64().unwrap()).collect();
            assert_eq!(found, [vec![1; numbers], vec![i64::MAX; missing]].concat(), "{after}");
        }
    }

    async fn a_field_that_is_no_whole_number_with_doc_values_can_not_be_sorted_by(cluster) {
        let properties = json!({"k": {"type": "keyword"}, "t": {"type": "text"}, "n": {"type": "long", "doc_values": false}});
        let index = cluster.create("unsortable", 1, json!({"properties": properties})).await;
        load(cluster, &index, [("1".into(), r#"{"k":"a","t":"a","n":1}"#.into())]).await;
        for field in ["k", "t", "n"] {
            let body = json!({"sort": [{field: {"order": "asc", "unmapped_type": "long", "numeric_type": "long"}}]});
            let answer = cluster.call("POST", &format!("/{index}/_search"), body.to_string()).await;
            assert_eq!(answer.status, 400, "{field}: {}", answer.text);
        }
        let caps = cluster.call("GET", &format!("/{index}/_field_caps?fields=n,k"), "").await.ok();
        assert_eq!(caps["fields"]["n"]["long"]["aggregatable"], false);
        assert_eq!(caps["fields"]["k"]["keyword"]["aggregatable"], true);
    }
}
