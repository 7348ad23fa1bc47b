//! What the commands refuse, with the exit code and the remedy, and that nothing changes.

use super::*;

/// A document, and what is wrong with it.
type Spoilt = fn(&mut Value);

fn assert_refused(what: &str, finished: &Finished, code: i32, parts: &[&str]) {
    assert_eq!(finished.code, Some(code), "{what}: {finished:?}");
    assert_eq!(finished.stdout, "", "{what}");
    for part in parts {
        assert!(
            finished.stderr.contains(part),
            "{what}: {part:?} is missing: {}",
            finished.stderr
        );
    }
    assert!(
        !finished.stderr.contains("state state"),
        "{what}: {finished:?}"
    );
    let secret = finished.stderr.contains("hunter2");
    assert!(
        !secret && !finished.stderr.contains("panicked"),
        "{what}: {}",
        finished.stderr
    );
}

#[test]
fn what_can_not_be_undone_needs_a_yes_where_nobody_can_be_asked() {
    let (_cluster, world) = published();
    let (before, backup) = (world.state(), done(&world, "export", &[]));
    std::fs::write(world.folder().join("backup.json"), backup).unwrap();
    std::fs::write(
        world.folder().join("other.toml"),
        world.toml().replace("/states'", "/elsewhere'"),
    )
    .unwrap();
    let rows: [(&str, &[&str], &str); 4] = [
        ("import", &["backup.json"], "replaces state file"),
        ("reset", &[], "delivers everything again"),
        ("cleanup", &["--older-than", "0s"], "old states"),
        ("migrate", &["--to", "other.toml"], "elsewhere/test.json"),
    ];
    for (command, more, part) in rows {
        let finished = state(world.folder(), command, more);
        assert_refused(command, &finished, 2, &[part, "--yes"]);
        assert_eq!(world.state(), before, "{command}");
    }
}

#[test]
fn a_document_that_does_not_fit_the_source_is_not_imported() {
    let (cluster, world) = published();
    let (before, whole) = (world.state(), world.state());
    let rows: [(&str, Spoilt, &str, bool); 6] = [
        (
            "no data",
            |state| drop(state["data"].take()),
            "its \"data\" is no json object",
            true,
        ),
        (
            "another index",
            |state| state["metadata"]["index"] = json!("audit"),
            "its index is \"audit\" and not \"logs\"",
            false,
        ),
        (
            "another cluster",
            |state| state["metadata"]["url"] = json!("http://elsewhere:9200"),
            "its url is \"http://elsewhere:9200\"",
            false,
        ),
        (
            "another query",
            |state| state["data"]["reading"]["selection"]["query"] = json!({"term": {"a": 1}}),
            "query: is not the one",
            true,
        ),
        (
            "a newer version",
            |state| state["version"] = json!(99),
            "version 99",
            true,
        ),
        (
            "data of a wrong shape",
            |state| state["data"]["poll_count"] = json!("x"),
            "can not be read",
            true,
        ),
    ];
    for (what, spoil, part, also_forced) in rows {
        let mut spoilt = whole.clone();
        spoil(&mut spoilt);
        std::fs::write(world.folder().join("backup.json"), spoilt.to_string()).unwrap();
        let finished = state(world.folder(), "import", &["backup.json", "--yes"]);
        assert_refused(what, &finished, 1, &[part]);
        let forced = state(
            world.folder(),
            "import",
            &["backup.json", "--yes", "--force"],
        );
        match also_forced {
            true => {
                assert_refused(what, &forced, 1, &[part]);
                assert_eq!(world.state(), before, "{what}");
            }
            false => {
                assert_eq!(forced.code, Some(0), "{what}: {forced:?}");
                assert_eq!(world.state()["metadata"]["url"], cluster.url(), "{what}");
                once(&world, 0);
                std::fs::write(world.state_file(), before.to_string()).unwrap();
            }
        }
    }
}

#[test]
fn a_state_that_a_running_source_holds_is_not_changed_and_the_process_is_named() {
    let (_cluster, world) = published();
    let config = world.config_file();
    let mut command = program::command(world.folder(), &["run", config.to_str().unwrap()]);
    let running = command.spawn().unwrap();
    let process = format!("process {} on ", running.id());
    program::wait_until("it holds its state", || {
        done(&world, "show", &[]).contains(&process)
    });
    std::fs::write(
        world.folder().join("backup.json"),
        done(&world, "export", &[]),
    )
    .unwrap();
    std::fs::write(
        world.folder().join("other.toml"),
        world.toml().replace("/states'", "/elsewhere'"),
    )
    .unwrap();
    let rows: [(&str, &[&str]); 3] = [
        ("import", &["backup.json", "--force", "--yes"]),
        ("reset", &["--yes"]),
        ("migrate", &["--to", "other.toml", "--yes"]),
    ];
    for (command, more) in rows {
        let finished = state(world.folder(), command, more);
        assert_refused(command, &finished, 1, &[&process, "stop that process"]);
    }
    assert!(done(&world, "list", &[]).contains(&process));
    assert_eq!(json_of(&world, "stats", &[])["leased"], 1);
    program::terminate(&running);
    assert_eq!(program::finish(running).code, Some(0));
    once(&world, 0);
}

#[test]
fn a_source_without_a_state_says_so_to_every_command() {
    let world = World::reading("http://127.0.0.1:9", "logs").raw("state", "{ enabled = false }");
    world.config_file();
    std::fs::write(world.folder().join("backup.json"), FOREIGN).unwrap();
    for (command, more) in COMMANDS {
        let finished = state(world.folder(), command, more);
        assert_refused(
            command,
            &finished,
            2,
            &["test.toml:", "enabled", "keeps no state"],
        );
    }
}

#[test]
fn which_of_several_sources_is_meant_has_to_be_said() {
    let cluster = sample::cluster(Product::Elasticsearch, 10);
    let world = World::reading(cluster.url(), "logs");
    let one = world.toml();
    let (output, source) = one.split_at(one.find("[sources.test]").unwrap());
    let second = source
        .replace("sources.test", "sources.second")
        .replace("\"t\"", "\"u\"");
    std::fs::write(
        world.folder().join("test.toml"),
        format!("{output}{source}{second}"),
    )
    .unwrap();
    std::fs::write(
        world.folder().join("backup.json"),
        FOREIGN.replace("URL", cluster.url()),
    )
    .unwrap();
    for (command, more) in COMMANDS {
        let finished = state(world.folder(), command, more);
        assert_refused(
            command,
            &finished,
            2,
            &["choose one of second, test with --source NAME"],
        );
        let more = [more, &["--source", "third"]].concat();
        let finished = state(world.folder(), command, &more);
        assert_refused(
            command,
            &finished,
            2,
            &["no source \"third\": choose one of second, test"],
        );
    }
    done(&world, "import", &["backup.json", "--source", "second"]);
    assert!(world.folder().join("states/second.json").exists() && !world.state_file().exists());
    let cleaned = json_of(
        &world,
        "cleanup",
        &["--older-than", "0s", "--source", "test", "--yes"],
    );
    assert_eq!(cleaned["deleted"], json!([]));
}

#[test]
fn what_is_not_there_is_an_error_with_the_place() {
    let cluster = sample::cluster(Product::Elasticsearch, 10);
    let world = World::reading(cluster.url(), "logs")
        .key("username", "a")
        .key("password", "hunter2");
    world.config_file();
    std::fs::write(
        world.folder().join("other.toml"),
        world.toml().replace("/states'", "/elsewhere'"),
    )
    .unwrap();
    std::fs::write(world.folder().join("broken.json"), "{").unwrap();
    let redis =
        "{ storage_type = \"redis\", storage_config = { url = \"redis://:hunter2@127.0.0.1:9\" } }";
    let unreachable = world
        .toml()
        .replace("[sources.test.limits]", "")
        .lines()
        .map(|line| {
            if line.starts_with("state =") {
                format!("state = {redis}")
            } else {
                line.to_owned()
            }
        })
        .collect::<Vec<_>>()
        .join("\n");
    std::fs::write(world.folder().join("unreachable.toml"), unreachable).unwrap();
    let rows: [(&[&str], i32, &[&str]); 10] = [
        (
            &["export", "test.toml"],
            1,
            &["there is no state file", "state_id"],
        ),
        (
            &["reset", "test.toml", "--yes"],
            1,
            &["there is no state file"],
        ),
        (
            &["migrate", "test.toml", "--to", "other.toml", "--yes"],
            1,
            &["there is no state file"],
        ),
        (
            &["migrate", "test.toml", "--to", "test.toml", "--yes"],
            1,
            &["both configurations"],
        ),
        (
            &["migrate", "test.toml", "--to", "none.toml", "--yes"],
            2,
            &["none.toml"],
        ),
        (
            &["import", "test.toml", "none.json"],
            2,
            &["cannot read none.json", "check the path"],
        ),
        (
            &["import", "test.toml", "broken.json"],
            1,
            &["no state document", "state export"],
        ),
        (&["show", "none.toml"], 2, &["none.toml"]),
        (
            &["cleanup", "test.toml", "--older-than", "month", "--yes"],
            2,
            &["month", "like \"30s\""],
        ),
        (&["list", "unreachable.toml"], 1, &["127.0.0.1:9"]),
    ];
    for (arguments, code, parts) in rows {
        let finished = program::run(world.folder(), &[&["state"], arguments].concat());
        assert_refused(&arguments.join(" "), &finished, code, parts);
    }
}
