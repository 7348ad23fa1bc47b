//! `state migrate`: a state goes round all stores, and its source goes on where it was.

use super::*;
use crate::support::servers::Cluster;

/// The `state` table of each place that a state goes through.
fn go_round(cluster: &MiniElasticsearch, places: &[String]) {
    let mut world = World::reading(cluster.url(), "logs");
    let mut documents = 100;
    world = world.raw("state", &places[0]);
    once(&world, documents);
    for place in &places[1..] {
        let next = world.toml().replace(
            world
                .toml()
                .lines()
                .find(|line| line.starts_with("state ="))
                .unwrap(),
            &format!("state = {place}"),
        );
        std::fs::write(world.folder().join("next.toml"), next).unwrap();
        let before = json_of(&world, "show", &[])["state"]["data"].take();
        let said = done(&world, "migrate", &["--to", "next.toml", "--yes"]);
        assert!(
            said.contains("run next.toml from now on") && !said.contains("correct-horse"),
            "{said}"
        );
        assert_eq!(
            json_of(&world, "show", &[])["state"],
            Value::Null,
            "it is still there"
        );
        world = world.raw("state", place);
        world.config_file();
        assert_eq!(
            json_of(&world, "show", &[])["state"]["data"],
            before,
            "{place}"
        );
        once(&world, 0);
        sample::insert(cluster, documents..documents + 50);
        cluster.refresh();
        documents += 50;
        once(&world, 50);
    }
    world.assert_holds_exactly(sample::ids(0..documents));
    done(&world, "reset", &["--yes"]);
}

fn file(folder: &Path, name: &str) -> String {
    format!(
        "{{ storage_config = {{ base_path = '{}/{name}' }} }}",
        folder.display()
    )
}

#[test]
fn a_state_moves_from_a_file_to_a_cluster_and_back_and_its_source_goes_on() {
    let cluster = sample::cluster(Product::Elasticsearch, 100);
    let folder = tempfile::tempdir().unwrap();
    let places = [
        file(folder.path(), "a"),
        "{ storage_type = \"elasticsearch\" }".to_owned(),
        file(folder.path(), "b"),
    ];
    go_round(&cluster, &places);
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(
    not(all(real_redis, real_elasticsearch)),
    ignore = "needs a real Redis and Elasticsearch: see README, \"Tests with real servers\""
)]
async fn a_state_moves_from_a_file_to_redis_to_elasticsearch_and_back_and_its_source_goes_on() {
    let real = Cluster::real(Product::Elasticsearch, "ELASTICSEARCH_URL");
    let (redis, name) = (std::env::var("REDIS_URL").unwrap(), real.name("moving"));
    let folder = tempfile::tempdir().unwrap();
    let places = [
        file(folder.path(), "a"),
        format!(
            "{{ storage_type = \"redis\", storage_config = {{ url = '{redis}', key_prefix = '{name}:' }} }}"
        ),
        format!(
            "{{ storage_type = \"elasticsearch\", storage_config = {{ url = '{}', index = '{name}' }} }}",
            real.url()
        ),
        file(folder.path(), "b"),
    ];
    let cluster = sample::cluster(Product::Elasticsearch, 100);
    let moved = tokio::task::spawn_blocking(move || go_round(&cluster, &places)).await;
    real.call("DELETE", &format!("/{name}?ignore_unavailable=true"), "")
        .await;
    moved.unwrap();
}
