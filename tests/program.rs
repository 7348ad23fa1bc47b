//! The program: the demo, its commands, exit codes, signals, and what people do wrong.

use elasticsearch_source::mini_elasticsearch::{
    Credentials, Effect, Fault, MiniElasticsearch, Options, Product,
};
use serde_json::{Value, json};

use crate::support::iggy::IggyStandIn;
use crate::support::program::{self, Finished};
use crate::support::sample;
use crate::support::world::World;

fn cluster(documents: u64) -> MiniElasticsearch {
    sample::cluster(Product::Elasticsearch, documents)
}

fn once(world: &World) -> Finished {
    let config = world.config_file();
    program::run(world.folder(), &["run", config.to_str().unwrap(), "--once"])
}

#[test]
fn without_arguments_the_demo_publishes_ten_thousand_documents_and_says_where_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = program::command(folder.path(), &[]);
    let demo = program::finish(command.env("TMPDIR", folder.path()).spawn().unwrap());
    assert_eq!((demo.code, demo.stderr.as_str()), (Some(0), ""));
    for part in [
        "messages published   10000, 10000 different ids: lost 0, repeated 0",
        "output  ",
        "state  ",
        "configuration  ",
    ] {
        assert!(
            demo.stdout.contains(part),
            "{part:?} is missing: {}",
            demo.stdout
        );
    }
    let progress = demo
        .stdout
        .lines()
        .filter(|line| line.starts_with("  ") && line.ends_with(" documents"));
    assert!(progress.count() >= 5, "{}", demo.stdout);
    let output = demo
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix("output"))
        .unwrap()
        .trim();
    assert_eq!(
        std::fs::read_to_string(output).unwrap().lines().count(),
        10_000
    );
}

#[test]
fn a_run_with_an_end_prints_a_summary_for_programs() {
    let cluster = cluster(500);
    let world = World::reading(cluster.url(), "logs");
    let config = world.config_file();
    let finished = program::run(
        world.folder(),
        &["run", config.to_str().unwrap(), "--once", "--json"],
    );
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let summary: Value = serde_json::from_str(&finished.stdout).unwrap();
    let source = &summary["sources"]["test"];
    assert_eq!(
        (
            &source["documents"],
            &source["beyond_horizon"],
            &source["dead_lettered"],
            &source["error"]
        ),
        (&json!(500), &json!(0), &json!(0), &Value::Null)
    );
    world.assert_holds_exactly((0..500).map(|n| format!("d{n}")));
}

#[test]
fn a_stop_signal_ends_the_program_cleanly_with_its_state_saved() {
    let cluster = cluster(700);
    let world = World::reading(cluster.url(), "logs").key("polling_interval", "50ms");
    let config = world.config_file();
    let child = program::command(world.folder(), &["run", config.to_str().unwrap()])
        .spawn()
        .unwrap();
    program::wait_until("everything is published", || world.delivered().len() == 700);
    program::terminate(&child);
    let finished = program::finish(child);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(
        !finished.stderr.contains("ERROR") && !finished.stderr.contains("WARN"),
        "{}",
        finished.stderr
    );
    assert_eq!(world.state()["data"]["total_documents_fetched"], 700);
    assert_eq!(cluster.open_pits(), 0);
    let again = once(&world);
    assert!(
        again.stderr.contains("test: 0 documents published"),
        "{}",
        again.stderr
    );
}

#[test]
fn a_run_with_an_end_that_is_stopped_early_says_so() {
    let cluster = cluster(700);
    let slow = Effect::Delay(std::time::Duration::from_millis(200));
    cluster.inject(Fault::new(slow).path("_search").times(1_000));
    let world = World::reading(cluster.url(), "logs")
        .raw("batch_size", "10")
        .limits("poll_pages = 1");
    let config = world.config_file();
    let child = program::command(world.folder(), &["run", config.to_str().unwrap(), "--once"])
        .spawn()
        .unwrap();
    program::wait_until("something is published", || !world.delivered().is_empty());
    program::terminate(&child);
    let finished = program::finish(child);
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(
        finished
            .stderr
            .contains("test: stopped before it had caught up"),
        "{}",
        finished.stderr
    );
    cluster.clear_faults();
    assert_eq!(once(&world).code, Some(0));
    world.assert_holds_exactly((0..700).map(|n| format!("d{n}")));
}

#[test]
fn check_shows_what_would_run_without_asking_anybody() {
    let world = World::reading("http://127.0.0.1:9", "logs")
        .key("username", "reader")
        .key("password", "hunter2");
    let config = world.config_file();
    let finished = program::run(world.folder(), &["check", config.to_str().unwrap()]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(
        finished
            .stdout
            .contains("http://127.0.0.1:9/, index logs as reader"),
        "{}",
        finished.stdout
    );
    assert!(!finished.stdout.contains("hunter2"), "{}", finished.stdout);
    assert!(
        !world.folder().join("states").exists(),
        "a check leaves nothing behind"
    );
}

#[test]
fn standard_output_gets_the_documents() {
    let cluster = cluster(20);
    let world = World::reading(cluster.url(), "logs").output("[output]\ntype = \"stdout\"\n");
    let toml = world.toml().replace(
        "[sources.test]",
        "[sources.test]\ndelivery = \"at_least_once\"",
    );
    let config = world.folder().join("stdout.toml");
    std::fs::write(&config, toml).unwrap();
    let finished = program::run(world.folder(), &["run", config.to_str().unwrap(), "--once"]);
    assert_eq!(
        (finished.code, finished.stdout.lines().count()),
        (Some(0), 20),
        "{finished:?}"
    );
}

/// A mistake, and what its message must name: the thing, the place, the remedy.
fn assert_refused(what: &str, world: &World, code: i32, parts: &[&str]) {
    let finished = once(world);
    assert_eq!(finished.code, Some(code), "{what}: {finished:?}");
    for part in parts {
        assert!(
            finished.stderr.contains(part),
            "{what}: {part:?} is missing: {}",
            finished.stderr
        );
    }
    assert!(
        !finished.stderr.contains("panicked"),
        "{what}: {}",
        finished.stderr
    );
    assert!(
        !finished.stderr.contains("hunter2"),
        "{what}: {}",
        finished.stderr
    );
    assert!(world.delivered().is_empty(), "{what}");
}

#[test]
fn a_cluster_that_can_not_be_read_is_named_with_a_remedy() {
    let open = cluster(10);
    let unmapped = cluster(0);
    unmapped
        .create_index(
            "bare",
            1,
            &json!({"properties": {"other": {"type": "keyword"}}}),
        )
        .unwrap();
    unmapped
        .insert("bare", Some("1"), "{\"other\":\"x\"}")
        .unwrap();
    let options = Options {
        credentials: Some(Credentials::basic("reader", "secret")),
        ..Options::default()
    };
    let closed = MiniElasticsearch::start(options).unwrap();
    let wrong = World::reading(closed.url(), "logs")
        .key("username", "reader")
        .key("password", "hunter2");
    let rows = [
        (
            "refused connection",
            World::reading("http://127.0.0.1:9", "logs"),
            1,
            vec![
                "cannot connect to http://127.0.0.1:9",
                "is the cluster running",
                "\"url\"",
            ],
        ),
        (
            "wrong host",
            World::reading("http://no-such-host.invalid:9200", "logs"),
            1,
            vec![
                "cannot connect to http://no-such-host.invalid:9200",
                "\"url\"",
            ],
        ),
        (
            "no credentials",
            World::reading(closed.url(), "logs"),
            1,
            vec!["status 401", "\"username\" and \"password\""],
        ),
        (
            "wrong password",
            wrong,
            1,
            vec!["status 401", "\"username\" and \"password\""],
        ),
        (
            "missing index",
            World::reading(open.url(), "nowhere"),
            1,
            vec!["no such index [nowhere]", "check \"index\""],
        ),
        (
            "unmapped field",
            World::reading(unmapped.url(), "bare"),
            1,
            vec![
                "\"@timestamp\" is mapped in no index of \"bare\"",
                "check the field's name",
            ],
        ),
        (
            "field that is no date",
            World::reading(unmapped.url(), "bare").key("timestamp_field", "other"),
            1,
            vec![
                "\"other\" of index \"bare\" is mapped as keyword",
                "date or date_nanos",
            ],
        ),
        (
            "path that is no api",
            World::reading(&format!("{}/elsewhere", open.url()), "logs"),
            1,
            vec!["/logs/_field_caps", "check \"url\""],
        ),
    ];
    for (what, world, code, parts) in rows {
        assert_refused(what, &world, code, &parts);
    }
}

#[test]
fn a_wrong_configuration_is_named_with_line_and_column() {
    let world = || World::reading("http://127.0.0.1:9", "logs");
    let rows = [
        (
            "unknown key of the component",
            world().raw("batch_sise", "10"),
            1,
            vec![
                "test.toml:",
                "batch_sise",
                "is not a known key",
                "batch_size",
            ],
        ),
        (
            "wrong value for the component",
            world().raw("batch_size", "0"),
            1,
            vec!["test.toml:", "batch_size", "from 2 to 10000"],
        ),
        (
            "unreadable toml",
            world().raw("index", "\"logs"),
            2,
            vec!["test.toml:"],
        ),
        (
            "wrong url",
            world().key("url", "localhost:9200"),
            2,
            vec!["test.toml:", "url"],
        ),
        (
            "unknown storage",
            world().raw("state", "{ storage_type = \"floppy\" }"),
            2,
            vec!["test.toml:", "\"file\", \"elasticsearch\", \"redis\""],
        ),
        (
            "unknown output",
            world().output("[output]\ntype = \"pigeon\"\n"),
            2,
            vec!["test.toml:", "pigeon", "stdout"],
        ),
    ];
    for (what, world, code, parts) in rows {
        assert_refused(what, &world, code, &parts);
    }
}

#[test]
fn a_state_that_can_not_be_used_stops_the_source_and_stays_as_it_is() {
    let cluster = cluster(10);
    let unwritable = World::reading(cluster.url(), "logs");
    std::fs::write(
        unwritable.folder().join("states"),
        "a file where a folder should be",
    )
    .unwrap();
    assert_refused(
        "unwritable folder",
        &unwritable,
        1,
        &["states", "base_path"],
    );
    let whole = r#"{"id":"test","version":1,"data":{"reading":{"unit":"ms","start":[1,2]}}}"#;
    let newer = r#"{"id":"test","version":99,"data":{}}"#;
    let rows = [
        ("corrupt", "{\"id\":", "state import --force"),
        ("empty", "", "state reset --yes"),
        (
            "of another source",
            r#"{"id":"other","version":1,"data":{}}"#,
            "its id is \"other\"",
        ),
        ("newer", newer, "version 99"),
        ("with data of a wrong shape", whole, "restore a backup"),
    ];
    for (what, state, part) in rows {
        let world = World::reading(cluster.url(), "logs");
        std::fs::create_dir(world.folder().join("states")).unwrap();
        std::fs::write(world.state_file(), state).unwrap();
        assert_refused(what, &world, 1, &[part]);
        assert_eq!(
            std::fs::read_to_string(world.state_file()).unwrap(),
            state,
            "{what}"
        );
    }
}

fn iggy(address: &str) -> String {
    format!(
        "[iggy]\naddress = \"{address}\"\nusername = \"iggy\"\npassword = \"hunter2\"\ntimeout = \"500ms\"\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn an_iggy_that_can_not_be_used_is_named_with_a_remedy() {
    let cluster = cluster(10);
    let server = IggyStandIn::start().await;
    let other_version = IggyStandIn::start().await;
    other_version.accept_versions(1, 1);
    let rows = [
        (
            "unreachable",
            "127.0.0.1:9".to_owned(),
            vec!["cannot connect to iggy at 127.0.0.1:9", "[iggy] address"],
        ),
        (
            "wrong password",
            server.address().to_owned(),
            vec!["[iggy] username"],
        ),
        (
            "other protocol version",
            other_version.address().to_owned(),
            vec!["server speaks another protocol version"],
        ),
    ];
    for (what, address, parts) in rows {
        let world = World::reading(cluster.url(), "logs").output(&iggy(&address));
        let parts = parts.clone();
        tokio::task::spawn_blocking(move || assert_refused(what, &world, 1, &parts))
            .await
            .unwrap();
    }
}
