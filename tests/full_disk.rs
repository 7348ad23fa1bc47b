//! A state whose disk is full: a small file system of its own, for the program alone.

use std::fs;
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use elasticsearch_source::mini_elasticsearch::Product;

use crate::support::program;
use crate::support::sample::{self, ids};
use crate::support::world::World;

const PAGE: usize = 50;

/// Mounts the folder for states, full, and runs the program; then frees and fills it
/// whenever a file of that name is there. Both end with the folder of a test that failed.
const SCRIPT: &str = r#"
mount -t tmpfs -o size=256k none states
full() { head -c 10m /dev/zero >states/filler 2>/dev/null; }
full
"$0" run "$1" 2>log &
echo $! >pid
while kill -0 $! 2>/dev/null; do
    if [ -e free ]; then rm states/filler free; fi
    if [ -e fill ]; then full; rm fill; fi
    [ -e "$1" ] || kill $!
    sleep 0.02
done
wait $!
"#;

fn start(world: &World) -> Child {
    fs::create_dir_all(world.folder().join("states")).unwrap();
    Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", SCRIPT])
        .arg(env!("CARGO_BIN_EXE_elasticsearch-source"))
        .arg(world.config_file())
        .current_dir(world.folder())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap()
}

/// How often the program has said what to do: once, and again when its breaker opens, after
/// which it tries nothing for up to a minute.
fn said(folder: &Path) -> usize {
    let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
    log.matches("make room on that disk").count()
}

fn delivered(folder: &Path) -> usize {
    let file = fs::read_to_string(folder.join("output/s/t.ndjson"));
    file.unwrap_or_default().lines().count()
}

/// Has the script do something.
fn ask(folder: &Path, what: &str) {
    let file = folder.join(what);
    fs::write(&file, "").unwrap();
    program::wait_until("it is done", || !file.exists());
}

#[test]
fn nothing_runs_ahead_of_a_state_that_has_no_room_and_all_goes_on_when_there_is() {
    let cluster = sample::cluster(Product::Elasticsearch, 300);
    let world = World::reading(cluster.url(), "logs")
        .key("polling_interval", "50ms")
        .raw("batch_size", &PAGE.to_string())
        .raw(
            "state",
            "{ storage_config = { base_path = \"states\" }, auto_save_interval = \"0s\" }",
        );
    let folder = world.folder();
    let child = start(&world);
    program::wait_until("the disk is said to be full", || said(folder) > 0);
    assert_eq!(delivered(folder), 0, "the first state could not be saved");
    ask(folder, "free");
    program::wait_until("all is published", || delivered(folder) == 300);
    // The state of the last page may not be saved yet, so that it may be said at once.
    let before = said(folder);
    ask(folder, "fill");
    sample::insert(&cluster, 300..1_000);
    cluster.refresh();
    program::wait_until("the disk is said to be full", || said(folder) > before);
    // Time for some more tries, and for fewer than open the breaker.
    std::thread::sleep(Duration::from_secs(2));
    let ahead = delivered(folder) - 300;
    assert!(ahead <= 2 * PAGE, "{ahead} documents ahead of the state");
    ask(folder, "free");
    program::wait_until("all is published", || delivered(folder) == 1_000);
    let pid = fs::read_to_string(folder.join("pid")).unwrap();
    let stopped = Command::new("kill").arg(pid.trim()).status().unwrap();
    assert!(stopped.success());
    assert_eq!(program::finish(child).code, Some(0));
    world.assert_holds_exactly(ids(0..1_000));
}
