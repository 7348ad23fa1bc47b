//! `component ..`: what the commands say of a component, and that they change nothing.

use std::path::Path;

use elasticsearch_source::component::{Content, Digest, Origin};
use elasticsearch_source::mini_elasticsearch::{MiniElasticsearch, Product};
use serde_json::{Value, json};

use crate::support::program::{self, Finished};
use crate::support::sample;
use crate::support::world::World;

const EMBEDDED: &str = "libiggy_connector_elasticsearch_source";

fn component(folder: &Path, arguments: &[&str]) -> Finished {
    program::run(folder, &[&["component"], arguments].concat())
}

/// A component that wants files and offers something else, made by a tool.
fn greedy() -> Vec<u8> {
    wat::parse_str(
        r#"(component
            (import "wasi:filesystem/types@0.2.6" (instance))
            (import "iggy:connector/log@0.1.0" (instance))
            (core module $m (func (export "f"))
                (@producers (language "Rust" "2024") (processed-by "tool" "1.2")))
            (core instance $i (instantiate $m))
            (func $f (canon lift (core func $i "f")))
            (instance $s (export "g" (func $f)))
            (export "some:other/thing@1.0.0" (instance $s)))"#,
    )
    .unwrap()
}

#[test]
fn inspect_prints_permissions_exports_world_size_digest_and_toolchain() {
    let folder = tempfile::tempdir().unwrap();
    let embedded = Content::read(Origin::Embedded).unwrap();
    let looked = component(folder.path(), &["inspect", EMBEDDED]);
    assert_eq!(looked.code, Some(0), "{looked:?}");
    for part in [
        "the embedded component\n",
        &format!("  size       {} bytes\n", embedded.bytes().len()),
        &format!("  sha256     {}\n", embedded.digest()),
        "  world      iggy:connector/source-connector@0.1.0\n",
        "  runs here  yes\n",
        "  may use    iggy:connector/http@0.1.0       requests to the configured cluster, as granted\n",
        "             wasi:io/streams@0.2.6           the streams above, and no others\n",
        "  offers     iggy:connector/source@0.1.0: backlog, close, describe, migrate-state, open, poll, reslice-states\n",
        "  made by    ",
    ] {
        assert!(looked.stdout.contains(part), "{part:?}: {}", looked.stdout);
    }
    std::fs::write(folder.path().join("greedy.wasm"), greedy()).unwrap();
    let looked = component(folder.path(), &["inspect", "greedy"]);
    assert_eq!(looked.code, Some(0), "{looked:?}");
    for part in [
        "component greedy.wasm\n",
        "  world      none that this program knows\n",
        "  runs here  no: component greedy.wasm imports what no component is granted",
        "wasi:filesystem/types@0.2.6  NOT GRANTED: files, which are never granted",
        "  offers     some:other/thing@1.0.0: g\n",
        "language Rust 2024\n",
        "processed-by tool 1.2\n",
    ] {
        assert!(looked.stdout.contains(part), "{part:?}: {}", looked.stdout);
    }
    let looked = component(folder.path(), &["inspect", "greedy", "--json"]);
    let said: Value = serde_json::from_str(&looked.stdout).unwrap();
    assert_eq!(said["sha256"], Digest::of(&greedy()).to_string());
    assert_eq!(
        (&said["size"], &said["world"]),
        (&json!(greedy().len()), &Value::Null)
    );
    assert_eq!(said["imports"][1]["granted"], false);
    assert_eq!(said["exports"][0]["functions"], json!(["g"]));
    assert_eq!(
        said["toolchain"][0],
        json!({"role": "language", "name": "Rust", "version": "2024"})
    );
}

#[test]
fn what_can_not_be_inspected_has_an_exit_code_by_whose_mistake_it_is() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("text.wasm"), "text").unwrap();
    let rows = [
        ("absent.wasm", 2, "there is no component absent.wasm"),
        ("text.wasm", 1, "component text.wasm is not WebAssembly"),
    ];
    for (file, code, part) in rows {
        let looked = component(folder.path(), &["inspect", file]);
        assert_eq!(looked.code, Some(code), "{looked:?}");
        assert!(looked.stderr.contains(part), "{looked:?}");
    }
}

/// A source that has published 100 documents and keeps its state.
fn published(world: World) -> World {
    let config = world.config_file();
    let run = program::run(world.folder(), &["run", config.to_str().unwrap(), "--once"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    world
}

fn cluster() -> MiniElasticsearch {
    sample::cluster(Product::Elasticsearch, 100)
}

#[test]
fn check_tries_a_component_with_the_real_state_and_changes_nothing() {
    let cluster = cluster();
    let world = World::reading(cluster.url(), "logs");
    world.config_file();
    let check = |file: &str, more: &[&str]| {
        let arguments = [&["check", file, "test.toml"], more].concat();
        component(world.folder(), &arguments)
    };
    let before = check(EMBEDDED, &[]);
    assert_eq!(before.code, Some(0), "{before:?}");
    assert!(
        before
            .stdout
            .contains("none yet, it would read from the beginning"),
        "{before:?}"
    );
    let world = published(world);
    let (state, output) = (world.state(), world.delivered());
    let requests = cluster.requests().len();
    let embedded = Content::read(Origin::Embedded).unwrap();
    std::fs::write(world.folder().join("mine.wasm"), embedded.bytes()).unwrap();
    let checked = component(
        world.folder(),
        &["check", "mine", "test.toml", "--source", "test"],
    );
    assert_eq!(checked.code, Some(0), "{checked:?}");
    for part in [
        "component mine.wasm\n",
        &format!("  sha256     {}\n", embedded.digest()),
        "  imports    all of them are granted\n",
        "  requests   reading of its index\n",
        "  describes  iggy-connector-elasticsearch-source ",
        "  opens      with the configuration of source test\n",
        "  state      goes on from a copy of it, version ",
    ] {
        assert!(
            checked.stdout.contains(part),
            "{part:?}: {}",
            checked.stdout
        );
    }
    let arguments = ["check", "mine", "test.toml", "--json"];
    let said = component(world.folder(), &arguments).stdout;
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["state_version"], state["version"]);
    assert_eq!(said["source"], "test");
    assert_eq!((world.state(), world.delivered()), (state, output));
    assert_eq!(cluster.requests().len(), requests);
}

#[test]
fn check_refuses_with_one_what_would_not_run_and_with_two_what_is_no_question() {
    let cluster = cluster();
    let world = World::reading(cluster.url(), "logs");
    let world = published(world);
    std::fs::write(world.folder().join("greedy.wasm"), greedy()).unwrap();
    let config = world.toml();
    let rows = [
        ("absent", "", 2, "there is no component absent"),
        ("greedy", "", 1, "imports what no component is granted"),
        (EMBEDDED, "batch_sise = 1\n", 1, "batch_sise"),
        (EMBEDDED, "id_namespace = \"other\"\n", 1, "state"),
        (EMBEDDED, "password = 1\n", 2, "password"),
    ];
    for (file, keys, code, part) in rows {
        let table = "[sources.test.config]\n";
        let config = config.replace(table, &format!("{table}{keys}"));
        std::fs::write(world.folder().join("test.toml"), config).unwrap();
        let checked = component(world.folder(), &["check", file, "test.toml"]);
        assert_eq!(checked.code, Some(code), "{file} {keys}: {checked:?}");
        assert!(checked.stderr.contains(part), "{file} {keys}: {checked:?}");
    }
    let pinned = world.source_keys(&format!("sha256 = \"{}\"", "0".repeat(64)));
    pinned.config_file();
    let checked = component(pinned.folder(), &["check", EMBEDDED, "test.toml"]);
    assert_eq!(checked.code, Some(1), "{checked:?}");
    assert!(
        checked.stderr.contains("is not the one that was pinned"),
        "{checked:?}"
    );
    let damaged = pinned.source_keys("");
    damaged.config_file();
    let newer = r#"{"id":"test","version":99,"data":{}}"#;
    for (state, part) in [
        ("{", "holds no readable state"),
        (
            newer,
            "the component does not take over the state that there is",
        ),
    ] {
        std::fs::write(damaged.state_file(), state).unwrap();
        let checked = component(damaged.folder(), &["check", EMBEDDED, "test.toml"]);
        assert_eq!(checked.code, Some(1), "{checked:?}");
        assert!(checked.stderr.contains(part), "{checked:?}");
        let left = std::fs::read_to_string(damaged.state_file()).unwrap();
        assert_eq!(left, state);
    }
}

/// The cache of compiled components, as a person and a disk treat it.
#[test]
fn a_changed_entry_of_the_cache_is_reported_and_the_component_runs_all_the_same() {
    let cluster = cluster();
    let world = World::reading(cluster.url(), "logs");
    let cache = world.folder().join("compiled");
    let output = world.folder().join("output");
    let world = world.output(&format!(
        "[output]\ntype = \"file\"\npath = {output:?}\n[cache]\npath = {cache:?}\n"
    ));
    let config = world.config_file();
    let run = || program::run(world.folder(), &["run", config.to_str().unwrap(), "--once"]);
    let reported = "a compiled component is not what was kept";
    let entries = || {
        let entries = std::fs::read_dir(&cache).unwrap();
        entries
            .map(|entry| entry.unwrap().path())
            .collect::<Vec<_>>()
    };
    for step in ["compiled", "found"] {
        let run = run();
        assert_eq!(run.code, Some(0), "{step}: {run:?}");
        assert!(!run.stderr.contains(reported), "{step}: {run:?}");
        assert_eq!(entries().len(), 1, "{step}");
    }
    let entry = entries().remove(0);
    let mut bytes = std::fs::read(&entry).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&entry, &bytes).unwrap();
    let noticed = run();
    assert_eq!(noticed.code, Some(0), "{noticed:?}");
    assert!(noticed.stderr.contains(reported), "{noticed:?}");
    assert_ne!(std::fs::read(&entry).unwrap(), bytes);
    world.assert_holds_exactly((0..100).map(|n| format!("d{n}")));
    let off = world.output("[output]\ntype = \"file\"\npath = \"o\"\n[cache]\nenabled = false\n");
    off.config_file();
    std::fs::remove_dir_all(&cache).unwrap();
    let checked = program::run(off.folder(), &["check", "test.toml"]);
    assert_eq!(
        (checked.code, cache.exists()),
        (Some(0), false),
        "{checked:?}"
    );
}
