//! What comes from elsewhere reaches no terminal as it is.

use std::path::Path;

use elasticsearch_source::mini_elasticsearch::Product;

use crate::support::program;
use crate::support::sample;
use crate::support::world::World;

/// Clears the screen, and forges a line.
const FORGED: &str = "\u{1b}[2J\r\nERROR forged";
const SHOWN: &str = "\\u{1b}[2J\\r\\nERROR forged";

/// A component whose tool has this name.
fn made_by(tool: &str) -> Vec<u8> {
    let tool = tool.escape_default().to_string();
    wat::parse_str(format!(
        "(component (core module (@producers (processed-by \"{tool}\" \"1\"))))"
    ))
    .unwrap()
}

fn assert_shown(folder: &Path, arguments: &[&str]) {
    let ended = program::run(folder, arguments);
    let printed = format!("{}{}", ended.stdout, ended.stderr);
    assert!(printed.contains(SHOWN), "{arguments:?}: {printed:?}");
    assert!(!printed.contains(['\u{1b}', '\r']), "{printed:?}");
}

#[test]
fn what_others_wrote_is_printed_without_what_a_terminal_obeys() {
    let cluster = sample::cluster(Product::Elasticsearch, 3);
    let world = World::reading(cluster.url(), "logs");
    let folder = world.folder();
    std::fs::write(folder.join("tool.wasm"), made_by(FORGED)).unwrap();
    assert_shown(folder, &["component", "inspect", "tool"]);
    world.config_file();
    let run = program::run(folder, &["run", "test.toml", "--once"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let mut state = world.state();
    state["data"]["last_document_id"] = FORGED.into();
    std::fs::write(world.state_file(), state.to_string()).unwrap();
    assert_shown(folder, &["state", "show", "test.toml"]);
    let name = format!("{FORGED}.wasm");
    assert_shown(folder, &["component", "inspect", &name]);
}

#[test]
fn several_mistakes_of_a_configuration_stand_in_a_line_each() {
    let world =
        World::reading("http://127.0.0.1:9", "logs").lines("timeout = 'x'\npolling_interval = 'y'");
    world.config_file();
    let checked = program::run(world.folder(), &["run", "test.toml"]);
    assert_eq!(
        checked.stderr.matches("test.toml:").count(),
        2,
        "{checked:?}"
    );
    assert_eq!(checked.stderr.lines().count(), 2, "{checked:?}");
}
