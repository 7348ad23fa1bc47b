//! What the doctor says of fields that order: numbers, and what breaks ties.

use elasticsearch_source::clock::Clock;
use elasticsearch_source::doctor::Level;
use serde_json::{Value, json};

use super::{assert_found, examine, load};
use crate::support::servers::for_each_cluster;
use crate::support::world::World;

fn mapping(timestamp: &str, number: &Value) -> Value {
    json!({"properties": {"@timestamp": {"type": timestamp}, "number": number}})
}

fn long() -> Value {
    json!({"type": "long"})
}

for_each_cluster! {
    async fn whole_numbers_with_a_unit_are_as_good_as_dates(cluster) {
        for (unit, per_s) in [("s", 1_i64), ("ms", 1_000), ("us", 1_000_000), ("ns", 1_000_000_000)] {
            let index = cluster.create(unit, 2, mapping("long", &long())).await;
            let at = |s: i64| json!({"@timestamp": s * per_s}).to_string();
            let tomorrow = Clock::system().now().timestamp() + 86_400;
            load(cluster, &index, [1_767_225_600, 1_767_225_600, 1_767_225_601, tomorrow].map(at)).await;
            let world = World::reading(cluster.url(), &index).key("timestamp_unit", unit);
            let examination = examine(&world).await;
            assert!(examination.healthy, "{unit}: {examination:#?}");
            assert_found(&examination, Level::Ok, "@timestamp is long in 1 index");
            assert_found(&examination, Level::Ok, "with the same timestamp is 2 documents, at 2026-01-01T00:00:00.000Z");
            assert_found(&examination, Level::Note, "1 document in the future");
            assert_found(&examination, Level::Ok, "pagination = \"timestamp\" is safe");
            let figures = &examination.figures;
            assert_eq!((figures.oldest_ms, figures.newest_ms), (Some(1_767_225_600_000), Some(tomorrow * 1_000)), "{unit}");
            let without = examine(&World::reading(cluster.url(), &index)).await;
            assert_found(&without, Level::Problem, "@timestamp is mapped as long in 1 index");
            assert_found(&without, Level::Problem, "say in \"timestamp_unit\" what one step of it is");
        }
    }

    async fn a_field_that_can_not_break_ties_is_a_problem(cluster) {
        let rows = [
            (long(), Level::Ok, "number, which tells documents of one timestamp apart, is long"),
            (json!({"type": "keyword"}), Level::Problem, "number is mapped as keyword"),
            (json!({"type": "long", "doc_values": false}), Level::Problem, "number can not be sorted by in 1 index"),
        ];
        for (row, (number, level, said)) in rows.into_iter().enumerate() {
            let index = cluster.create(&format!("ties-{row}"), 1, mapping("date", &number)).await;
            load(cluster, &index, [r#"{"@timestamp":0,"number":1}"#.to_owned()]).await;
            let world = World::reading(cluster.url(), &index).key("tiebreaker_field", "number");
            let examination = examine(&world).await;
            assert_found(&examination, level, said);
            assert_eq!(examination.healthy, level == Level::Ok, "{examination:#?}");
        }
        let nowhere = World::reading(cluster.url(), &cluster.name("ties-*")).key("tiebreaker_field", "nowhere");
        assert_found(&examine(&nowhere).await, Level::Problem, "nowhere, which is to tell documents of one timestamp apart, is mapped in no index");
    }

    async fn indices_without_sequence_numbers_need_what_breaks_ties(cluster) {
        if !cluster.knows_unnumbered().await {
            return;
        }
        let settings = json!({"number_of_shards": 1, "number_of_replicas": 0, "index.disable_sequence_numbers": true});
        let index = cluster.create_with("unnumbered", settings, mapping("date", &long())).await;
        load(cluster, &index, [r#"{"@timestamp":0,"number":1}"#.to_owned()]).await;
        let world = World::reading(cluster.url(), &index);
        let without = examine(&world).await;
        assert_found(&without, Level::Problem, "no sequence numbers (index.disable_sequence_numbers) in 1 index");
        let with = examine(&world.key("tiebreaker_field", "number")).await;
        assert!(with.healthy, "{with:#?}");
        assert_found(&with, Level::Note, "number orders documents there that have the same timestamp");
    }
}
