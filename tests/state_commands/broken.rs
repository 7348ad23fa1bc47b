//! What cannot be read, be it a state file or what a command prints, and what gets past it.

use super::*;

#[test]
fn what_changes_a_state_says_what_it_did_as_one_json_object() {
    let (_cluster, world) = published();
    let place = json_of(&world, "show", &[])["place"].take();
    let backup = done(&world, "export", &[]);
    std::fs::write(world.folder().join("backup.json"), backup).unwrap();
    let other = world.toml().replace("/states'", "/elsewhere'");
    std::fs::write(world.folder().join("other.toml"), other).unwrap();
    let imported = json_of(&world, "import", &["backup.json", "--yes"]);
    assert_eq!(
        imported,
        json!({"imported": "test", "place": place, "replaced": true, "broken": null, "from_the_beginning": false})
    );
    let moved = json_of(&world, "migrate", &["--to", "other.toml", "--yes"]);
    let there = place.as_str().unwrap().replace("/states/", "/elsewhere/");
    assert_eq!(moved, json!({"from": place, "to": there}));
    done(&world, "import", &["backup.json"]);
    let removed = json_of(&world, "reset", &["--yes"]);
    assert_eq!(removed, json!({"removed": place, "broken": null}));
}

#[test]
fn a_broken_state_stops_a_run_and_makes_way_for_a_reset_or_a_forced_import() {
    let (_cluster, world) = published();
    let backup = done(&world, "export", &[]);
    std::fs::write(world.folder().join("backup.json"), backup).unwrap();
    let kept = world.state_file().with_extension("json.broken");
    for damage in ["", "{\"id\":\"te", "\0\0\0", "{}"] {
        std::fs::write(world.state_file(), damage).unwrap();
        let run = program::run(world.folder(), &["run", "test.toml", "--once"]);
        assert_eq!(run.code, Some(1), "{run:?}");
        for (command, more, part) in [
            ("import", &["backup.json"][..], "`state import --force`"),
            (
                "import",
                &["backup.json", "--yes"],
                "`state import --force`",
            ),
            ("reset", &[], "--yes"),
        ] {
            let refused = state(world.folder(), command, more);
            assert_ne!(refused.code, Some(0), "{refused:?}");
            assert!(refused.stderr.contains(part), "{refused:?}");
        }
        assert_eq!(std::fs::read_to_string(world.state_file()).unwrap(), damage);
        let imported = json_of(&world, "import", &["backup.json", "--force"]);
        let broken = &imported["broken"];
        assert!(
            broken["error"]
                .as_str()
                .unwrap()
                .contains("no readable state"),
            "{imported}"
        );
        assert_eq!(broken["kept"], json!(format!("file {}", kept.display())));
        assert_eq!(std::fs::read_to_string(&kept).unwrap(), damage);
        once(&world, 0);
        std::fs::write(world.state_file(), damage).unwrap();
        let said = done(&world, "reset", &["--yes"]);
        assert!(
            said.contains("was no readable state, and is kept as file "),
            "{said}"
        );
        assert!(!world.state_file().exists());
    }
    assert!(world.folder().join("states/test.lease").exists());
}

#[test]
fn a_state_is_shown_when_who_holds_it_can_not_be_read() {
    let cluster = sample::cluster(Product::Elasticsearch, 300);
    let states = "{ storage_type = \"elasticsearch\" }";
    let world = World::reading(cluster.url(), "logs").raw("state", states);
    world.config_file();
    once(&world, 300);
    let lease = r#"{"holder": 7}"#;
    let written = cluster.insert("connector_states", Some("test.lease"), lease);
    written.unwrap();
    cluster.refresh();
    let shown = json_of(&world, "show", &[]);
    assert_eq!(shown["state"]["data"]["total_documents_fetched"], 300);
    let said = done(&world, "show", &[]);
    for part in ["holds no readable lease", "300 delivered"] {
        assert!(said.contains(part), "{part:?} is missing: {said}");
    }
    assert_eq!(shown["holder"], json!(null));
    let why = shown["holder_error"].as_str().unwrap();
    assert!(why.contains("remove it when no process uses"), "{why}");
    let listed = json_of(&world, "list", &[]);
    let entry = &listed[0];
    assert_eq!(entry["documents"], 300, "{listed}");
    assert!(
        entry["error"].as_str().unwrap().contains("lease"),
        "{listed}"
    );
}

#[test]
fn a_document_without_a_place_is_imported_with_a_word_about_it() {
    let (_cluster, world) = published();
    let mut empty = world.state();
    let mut untimed = empty["data"].clone();
    for key in ["last_poll_timestamp", "last_document_id"] {
        untimed[key] = json!(null);
    }
    empty["data"] = json!({});
    std::fs::write(world.folder().join("empty.json"), empty.to_string()).unwrap();
    let said = done(&world, "import", &["empty.json", "--yes"]);
    assert!(
        said.contains("the next run reads from the beginning"),
        "{said}"
    );
    let imported = json_of(&world, "import", &["empty.json", "--yes"]);
    assert_eq!(imported["from_the_beginning"], true, "{imported}");
    let places = [
        json!({"last_poll_timestamp": "2026-01-01T00:00:00Z"}),
        json!({"last_document_id": "d7"}),
        untimed,
    ];
    for data in places {
        empty["data"] = data;
        std::fs::write(world.folder().join("placed.json"), empty.to_string()).unwrap();
        let said = done(&world, "import", &["placed.json", "--yes"]);
        assert!(said.contains("the next run goes on from it"), "{said}");
    }
}

/// As `head` is one, and a full disk another.
#[test]
fn a_reader_that_has_seen_enough_is_no_error_and_one_without_room_is() {
    let (_cluster, world) = published();
    let outcome = |command: &str, out: Stdio| {
        let mut program = program::command(world.folder(), &["state", command, "test.toml"]);
        let ended = program.stdout(out).spawn().unwrap().wait_with_output();
        let ended = ended.unwrap();
        (
            ended.status.code(),
            String::from_utf8(ended.stderr).unwrap(),
        )
    };
    for command in ["show", "export", "list", "stats"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        assert_eq!(outcome(command, writer.into()), (Some(0), String::new()));
        let full = std::fs::File::create("/dev/full").unwrap();
        let (code, said) = outcome(command, full.into());
        assert_eq!(code, Some(1), "{command}: {said}");
        assert!(
            said.starts_with("error: cannot write to standard output"),
            "{said}"
        );
    }
}
