//! Documents without a timestamp whose ids, or some number or text, only grow.

use elasticsearch_source::mini_elasticsearch::{
    Effect, Fault, MiniElasticsearch, Options, Product,
};
use serde_json::{Value, json};

use crate::reading::load;
use crate::support::servers::{Cluster, for_each_cluster};
use crate::support::world::World;

fn mappings() -> Value {
    json!({"properties": {"n": {"type": "long"}, "k": {"type": "keyword"}, "t": {"type": "text"}}})
}

/// As an id that grows is written.
fn id(n: u64) -> String {
    format!("order-{n:06}")
}

/// Every third shares its number and its text with the one before.
fn document(n: u64) -> (String, String) {
    let shared = n - n % 3 / 2;
    (
        id(n),
        format!(r#"{{"n": {shared}, "k": "{}"}}"#, id(shared)),
    )
}

fn documents(range: std::ops::Range<u64>) -> Vec<(String, String)> {
    range.map(document).collect()
}

fn ids(range: std::ops::Range<u64>) -> impl Iterator<Item = String> {
    range.map(id)
}

/// By what the documents of an index can be read.
fn ways(url: &str, index: &str) -> [(&'static str, World); 3] {
    let world = || {
        World::reading(url, index)
            .without("timestamp_field")
            .raw("batch_size", "100")
            .key("settle", "300ms")
    };
    let by_id = || world().key("pagination", "document_id");
    [
        (
            "a number, as a timestamp",
            world()
                .key("timestamp_field", "n")
                .key("timestamp_unit", "sequence"),
        ),
        ("a number, as an id", by_id().key("id_field", "n")),
        ("a text, as an id", by_id().key("id_field", "k")),
    ]
}

async fn loaded(cluster: &Cluster, documents: &[(String, String)]) -> String {
    let index = cluster.create("orders", 3, mappings()).await;
    load(cluster, &index, documents).await;
    index
}

/// Whether `_id` can be sorted by. It says so itself, as no version does.
async fn sorts_by_id(cluster: &Cluster, index: &str) -> bool {
    let search = r#"{"sort": ["_id"]}"#;
    let answer = cluster
        .call("POST", &format!("/{index}/_search"), search)
        .await;
    answer.status == 200
}

for_each_cluster! {
    async fn what_only_grows_is_read_once_and_goes_on_where_it_was(cluster) {
        let index = loaded(cluster, &documents(0..2_500)).await;
        for (way, world) in ways(cluster.url(), &index) {
            let there = cluster.call("GET", &format!("/{index}/_count"), "").await.ok()["count"].as_u64().unwrap();
            assert_eq!(world.published_once().await, there, "{way}");
            assert_eq!(world.published_once().await, 0, "{way}");
            load(cluster, &index, &documents(there..there + 411)).await;
            assert_eq!(world.published_once().await, 411, "{way}");
            assert_eq!(world.published_once().await, 0, "{way}");
            world.assert_holds_exactly(ids(0..there + 411));
            let last = id(there + 410);
            assert_eq!(world.state()["data"]["last_document_id"], last, "{way}");
        }
    }

    async fn an_index_that_joins_and_slices_are_read_as_well(cluster) {
        let index = loaded(cluster, &documents(0..1_000)).await;
        for (way, world) in ways(cluster.url(), &format!("{index}*")) {
            let world = world.raw("slices", "2");
            let there = cluster.call("GET", &format!("/{index}*/_count"), "").await.ok()["count"].as_u64().unwrap();
            assert_eq!(world.published_once().await, there, "{way}");
            let joined = cluster.create(&format!("orders-{there}"), 2, mappings()).await;
            load(cluster, &joined, &documents(there..there + 300)).await;
            assert_eq!(world.published_once().await, 300, "{way}");
            world.assert_holds_exactly(ids(0..there + 300));
        }
    }

    async fn document_ids_are_read_where_the_cluster_sorts_by_them(cluster) {
        let index = loaded(cluster, &documents(0..2_500)).await;
        let world = World::reading(cluster.url(), &index)
            .without("timestamp_field")
            .key("pagination", "document_id")
            .key("settle", "300ms")
            .raw("batch_size", "100");
        if cluster.product == Product::OpenSearch {
            assert!(sorts_by_id(cluster, &index).await);
        }
        if !sorts_by_id(cluster, &index).await {
            let (failure, _) = world.once().await.unwrap_err();
            let message = failure.to_string();
            assert!(message.contains("\"id_field\"") && message.contains("indices.id_field_data.enabled"), "{message}");
            return;
        }
        assert_eq!(world.published_once().await, 2_500);
        assert_eq!(world.published_once().await, 0);
        load(cluster, &index, &documents(2_500..2_911)).await;
        assert_eq!(world.published_once().await, 411);
        assert_eq!(world.published_once().await, 0);
        world.assert_holds_exactly(ids(0..2_911));
    }

    async fn what_appears_behind_the_last_id_is_delivered_or_reported(cluster) {
        let index = loaded(cluster, &documents(1_000..2_000)).await;
        let id_sorts = sorts_by_id(cluster, &index).await;
        let by_id = World::reading(cluster.url(), &index)
            .without("timestamp_field")
            .key("pagination", "document_id")
            .key("settle", "300ms");
        let ways = ways(cluster.url(), &index).into_iter();
        for (way, world) in ways.chain(id_sorts.then_some(("document ids", by_id))) {
            // Of all that the first run read, the edge holds what was there when it first looked.
            let world = world.key("overlap", "0s");
            let there = cluster.call("GET", &format!("/{index}/_count"), "").await.ok()["count"].as_u64().unwrap();
            assert_eq!(world.published_once().await, there, "{way}");
            let early = 999 - (there - 1_000);
            load(cluster, &index, &documents(early..early + 1)).await;
            assert_eq!(world.published_once().await, 0, "{way}");
            assert_eq!(world.state()["data"]["reading"]["missed"], 1, "{way}");
            assert_eq!(world.published_once().await, 0, "{way}");
            assert_eq!(world.state()["data"]["reading"]["missed"], 1, "{way}");
        }
    }

    async fn a_field_that_is_mapped_anew_stops_the_source_before_anything_is_published(cluster) {
        let index = loaded(cluster, &documents(0..10)).await;
        let [_, (_, world), _] = ways(cluster.url(), &index);
        assert_eq!(world.published_once().await, 10);
        let path = format!("/{index}");
        cluster.call("DELETE", &path, "").await.ok();
        let mappings = json!({"mappings": {"properties": {"n": {"type": "keyword"}}}});
        cluster.call("PUT", &path, mappings.to_string()).await.ok();
        load(cluster, &index, &documents(10..20)).await;
        let (failure, _) = world.once().await.unwrap_err();
        let message = failure.to_string();
        assert!(message.contains("is mapped as keyword, and what was read so far had it mapped as long"), "{message}");
        assert_eq!(world.delivered().len(), 10);
    }

    async fn a_field_that_can_not_order_is_an_error_that_names_it(cluster) {
        let index = loaded(cluster, &documents(0..10)).await;
        let world = || World::reading(cluster.url(), &index).without("timestamp_field").key("pagination", "document_id");
        for (field, part) in [("t", "is mapped as text"), ("nowhere", "is mapped in no index")] {
            let (failure, _) = world().key("id_field", field).once().await.unwrap_err();
            let message = failure.to_string();
            assert!(message.starts_with(&format!("id_field {field:?}")) && message.contains(part), "{message}");
        }
    }
}

/// Where `_id` can be sorted by, and the server can be made to fail.
fn opensearch(documents: &[(String, String)]) -> MiniElasticsearch {
    let cluster = MiniElasticsearch::start(Options {
        product: Product::OpenSearch,
        ..Options::default()
    });
    let cluster = cluster.unwrap();
    cluster.create_index("orders", 3, &mappings()).unwrap();
    for (id, source) in documents {
        cluster.insert("orders", Some(id), source.clone()).unwrap();
    }
    cluster
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_id_that_the_edge_still_reaches_is_delivered_once() {
    let all = documents(0..300);
    let (late, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|(name, _)| *name == id(290));
    let cluster = opensearch(&others[..200]);
    let world = World::reading(cluster.url(), "orders")
        .without("timestamp_field")
        .key("pagination", "document_id")
        .key("settle", "300ms");
    assert_eq!(world.published_once().await, 200);
    for (id, source) in &others[200..] {
        cluster.insert("orders", Some(id), source.clone()).unwrap();
    }
    assert_eq!(world.published_once().await, 99);
    for (id, source) in late {
        cluster.insert("orders", Some(&id), source).unwrap();
    }
    assert_eq!(world.published_once().await, 1);
    assert_eq!(world.state()["data"]["reading"]["missed"], 0);
    world.assert_holds_exactly(ids(0..300));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hit_that_a_page_of_ids_misses_silently_is_noticed_and_read_again() {
    for at in 0..6 {
        let cluster = opensearch(&documents(0..500));
        cluster.inject(Fault::new(Effect::LoseHit(50)).path("/_search?").after(at));
        let world = World::reading(cluster.url(), "orders")
            .without("timestamp_field")
            .key("pagination", "document_id")
            .key("settle", "300ms")
            .raw("batch_size", "100");
        assert_eq!(world.published_once().await, 500, "search {at}");
        world.assert_holds_exactly(ids(0..500));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_of_another_connector_goes_on_at_its_last_document_id() {
    let cluster = opensearch(&documents(0..300));
    let world = World::reading(cluster.url(), "orders")
        .without("timestamp_field")
        .key("pagination", "document_id")
        .key("settle", "300ms");
    let state = json!({
        "id": "test", "last_updated": "2024-01-15T10:30:00Z", "version": 1,
        "data": {"last_document_id": id(100), "total_documents_fetched": 101},
        "metadata": {"connector_type": "elasticsearch_source", "connector_id": 1, "index": "orders", "url": cluster.url()},
    });
    std::fs::create_dir_all(world.state_file().parent().unwrap()).unwrap();
    std::fs::write(world.state_file(), state.to_string()).unwrap();
    assert_eq!(world.published_once().await, 200, "that one again");
    world.assert_holds_exactly(ids(100..300));
    assert_eq!(world.published_once().await, 0);
    assert_eq!(world.state()["data"]["reading"]["missed"], 0);
    cluster
        .insert("orders", Some("order-000050-late"), "{}")
        .unwrap();
    assert_eq!(world.published_once().await, 0);
    assert_eq!(world.state()["data"]["reading"]["missed"], 1);
}

/// Of two indices with the same ids, one page of ids ends between two of the same place.
#[tokio::test(flavor = "multi_thread")]
async fn more_document_ids_than_a_list_has_at_once_are_counted_once() {
    const SHARED: u64 = 5_001;
    let cluster = MiniElasticsearch::start(Options {
        product: Product::OpenSearch,
        ..Options::default()
    })
    .unwrap();
    for index in ["orders-a", "orders-b"] {
        cluster.create_index(index, 1, &mappings()).unwrap();
        for (id, source) in documents(1..SHARED + 1) {
            cluster.insert(index, Some(&id), source).unwrap();
        }
    }
    let (first, source) = document(0);
    cluster.insert("orders-a", Some(&first), source).unwrap();
    let world = World::reading(cluster.url(), "orders-*")
        .without("timestamp_field")
        .key("pagination", "document_id")
        .key("settle", "300ms");
    assert_eq!(world.published_once().await, 2 * SHARED + 1);
    assert_eq!(world.published_once().await, 0);
    let data = &world.state()["data"];
    assert_eq!(data["receipts"]["differed"], 0, "{}", data["receipts"]);
}
