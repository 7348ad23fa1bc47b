//! `elasticsearch-source doctor`: what it prints, and how it ends.

use elasticsearch_source::mini_elasticsearch::{Credentials, Product};
use serde_json::Value;

use crate::support::program::{self, Finished};
use crate::support::sample;
use crate::support::world::World;

fn doctor(world: &World, more: &[&str]) -> Finished {
    let config = world.config_file();
    let arguments = [&["doctor", config.to_str().unwrap()], more].concat();
    program::run(world.folder(), &arguments)
}

#[test]
fn a_healthy_source_is_told_of_in_words_and_as_json() {
    let cluster = sample::cluster(Product::Elasticsearch, 70);
    cluster.admit(Some(Credentials::basic("reader", "sesame")));
    let keys = "username = 'reader'\npassword = 'sesame'";
    let world = World::reading(cluster.url(), sample::INDEX).lines(keys);
    let words = doctor(&world, &[]);
    assert_eq!(words.code, Some(0), "{words:?}");
    let first = format!(
        "source test: index logs at {}/\n  ok      server     elasticsearch ",
        cluster.url()
    );
    assert!(words.stdout.starts_with(&first), "{}", words.stdout);
    assert!(
        words
            .stdout
            .contains("\n  ok      pagination pagination = \"timestamp\" is safe"),
        "{}",
        words.stdout
    );
    let json = doctor(&world, &["--json"]);
    assert_eq!(json.code, Some(0), "{json:?}");
    let printed: Value = serde_json::from_str(&json.stdout).unwrap();
    let source = &printed["sources"]["test"];
    assert_eq!(
        (&source["healthy"], &source["figures"]["documents"]),
        (&true.into(), &70.into())
    );
    assert_eq!(source["safe_pagination"][0], "timestamp");
    assert_eq!(source["findings"][0]["topic"], "server");
    assert!(!format!("{words:?}{json:?}").contains("sesame"));
}

#[test]
fn a_problem_ends_in_1_and_a_mistake_in_2() {
    let cluster = sample::cluster(Product::Elasticsearch, 7);
    let rows = [
        (
            World::reading(cluster.url(), "nowhere"),
            1,
            "problem indices    there is no index nowhere",
        ),
        (
            World::reading("http://127.0.0.1:9", "logs"),
            1,
            "problem server     cannot connect to http://127.0.0.1:9/",
        ),
        (
            World::reading(cluster.url(), "logs").key("setle", "5s"),
            2,
            "",
        ),
    ];
    for (world, code, part) in rows {
        let finished = doctor(&world, &[]);
        assert_eq!(finished.code, Some(code), "{finished:?}");
        assert!(finished.stdout.contains(part), "{finished:?}");
        assert_eq!(
            finished.stderr.contains("error: "),
            code == 2,
            "{finished:?}"
        );
    }
    assert!(
        cluster
            .requests()
            .iter()
            .all(|request| request.path.contains("nowhere") || request.path == "/")
    );
}
