//! Which fields tell documents of one timestamp apart, and what is said of others.

use serde_json::{Value, json};

use crate::reading::{documents, ids, load};
use crate::support::servers::{Cluster, for_each_cluster};
use crate::support::world::World;

fn mapping(field: &Value) -> Value {
    json!({"dynamic": false, "properties": {"@timestamp": {"type": "date"}, "number": field}})
}

fn world(cluster: &Cluster, index: &str) -> World {
    World::reading(cluster.url(), index).key("tiebreaker_field", "number")
}

for_each_cluster! {
    async fn a_field_that_can_not_break_ties_is_an_error_that_names_its_mapping(cluster) {
        let rows = [
            (json!({"type": "keyword"}), "is mapped as keyword; it must be mapped as long, integer, short or byte"),
            (json!({"type": "text"}), "is mapped as text; it must be mapped as long"),
            (json!({"type": "double"}), "is mapped as double; it must be mapped as long"),
            (json!({"type": "long", "doc_values": false}), "can not be sorted by; map it with \"doc_values\": true"),
        ];
        for (row, (field, said)) in rows.into_iter().enumerate() {
            let index = cluster.create(&format!("logs-{row}"), 1, mapping(&field)).await;
            let world = world(cluster, &index);
            let (failure, summary) = world.once().await.unwrap_err();
            let said = format!("tiebreaker_field \"number\" of index \"{index}\" {said}");
            assert!(failure.to_string().contains(&said), "{failure}, not {said}");
            assert_eq!((summary.retries, world.delivered().len()), (0, 0), "{failure}");
        }
    }

    async fn a_field_that_no_index_maps_is_waited_for_until_there_are_documents(cluster) {
        let mapping = json!({"dynamic": false, "properties": {"@timestamp": {"type": "date"}}});
        let index = cluster.create("logs", 1, mapping).await;
        let world = world(cluster, &index);
        assert_eq!(world.published_once().await, 0);
        load(cluster, &index, &documents(0..3, 7, 1_000_000)).await;
        let (failure, _) = world.once().await.unwrap_err();
        let said = format!("tiebreaker_field \"number\" is mapped in no index of \"{index}\", though 3 documents are there");
        assert!(failure.to_string().contains(&said), "{failure}");
        assert_eq!(world.delivered().len(), 0);
    }

    async fn indices_may_map_shorter_numbers_each_in_its_way_or_not_at_all(cluster) {
        for (n, kind) in (0..).zip(["byte", "integer", "short"]) {
            let index = cluster.create(&format!("logs-{n}"), 2, mapping(&json!({"type": kind}))).await;
            let numbered = documents(n * 200..(n + 1) * 200, 600, 1_000_000).into_iter().enumerate();
            let numbered: Vec<_> = numbered.map(|(n, (id, _))| (id, format!(r#"{{"@timestamp":"2026-01-01","number":{}}}"#, n % 120))).collect();
            load(cluster, &index, &numbered).await;
        }
        let unmapped = cluster.create("logs-3", 2, json!({"dynamic": false, "properties": {"@timestamp": {"type": "date"}}})).await;
        load(cluster, &unmapped, &documents(600..620, 1_000, 1_000_000)).await;
        let without: Vec<_> = (620..640).map(|n| (format!("d{n}"), r#"{"@timestamp":"2026-01-01"}"#.to_owned())).collect();
        load(cluster, &cluster.name("logs-1"), &without).await;
        let large = r#"{"@timestamp":"2026-01-01","number":2147483647}"#;
        load(cluster, &cluster.name("logs-1"), &[("d640".to_owned(), large.to_owned())]).await;
        let world = world(cluster, &cluster.name("logs-*")).raw("batch_size", "50").raw("edge_max", "100");
        assert_eq!(world.published_once().await, 641);
        assert_eq!(world.published_once().await, 0);
        world.assert_holds_exactly(ids(0..641));
        let long = cluster.create("logs-4", 1, mapping(&json!({"type": "long"}))).await;
        load(cluster, &long, &documents(641..642, 1, 1_000_000)).await;
        let (failure, _) = world.once().await.unwrap_err();
        assert!(failure.to_string().contains("and as long in others; map it as long in all of them"), "{failure}");
        world.assert_holds_exactly(ids(0..641));
    }
}
