//! What a source selects: parts of documents, fields in their place, fields that the cluster
//! computes, and the shards of some routing values.

use std::collections::BTreeSet;

use elasticsearch_source::mini_elasticsearch::Product;
use serde_json::{Value, json};

use crate::support::servers::{Cluster, for_each_cluster};
use crate::support::world::World;

/// The first timestamp of all test documents.
const FIRST_MS: i64 = 1_767_225_600_000;

fn mapping() -> Value {
    json!({"dynamic": false, "properties": {"@timestamp": {"type": "date"}, "number": {"type": "long"}, "tags": {"type": "keyword"}, "user": {"properties": {"id": {"type": "keyword"}}}}})
}

/// Documents `dN`, seven with each timestamp, each in the shard of a routing value.
fn documents(range: std::ops::Range<i64>) -> Vec<(String, String, String)> {
    let document = |n: i64| {
        let at = FIRST_MS + n / 7;
        let parity = if n % 2 == 0 { "even" } else { "odd" };
        let source = format!(
            r#"{{"@timestamp": {at},"number":{n}, "user":{{"id":"u{n}","mail":"m"}},"tags":["x"],"parity":"{parity}"}}"#
        );
        (format!("d{n}"), routing_of(n), source)
    };
    range.map(document).collect()
}

fn routing_of(n: i64) -> String {
    format!("r{}", n % 6)
}

async fn load(cluster: &Cluster, index: &str, documents: &[(String, String, String)]) {
    let line = |(id, routing, source): &(String, String, String)| {
        format!(
            "{}\n{source}\n",
            json!({"index": {"_id": id, "routing": routing}})
        )
    };
    let lines: String = documents.iter().map(line).collect();
    let path = format!("/{index}/_bulk?refresh=true");
    let answer = cluster.call("POST", &path, lines).await.ok();
    assert_eq!(answer["errors"], false, "{answer}");
}

/// The payloads that were delivered, each as its bytes.
fn payloads(world: &World) -> Vec<String> {
    let payload = |line: &str| {
        let (_, rest) = line.split_once("\"payload\":").unwrap();
        rest.strip_suffix('}').unwrap().to_owned()
    };
    let delivered = world.delivered();
    delivered
        .iter()
        .map(|message| payload(&message.line))
        .collect()
}

/// The ids that a search of these shards finds.
async fn in_shards_of(cluster: &Cluster, index: &str, routing: &str) -> BTreeSet<String> {
    let path = format!("/{index}/_search?routing={routing}");
    let body = json!({"size": 10_000, "_source": false}).to_string();
    let answer = cluster.call("POST", &path, body).await.ok();
    let hits = answer["hits"]["hits"].as_array().unwrap().iter();
    hits.map(|hit| hit["_id"].as_str().unwrap().to_owned())
        .collect()
}

/// A field that is in the documents and not in the mapping, which the test servers can read
/// without the module for scripts.
const PARITY: &str = r#"{ parity = { type = "keyword" } }"#;

for_each_cluster! {
    async fn a_filtered_source_is_delivered_as_the_cluster_sends_it(cluster) {
        let index = cluster.create("logs", 2, mapping()).await;
        load(cluster, &index, &documents(0..20)).await;
        for (toml, json, absent) in [
            (r#"["number", "user.*"]"#, json!(["number", "user.*"]), "tags"),
            (r#"{ includes = ["user"], excludes = ["*.mail"] }"#, json!({"includes": ["user"], "excludes": ["*.mail"]}), "mail"),
            (r#"{ excludes = ["user"] }"#, json!({"excludes": ["user"]}), "user"),
        ] {
            let world = World::reading(cluster.url(), &index).raw("_source", toml).raw("batch_size", "7");
            assert_eq!(world.published_once().await, 20);
            let body = json!({"size": 100, "_source": json}).to_string();
            let sent = cluster.call("POST", &format!("/{index}/_search"), body).await.text;
            for payload in payloads(&world) {
                assert!(sent.contains(&format!("\"_source\":{payload}")), "{payload}");
                assert!(!payload.contains(absent), "{payload}");
            }
            world.assert_holds_exactly((0..20).map(|n| format!("d{n}")));
        }
    }

    async fn fields_are_delivered_as_the_cluster_sends_them_and_a_document_without_any_is_empty(cluster) {
        let index = cluster.create("logs", 2, mapping()).await;
        let mut documents = documents(0..19);
        documents.push(("none".to_owned(), "r0".to_owned(), format!(r#"{{"@timestamp":{FIRST_MS}}}"#)));
        load(cluster, &index, &documents).await;
        let fields = json!(["number", {"field": "user.*"}, {"field": "tags"}]);
        let world = World::reading(cluster.url(), &index).raw("fields", r#"["number", { field = "user.*" }, { field = "tags" }]"#).raw("batch_size", "7");
        assert_eq!(world.published_once().await, 20);
        assert_eq!(world.published_once().await, 0);
        let body = json!({"size": 100, "_source": false, "fields": fields}).to_string();
        let sent = cluster.call("POST", &format!("/{index}/_search"), body).await.text;
        let (empty, full): (Vec<_>, Vec<_>) = payloads(&world).into_iter().partition(|payload| payload == "{}");
        assert_eq!((empty.len(), full.len()), (1, 19));
        for payload in full {
            assert!(sent.contains(&format!("\"fields\":{payload}")), "{payload}");
        }
    }

    async fn dates_in_fields_have_the_format_that_is_asked_for(cluster) {
        let index = cluster.create("logs", 1, mapping()).await;
        load(cluster, &index, &documents(0..1)).await;
        let world = World::reading(cluster.url(), &index).raw("fields", r#"[{ field = "@timestamp", format = "epoch_millis" }]"#);
        assert_eq!(world.published_once().await, 1);
        assert_eq!(payloads(&world), [format!(r#"{{"@timestamp":["{FIRST_MS}"]}}"#)]);
    }

    async fn computed_fields_select_documents_or_are_refused_by_their_name(cluster) {
        let index = cluster.create("logs", 3, mapping()).await;
        load(cluster, &index, &documents(0..500)).await;
        let world = World::reading(cluster.url(), &index).raw("runtime_mappings", PARITY).raw("batch_size", "50")
            .raw("query", r#"{ term = { parity = "even" } }"#).raw("fields", r#"["parity"]"#);
        if cluster.mini.is_some() || cluster.product == Product::OpenSearch {
            let (failure, _) = world.once().await.unwrap_err();
            assert!(failure.to_string().contains("leave \"runtime_mappings\" out"), "{failure}");
            return;
        }
        let summary = world.once().await.unwrap();
        assert_eq!((summary.documents, summary.left), (250, Some((0, 0))));
        assert!(payloads(&world).iter().all(|payload| payload == r#"{"parity":["even"]}"#));
        load(cluster, &index, &documents(500..510)).await;
        assert_eq!(world.published_once().await, 5);
        world.assert_holds_exactly((0..510).step_by(2).map(|n| format!("d{n}")));

        let broken = PARITY.replace("keyword", "unknown");
        let world = World::reading(cluster.url(), &index).raw("runtime_mappings", &broken);
        let (failure, _) = world.once().await.unwrap_err();
        assert!(failure.to_string().contains("check \"runtime_mappings\""), "{failure}");
    }

    async fn the_shards_of_a_routing_are_read_once_and_counted_alone(cluster) {
        for (name, routing, slices, pagination) in [
            ("one", "r1", "1", "timestamp"),
            ("two", "r1,r2", "1", "timestamp"),
            ("slices", "r1", "3", "timestamp"),
            ("scroll", "r1", "1", "scroll"),
        ] {
            let index = cluster.create(name, 5, mapping()).await;
            load(cluster, &index, &documents(0..2_000)).await;
            let world = World::reading(cluster.url(), &index).key("routing", routing).key("pagination", pagination).raw("slices", slices).raw("batch_size", "100");
            let expected = in_shards_of(cluster, &index, routing).await;
            assert!((1..2_000).contains(&expected.len()), "{}", expected.len());
            assert_eq!(world.published_once().await, expected.len() as u64);
            assert_eq!(world.published_once().await, 0);
            let receipts = world.state()["data"]["receipts"].clone();
            assert!(receipts["agreed"].as_u64() > Some(0) && receipts["differed"] == 0, "{receipts}");
            world.assert_holds_exactly(expected.clone());

            // What can not be read is counted in these shards, and in no other.
            let elsewhere = (0..6).find(|n| !expected.contains(&format!("d{n}"))).unwrap();
            let undated = |id: &str, n| (id.to_owned(), routing_of(n), r#"{"number":0}"#.to_owned());
            load(cluster, &index, &[undated("undated-here", 1), undated("undated-there", elsewhere)]).await;
            load(cluster, &index, &documents(2_000..2_300)).await;
            let later = world.once().await.unwrap();
            let mut expected = in_shards_of(cluster, &index, routing).await;
            assert!(expected.remove("undated-here"));
            assert_eq!(later.left, Some((0, 1)));
            world.assert_holds_exactly(expected);
        }
    }

    async fn one_id_in_two_shards_is_two_documents(cluster) {
        let routed = |id: String, n: i64| (id, format!("r{n}"), format!(r#"{{"@timestamp":{FIRST_MS},"number":{n}}}"#));
        let probe = cluster.create("probe", 2, mapping()).await;
        let probes: Vec<_> = (0..20).map(|n| routed(format!("d{n}"), n)).collect();
        load(cluster, &probe, &probes).await;
        let beside = in_shards_of(cluster, &probe, "r0").await;
        let other = (1..20).find(|n| !beside.contains(&format!("d{n}"))).unwrap();
        // The first write of each shard: timestamp, sequence number and primary term are equal.
        let index = cluster.create("logs", 2, mapping()).await;
        load(cluster, &index, &[routed("same".to_owned(), 0), routed("same".to_owned(), other)]).await;
        for slices in ["1", "2"] {
            let world = World::reading(cluster.url(), &index).raw("slices", slices);
            assert_eq!(world.published_once().await, 2);
            assert_eq!(world.published_once().await, 0);
            let ids: BTreeSet<_> = world.delivered().into_iter().map(|message| message.id).collect();
            assert_eq!(ids.len(), 2, "{slices}");
        }
    }

    async fn a_state_of_another_routing_is_refused(cluster) {
        let index = cluster.create("logs", 5, mapping()).await;
        load(cluster, &index, &documents(0..20)).await;
        let world = World::reading(cluster.url(), &index).key("routing", "r1");
        world.once().await.unwrap();
        let (failure, _) = world.key("routing", "r2").once().await.unwrap_err();
        let failure = failure.to_string();
        assert!(failure.contains("routing: is not the one") && failure.contains("state_id"), "{failure}");
    }

    async fn a_preference_is_passed_on_and_may_change(cluster) {
        let index = cluster.create("logs", 3, mapping()).await;
        load(cluster, &index, &documents(0..300)).await;
        let world = World::reading(cluster.url(), &index).raw("batch_size", "50").key("preference", "_local");
        assert_eq!(world.published_once().await, 300);
        if let Some(mini) = &cluster.mini {
            let asked = |part: &str| mini.requests().iter().any(|request| request.path.contains(part) && request.path.ends_with("&preference=_local"));
            let opened = match cluster.product {
                Product::Elasticsearch => "/_pit?",
                Product::OpenSearch => "/point_in_time?",
            };
            assert!(asked(&format!("/{index}/_search?")) && asked(opened));
        }
        let world = world.key("preference", "session 7/a");
        load(cluster, &index, &documents(300..320)).await;
        assert_eq!(world.published_once().await, 20);
        world.assert_holds_exactly((0..320).map(|n| format!("d{n}")));
    }
}

#[tokio::test]
async fn a_wrong_selection_is_an_error_that_names_the_key() {
    for (key, value, expected) in [
        ("source", "['a']", "source: is not a known key"),
        ("_source", "false", "_source: must be a list of fields"),
        (
            "_source",
            "{ include = ['a'] }",
            "_source.include: is not a known key",
        ),
        ("fields", "[]", "fields: must name 1 to 1000 fields"),
        (
            "fields",
            "['a']\n_source = ['b']",
            "fields: can not stand beside \"_source\"",
        ),
        ("routing", "7", "routing: must be a text"),
        (
            "preference",
            "'_shards:0'",
            "preference: must not choose shards",
        ),
        (
            "runtime_mappings",
            "{ a = 'keyword' }",
            "runtime_mappings.a: must be a table",
        ),
        (
            "runtime_mappings",
            "{ '@timestamp' = { type = 'date' } }",
            "runtime_mappings.@timestamp: must not be a field",
        ),
    ] {
        // Nobody listens there, and nobody is asked.
        let world = World::reading("http://127.0.0.1:9", "logs").raw(key, value);
        let (failure, _) = world.once().await.unwrap_err();
        assert!(
            failure.to_string().contains(expected),
            "{key} = {value}: {failure}"
        );
    }
}
