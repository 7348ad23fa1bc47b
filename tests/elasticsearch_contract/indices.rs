//! Which indices a request means, and what is said about them.

use elasticsearch_source::mini_elasticsearch::Product;
use serde_json::json;

use super::reader::{load, search};
use crate::support::servers::for_each_cluster;

for_each_cluster! {
    async fn the_root_names_the_product(cluster) {
        let answer = cluster.call("GET", "/", "").await;
        assert_eq!(answer.product.as_deref(), (cluster.product == Product::Elasticsearch).then_some("Elasticsearch"));
        let version = &answer.ok()["version"];
        assert!(version["number"].is_string());
        let distribution = if cluster.product == Product::OpenSearch { json!("opensearch") } else { json!(null) };
        assert_eq!(version["distribution"], distribution);
    }

    async fn a_missing_index_is_not_found(cluster) {
        let missing = cluster.name("missing");
        for path in ["_search", "_count", "_field_caps?fields=at", "_mapping", "_settings"] {
            let answer = cluster.call("GET", &format!("/{missing}/{path}"), "").await;
            assert_eq!(answer.cause(404), "index_not_found_exception", "{path}");
            assert_eq!(answer.json["error"]["index"], missing, "{path}");
            assert_eq!(answer.json["status"], 404, "{path}");
        }
    }

    async fn a_pattern_that_matches_nothing_is_empty(cluster) {
        let pattern = cluster.name("missing*");
        let answer = search(cluster, &format!("/{pattern}/_search"), json!({})).await;
        assert_eq!(answer["_shards"]["total"], 0);
        assert_eq!(answer["hits"]["total"]["value"], 0);
        let count = cluster.call("GET", &format!("/{pattern}/_count"), "").await.ok();
        assert_eq!((&count["count"], &count["_shards"]["total"]), (&json!(0), &json!(0)));
        let caps = cluster.call("GET", &format!("/{pattern}/_field_caps?fields=at"), "").await.ok();
        assert_eq!(caps, json!({"indices": [], "fields": {}}));
        for path in ["_mapping", "_settings/index.refresh_interval?include_defaults=true&flat_settings=true"] {
            assert_eq!(cluster.call("GET", &format!("/{pattern}/{path}"), "").await.ok(), json!({}), "{path}");
        }
    }

    async fn patterns_lists_and_exclusions_choose_indices(cluster) {
        for name in ["set-a1", "set-a2", "set-b1"] {
            let index = cluster.create(name, 1, json!({})).await;
            load(cluster, &index, [("1".into(), "{}".into())]).await;
        }
        let name = |name: &str| cluster.name(name);
        let cases = [
            (name("set-*"), 3),
            (name("set-a*"), 2),
            (name("set-*1"), 2),
            (format!("{},{}", name("set-a1"), name("set-b1")), 2),
            (format!("{},-{}", name("set-*"), name("set-a*")), 1),
            (name("set-a%2A"), 2),
        ];
        for (expression, expected) in cases {
            let answer = search(cluster, &format!("/{expression}/_search"), json!({"size": 0})).await;
            assert_eq!(answer["hits"]["total"]["value"], expected, "{expression}");
        }
        let partly = format!("{},{}", name("set-a1"), name("set-x"));
        assert_eq!(cluster.call("GET", &format!("/{partly}/_search"), "").await.cause(404), "index_not_found_exception");
        let answer = cluster.call("GET", &format!("/{partly}/_search?ignore_unavailable=true"), "").await.ok();
        assert_eq!(answer["hits"]["total"]["value"], 1);
        let nothing = format!("/{}/_search?allow_no_indices=false", name("set-x*"));
        assert_eq!(cluster.call("GET", &nothing, "").await.cause(404), "index_not_found_exception");
    }

    async fn field_caps_tell_the_type_in_every_index(cluster) {
        let mapped = |type_name: &str| json!({"properties": {"at": {"type": type_name}, "o": {"properties": {"n": {"type": "long"}}}}});
        let one = cluster.create("caps-a", 1, mapped("date")).await;
        let two = cluster.create("caps-b", 1, mapped("date_nanos")).await;
        let caps = cluster.call("GET", &format!("/{one}/_field_caps?fields=at,o.n,nowhere,_seq_no"), "").await.ok();
        assert_eq!(caps["indices"], json!([one]));
        let date = &caps["fields"]["at"]["date"];
        assert_eq!((&date["type"], &date["searchable"], &date["aggregatable"]), (&json!("date"), &json!(true), &json!(true)));
        assert_eq!(date["metadata_field"], if cluster.product == Product::Elasticsearch { json!(false) } else { json!(null) });
        assert_eq!(date["indices"], json!(null));
        assert!(caps["fields"]["o.n"]["long"].is_object() && caps["fields"]["_seq_no"]["_seq_no"].is_object());
        assert_eq!(caps["fields"]["nowhere"], json!(null));
        let caps = cluster.call("GET", &format!("/{}/_field_caps?fields=at", cluster.name("caps-*")), "").await.ok();
        assert_eq!(caps["fields"]["at"]["date"]["indices"], json!([one]));
        assert_eq!(caps["fields"]["at"]["date_nanos"]["indices"], json!([two]));
        assert_eq!(cluster.call("GET", &format!("/{one}/_field_caps"), "").await.status, 400);
    }

    async fn a_mapping_shows_the_format_of_a_field(cluster) {
        let mappings = json!({"properties": {"at": {"type": "date", "format": "dd/MM/yyyy"}, "o": {"properties": {"n": {"type": "long"}}}}});
        let index = cluster.create("mapping", 1, mappings.clone()).await;
        let answer = cluster.call("GET", &format!("/{index}/_mapping"), "").await.ok();
        assert_eq!(answer, json!({&index: {"mappings": mappings}}));
        let answer = cluster.call("GET", &format!("/{index}/_mapping/field/o.n"), "").await.ok();
        assert_eq!(answer[&index]["mappings"]["o.n"]["mapping"], json!({"n": {"type": "long"}}));
        let answer = cluster.call("GET", &format!("/{index}/_mapping/field/at,nowhere,_source"), "").await.ok();
        assert_eq!(answer, json!({&index: {"mappings": {
            "at": {"full_name": "at", "mapping": {"at": {"type": "date", "format": "dd/MM/yyyy"}}},
            "_source": {"full_name": "_source", "mapping": {}},
        }}}));
    }

    async fn the_refresh_interval_is_among_settings_or_defaults(cluster) {
        let index = cluster.create("settings", 1, json!({})).await;
        let path = format!("/{index}/_settings/index.refresh_interval?include_defaults=true&flat_settings=true");
        let answer = cluster.call("GET", &path, "").await.ok();
        assert_eq!(answer, json!({&index: {"settings": {}, "defaults": {"index.refresh_interval": "1s"}}}));
        let body = json!({"index": {"refresh_interval": "30s"}}).to_string();
        cluster.call("PUT", &format!("/{index}/_settings"), body).await.ok();
        let answer = cluster.call("GET", &path, "").await.ok();
        assert_eq!(answer, json!({&index: {"settings": {"index.refresh_interval": "30s"}, "defaults": {}}}));
        let answer = cluster.call("GET", &format!("/{index}/_settings"), "").await.ok();
        assert_eq!(answer[&index]["settings"]["index"]["number_of_shards"], "1");
    }

    async fn an_index_is_created_once_and_deleted(cluster) {
        let index = cluster.create("once", 1, json!({})).await;
        let path = format!("/{index}");
        assert_eq!(cluster.call("PUT", &path, "").await.cause(400), "resource_already_exists_exception");
        assert_eq!(cluster.call("HEAD", &path, "").await.status, 200);
        cluster.call("DELETE", &path, "").await.ok();
        assert_eq!(cluster.call("DELETE", &path, "").await.cause(404), "index_not_found_exception");
        assert_eq!(cluster.call("HEAD", &path, "").await.status, 404);
        assert_eq!(cluster.call("PUT", "/UPPER", "").await.cause(400), "invalid_index_name_exception");
    }
}
