//! `state ..`: what the commands do to a source's state, and what the source makes of it.

mod broken;
mod moving;
mod refusals;

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use elasticsearch_source::mini_elasticsearch::{MiniElasticsearch, Product};
use serde_json::{Value, json};

use crate::support::program::{self, Finished};
use crate::support::sample;
use crate::support::world::World;

/// A state as another connector of the reference's has it.
const FOREIGN: &str = r#"{"id":"elasticsearch_logs_connector","last_updated":"2024-01-15T10:30:00Z","version":1,"data":{"last_poll_timestamp":"2026-01-01T00:00:00.010Z","total_documents_fetched":15000},"metadata":{"connector_type":"elasticsearch_source","connector_id":1,"index":"logs","url":"URL"}}"#;

/// Every command, and what it needs beside the configuration.
const COMMANDS: [(&str, &[&str]); 8] = [
    ("show", &[]),
    ("export", &[]),
    ("import", &["backup.json"]),
    ("reset", &["--yes"]),
    ("list", &[]),
    ("stats", &[]),
    ("cleanup", &["--older-than", "30d", "--yes"]),
    ("migrate", &["--to", "test.toml", "--yes"]),
];

/// Those that print JSON when asked to; `export` always does.
fn has_json(command: &str) -> bool {
    command != "export"
}

/// 100 documents, and a source that has published them.
fn published() -> (MiniElasticsearch, World) {
    let cluster = sample::cluster(Product::Elasticsearch, 100);
    let world = World::reading(cluster.url(), "logs").key("polling_interval", "50ms");
    once(&world, 100);
    (cluster, world)
}

/// Runs the source, which publishes this many documents.
fn once(world: &World, documents: u64) {
    let config = world.config_file();
    let finished = program::run(world.folder(), &["run", config.to_str().unwrap(), "--once"]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let published = format!("test: {documents} documents published");
    assert!(finished.stderr.contains(&published), "{finished:?}");
}

/// Runs a command on `test.toml` in this folder.
fn state(folder: &Path, command: &str, more: &[&str]) -> Finished {
    let arguments = [&["state", command, "test.toml"], more].concat();
    program::run(folder, &arguments)
}

/// What a command prints that has to work.
fn done(world: &World, command: &str, more: &[&str]) -> String {
    let finished = state(world.folder(), command, more);
    assert_eq!(finished.code, Some(0), "{command}: {finished:?}");
    finished.stdout
}

fn json_of(world: &World, command: &str, more: &[&str]) -> Value {
    let more = [more, &["--json"]].concat();
    serde_json::from_str(&done(world, command, &more)).unwrap()
}

#[test]
fn every_command_explains_itself() {
    let folder = tempfile::tempdir().unwrap();
    let all = program::run(folder.path(), &["state", "--help"]);
    for (command, _) in COMMANDS {
        assert!(all.stdout.contains(&format!("  {command} ")), "{all:?}");
        let help = program::run(folder.path(), &["state", command, "--help"]);
        assert_eq!(help.code, Some(0), "{help:?}");
        assert!(
            help.stdout.contains("<CONFIG>") && help.stdout.contains("--source <NAME>"),
            "{help:?}"
        );
        assert_eq!(
            help.stdout.contains("--json"),
            has_json(command),
            "{help:?}"
        );
    }
}

#[test]
fn show_says_how_far_the_source_is_and_what_that_means() {
    let (_cluster, world) = published();
    let shown = done(&world, "show", &[]);
    for part in [
        "state file ",
        "holder      nobody",
        "reads       logs at http://127.0.0.1:",
        "watermark   2026-01-01T00:00:00.014",
        "documents   100 delivered",
        "cycles      1 finished, 1 with documents and 0 without",
        "errors      0 polls failed, the last one: -",
        "output      s, topic t, partition 0 ends at ",
    ] {
        assert!(shown.contains(part), "{part:?} is missing: {shown}");
    }
    let shown = json_of(&world, "show", &[]);
    assert_eq!(
        (&shown["state"], &shown["holder"]),
        (&world.state(), &Value::Null)
    );
    done(&world, "reset", &["--yes"]);
    assert!(done(&world, "show", &[]).contains("none yet"));
    assert_eq!(json_of(&world, "show", &[])["state"], Value::Null);
    let mut state = shown["state"].clone();
    state["data"]["last_poll_timestamp"] = Value::Null;
    state["data"]["reading"]["slices"] = json!([{"position": [9, 1]}, {"position": [10, 2]}, {}]);
    std::fs::write(world.folder().join("states/test.json"), state.to_string()).unwrap();
    let shown = done(&world, "show", &[]);
    assert!(
        shown.contains("watermark   10, the place of the last document, "),
        "{shown}"
    );
}

#[test]
fn list_and_stats_tell_all_states_of_the_place() {
    let (_cluster, world) = published();
    std::fs::write(world.folder().join("states/broken.json"), "{").unwrap();
    let listed = json_of(&world, "list", &[]);
    assert_eq!(
        (&listed[0]["id"], &listed[0]["configured"]),
        (&json!("broken"), &json!(false))
    );
    assert!(
        listed[0]["error"]
            .as_str()
            .unwrap()
            .contains("no readable state")
    );
    let (own, size) = (
        &listed[1],
        std::fs::metadata(world.state_file()).unwrap().len(),
    );
    assert_eq!(
        (
            &own["id"],
            &own["documents"],
            &own["configured"],
            &own["bytes"],
            &own["last_updated"]
        ),
        (
            &json!("test"),
            &json!(100),
            &json!(true),
            &json!(size),
            &world.state()["last_updated"]
        )
    );
    assert!(done(&world, "list", &[]).contains("100 documents, version"));
    let stats = json_of(&world, "stats", &[]);
    assert_eq!(
        (
            &stats["total_states"],
            &stats["total_bytes"],
            &stats["unreadable"],
            &stats["leased"]
        ),
        (&json!(2), &json!(size + 1), &json!(1), &json!(0))
    );
    assert_eq!(
        (&stats["oldest"], &stats["newest"]),
        (&own["last_updated"], &own["last_updated"])
    );
    assert!(done(&world, "stats", &[]).contains("unreadable  1"));
}

#[test]
fn a_backup_of_a_running_source_is_a_state_to_go_on_from() {
    let (cluster, world) = published();
    let config = world.config_file();
    let mut command = program::command(world.folder(), &["run", config.to_str().unwrap()]);
    let running = command.spawn().unwrap();
    program::wait_until("it holds its state", || {
        done(&world, "show", &[]).contains(&format!("process {} on ", running.id()))
    });
    let mut backups = Vec::new();
    for last in [200, 300, 400] {
        sample::insert(&cluster, last - 100..last);
        cluster.refresh();
        backups.push(done(&world, "export", &[]));
        program::wait_until("it is published", || world.delivered().len() as u64 == last);
    }
    program::terminate(&running);
    assert_eq!(program::finish(running).code, Some(0));
    for backup in backups {
        std::fs::write(world.folder().join("backup.json"), &backup).unwrap();
        let said = done(&world, "import", &["backup.json", "--yes"]);
        assert!(said.contains("imported state test as state file"), "{said}");
        let (mut restored, mut backup) = (
            world.state(),
            serde_json::from_str::<Value>(&backup).unwrap(),
        );
        for state in [&mut restored, &mut backup] {
            state["last_updated"].take();
        }
        assert_eq!(restored, backup);
        once(&world, 0);
    }
    world.assert_holds_exactly(sample::ids(0..400));
}

#[test]
fn a_state_from_standard_input_of_another_connector_resumes_at_its_timestamp() {
    let cluster = sample::cluster(Product::Elasticsearch, 100);
    let world = World::reading(cluster.url(), "logs");
    world.config_file();
    let mut command = program::command(world.folder(), &["state", "import", "test.toml", "-"]);
    let mut importing = command.stdin(Stdio::piped()).spawn().unwrap();
    let foreign = FOREIGN.replace("URL", cluster.url());
    importing
        .stdin
        .take()
        .unwrap()
        .write_all(foreign.as_bytes())
        .unwrap();
    let imported = program::finish(importing);
    assert_eq!(imported.code, Some(0), "{imported:?}");
    assert!(
        imported.stdout.contains("elasticsearch_logs_connector"),
        "{imported:?}"
    );
    once(&world, 30);
    world.assert_holds_exactly(sample::ids(70..100));
    assert_eq!(world.state()["data"]["total_documents_fetched"], 15_030);
}

#[test]
fn after_a_reset_everything_is_delivered_again() {
    let (_cluster, world) = published();
    done(&world, "reset", &["--yes"]);
    assert!(!world.state_file().exists());
    once(&world, 100);
    assert_eq!(world.delivered().len(), 200);
}

#[test]
fn a_cleanup_removes_old_states_that_nobody_has_and_says_what_it_kept() {
    let (cluster, world) = published();
    let states = world.folder().join("states");
    let put = |id: &str, date: &str| {
        let state = FOREIGN
            .replace("elasticsearch_logs_connector", id)
            .replace("2024-01-15T10:30:00Z", date);
        std::fs::write(
            states.join(format!("{id}.json")),
            state.replace("URL", cluster.url()),
        )
        .unwrap();
    };
    put("old", "2024-01-15T10:30:00Z");
    put("future", "2124-01-15T10:30:00Z");
    put("test", "2024-01-15T10:30:00Z");
    let cleaned = json_of(&world, "cleanup", &["--older-than", "30d", "--yes"]);
    assert_eq!(cleaned["deleted"], json!(["old"]));
    let kept = cleaned["kept"].as_array().unwrap();
    for (kept, (id, why)) in kept
        .iter()
        .zip([("future", "in the future"), ("test", "configured")])
    {
        assert!(
            kept["id"] == id && kept["why"].as_str().unwrap().contains(why),
            "{kept}"
        );
        assert!(states.join(format!("{id}.json")).exists());
    }
    put("old", "2024-01-15T10:30:00Z");
    let said = done(&world, "cleanup", &["--older-than", "30d", "--yes"]);
    assert!(
        said.contains("removed old\n") && said.contains("kept test: "),
        "{said}"
    );
}
