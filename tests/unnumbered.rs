//! Indices that keep no sequence numbers: a field orders in their place, and what a document
//! says tells its versions apart.

use serde_json::{Value, json};

use crate::reading::{documents, ids, load};
use crate::support::servers::{Cluster, for_each_cluster};
use crate::support::world::World;

fn mapping() -> Value {
    json!({"properties": {"@timestamp": {"type": "date"}, "number": {"type": "long"}}})
}

/// An index that keeps none; none where the server knows no such thing.
async fn unnumbered(cluster: &Cluster, name: &str) -> Option<String> {
    if !cluster.knows_unnumbered().await {
        return None;
    }
    let settings = json!({"number_of_shards": 3, "number_of_replicas": 0, "index.disable_sequence_numbers": true});
    Some(cluster.create_with(name, settings, mapping()).await)
}

fn world(cluster: &Cluster, index: &str) -> World {
    World::reading(cluster.url(), index)
        .key("tiebreaker_field", "number")
        .raw("batch_size", "50")
        .raw("edge_max", "200")
}

/// A document as [`documents`] writes it, with something else in it.
fn changed(number: u64) -> (String, String) {
    let (id, source) = documents(number..number + 1, 700, 1_000_000).remove(0);
    (id, source.replace('}', r#","changed":true}"#))
}

for_each_cluster! {
    async fn a_field_takes_the_place_of_sequence_numbers_and_the_headers_name_none(cluster) {
        let Some(index) = unnumbered(cluster, "logs").await else { return };
        load(cluster, &index, &documents(0..1_000, 700, 1_000_000)).await;
        let world = world(cluster, &index);
        assert_eq!(world.published_once().await, 1_000);
        assert_eq!(world.published_once().await, 0);
        world.assert_holds_exactly(ids(0..1_000));
        let line: Value = serde_json::from_str(&world.delivered()[0].line).unwrap();
        let headers: Vec<_> = line["headers"].as_object().unwrap().keys().collect();
        assert_eq!(headers, ["_id", "_index"]);
    }

    async fn what_says_the_same_is_the_same_and_what_says_something_else_another_message(cluster) {
        let Some(index) = unnumbered(cluster, "logs").await else { return };
        load(cluster, &index, &documents(0..100, 700, 1_000_000)).await;
        let world = world(cluster, &index);
        assert_eq!(world.published_once().await, 100);
        load(cluster, &index, &documents(90..100, 700, 1_000_000)).await;
        assert_eq!(world.published_once().await, 0, "the same bytes");
        load(cluster, &index, &[changed(95)]).await;
        assert_eq!(world.published_once().await, 1, "other bytes");
        assert_eq!(world.published_once().await, 0);
    }

    async fn an_older_state_repeats_nothing_that_has_no_sequence_number(cluster) {
        let Some(index) = unnumbered(cluster, "logs").await else { return };
        load(cluster, &index, &documents(0..300, 7, 1_000_000)).await;
        let world = world(cluster, &index);
        assert_eq!(world.published_once().await, 300);
        let older = std::fs::read(world.state_file()).unwrap();
        load(cluster, &index, &documents(300..600, 7, 1_000_000)).await;
        assert_eq!(world.published_once().await, 300);
        std::fs::write(world.state_file(), older).unwrap();
        world.once().await.unwrap();
        world.assert_holds_exactly(ids(0..600));
    }

    async fn indices_with_and_without_sequence_numbers_are_read_together(cluster) {
        let Some(one) = unnumbered(cluster, "logs-a").await else { return };
        let two = cluster.create("logs-b", 2, json!({"properties": {"@timestamp": {"type": "date"}, "number": {"type": "long"}}})).await;
        load(cluster, &one, &documents(0..500, 7, 1_000_000)).await;
        load(cluster, &two, &documents(500..1_000, 7, 1_000_000)).await;
        let without: Vec<_> = documents(1_000..1_020, 7, 1_000_000).into_iter()
            .map(|(id, source)| (id, source.replace("number", "other"))).collect();
        load(cluster, &one, &without[..10]).await;
        load(cluster, &two, &without[10..]).await;
        let world = world(cluster, &cluster.name("logs-*"));
        assert_eq!(world.published_once().await, 1_020);
        assert_eq!(world.published_once().await, 0);
        world.assert_holds_exactly(ids(0..1_020));
        let numbered = world.delivered().iter().filter(|message| message.line.contains("\"_seq_no\"")).count();
        assert_eq!(numbered, 510);
    }

    async fn without_a_field_in_their_place_it_is_an_error_that_names_one(cluster) {
        let Some(index) = unnumbered(cluster, "logs").await else { return };
        load(cluster, &index, &documents(0..10, 7, 1_000_000)).await;
        for world in [
            World::reading(cluster.url(), &index),
            World::reading(cluster.url(), &index).without("timestamp_field").key("pagination", "scroll"),
            World::reading(cluster.url(), &index).without("timestamp_field").key("pagination", "offset"),
        ] {
            let (failure, summary) = world.once().await.unwrap_err();
            assert!(failure.to_string().contains("set \"tiebreaker_field\" to a field of whole numbers"), "{failure}");
            assert_eq!((summary.retries, world.delivered().len()), (0, 0));
        }
    }

    async fn what_ids_are_made_of_can_not_be_changed(cluster) {
        let Some(index) = unnumbered(cluster, "logs").await else { return };
        load(cluster, &index, &documents(0..10, 7, 1_000_000)).await;
        let world = world(cluster, &index);
        assert_eq!(world.published_once().await, 10);
        let world = world.raw("_source", r#"["number"]"#);
        let (failure, _) = world.once().await.unwrap_err();
        assert!(failure.to_string().contains("_source: is not the one that the saved state was made with"), "{failure}");
        assert_eq!(world.delivered().len(), 10);
    }
}
