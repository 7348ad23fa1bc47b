//! What the watcher makes of things that are no component any more, and of signals.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use elasticsearch_source::component::{Content, Digest, Origin};
use elasticsearch_source::mini_elasticsearch::{MiniElasticsearch, Product};

use crate::support::program::{self, wait_until};
use crate::support::rebuilt::{Rebuilt, Wrong};
use crate::support::sample::{self, INDEX};
use crate::support::world::World;

const REFUSED: &str = "the component is not exchanged";
const SAME: &str = "the component is the one that runs";

fn embedded() -> Vec<u8> {
    Content::read(Origin::Embedded).unwrap().bytes().to_vec()
}

fn make_fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// A run whose component is in a file.
struct Watched {
    _cluster: MiniElasticsearch,
    world: World,
    file: PathBuf,
    child: Child,
}

impl Watched {
    /// With this path and the file that it leads to.
    fn start(path: &str, file: &str, bytes: &[u8]) -> Self {
        Self::start_polling("50ms", path, file, bytes)
    }

    fn start_polling(interval: &str, path: &str, file: &str, bytes: &[u8]) -> Self {
        let cluster = sample::cluster(Product::Elasticsearch, 20);
        let world = World::reading(cluster.url(), INDEX).key("polling_interval", interval);
        let path = world.folder().join(path);
        let file = world.folder().join(file);
        fs::write(&file, bytes).unwrap();
        let world = world.source_keys(&format!("path = '{}'", path.display()));
        let config = world.config_file();
        let child = program::command(world.folder(), &["run", config.to_str().unwrap()])
            .env("XDG_CACHE_HOME", world.folder())
            .stderr(fs::File::create(world.folder().join("log")).unwrap())
            .spawn()
            .unwrap();
        Self {
            _cluster: cluster,
            world,
            file,
            child,
        }
    }

    fn logged(&self, text: &str) -> usize {
        let log = fs::read_to_string(self.world.folder().join("log")).unwrap();
        log.matches(text).count()
    }

    fn reads(self) -> Self {
        wait_until("all is read", || self.world.delivered().len() == 20);
        self
    }

    fn hangs_up(&self) {
        program::signal(&self.child, "HUP");
    }

    fn ends(mut self) {
        program::terminate(&self.child);
        let mut ended = || self.child.try_wait().unwrap();
        wait_until("it ends", || ended().is_some());
        assert!(self.child.wait().unwrap().success());
    }
}

#[test]
fn what_a_look_found_is_said_each_time_that_somebody_asks() {
    let run = Watched::start("mine", "mine.wasm", &embedded()).reads();
    run.hangs_up();
    wait_until("it is the same", || run.logged(SAME) == 1);
    run.hangs_up();
    wait_until("it is the same again", || run.logged(SAME) == 2);
    fs::remove_file(&run.file).unwrap();
    run.hangs_up();
    wait_until("it is gone", || run.logged(REFUSED) == 1);
    symlink("nowhere", &run.file).unwrap();
    run.hangs_up();
    wait_until("it leads nowhere", || run.logged(REFUSED) == 2);
    assert_eq!(run.logged("there is no component"), 2);
    run.ends();
}

#[test]
fn what_is_no_file_is_refused_and_keeps_nobody_from_ending() {
    let run = Watched::start("mine", "mine.wasm", &embedded()).reads();
    fs::remove_file(&run.file).unwrap();
    fs::create_dir(&run.file).unwrap();
    let folder = "is a directory: name the component's file";
    wait_until("the folder is seen", || run.logged(folder) == 1);
    fs::remove_dir(&run.file).unwrap();
    make_fifo(&run.file);
    let pipe = "is a pipe or a device: name the component's file";
    wait_until("the pipe is seen", || run.logged(pipe) == 1);
    run.ends();
}

#[test]
fn the_embedded_component_takes_the_place_of_its_file_that_was_removed() {
    let name = "libiggy_connector_elasticsearch_source";
    let newer = Rebuilt::numbered(1).bytes();
    let run = Watched::start(name, &format!("{name}.wasm"), &newer).reads();
    fs::remove_file(&run.file).unwrap();
    run.hangs_up();
    wait_until("it is exchanged", || {
        run.logged("the component was exchanged") == 1
    });
    run.ends();
}

#[test]
fn a_file_that_is_replaced_while_the_first_one_is_compiled_is_taken() {
    let run = Watched::start("mine", "mine.wasm", &embedded());
    let newer = Rebuilt::numbered(2).bytes();
    wait_until("it holds its state", || {
        run.world.folder().join("states").exists()
    });
    std::thread::sleep(Duration::from_millis(100));
    let part = run.world.folder().join("part");
    fs::write(&part, &newer).unwrap();
    fs::rename(&part, &run.file).unwrap();
    let newer = Digest::of(&newer).to_string();
    wait_until("the newer one is taken", || run.logged(&newer) > 0);
    run.reads().ends();
}

#[test]
fn a_signal_in_the_first_moments_ends_nothing() {
    for more in [&["--once"][..], &[]] {
        let cluster = sample::cluster(Product::Elasticsearch, 20);
        let world = World::reading(cluster.url(), INDEX);
        let (pipe, log) = (world.folder().join("pipe"), world.folder().join("log"));
        make_fifo(&pipe);
        let arguments = [&["run", "pipe"], more].concat();
        let mut child = program::command(world.folder(), &arguments)
            .stderr(fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        // Opens when the program reads it.
        let mut config = fs::OpenOptions::new().write(true).open(&pipe).unwrap();
        program::signal(&child, "HUP");
        std::thread::sleep(Duration::from_millis(200));
        config.write_all(world.toml().as_bytes()).unwrap();
        drop(config);
        wait_until("all is read", || world.delivered().len() == 20);
        if more.is_empty() {
            program::terminate(&child);
        }
        assert!(child.wait().unwrap().success(), "{more:?}");
        let log = fs::read_to_string(&log).unwrap();
        assert_eq!(log.contains("SIGHUP is ignored"), !more.is_empty(), "{log}");
    }
}

#[test]
fn what_fails_on_probation_is_tried_again_when_somebody_asks_after_that_and_not_before() {
    let run = Watched::start_polling("1s", "mine", "mine.wasm", &embedded()).reads();
    let newer = Rebuilt::numbered(1).failing_in_poll(9, Wrong::Trap);
    let part = run.world.folder().join("part");
    fs::write(&part, newer.bytes()).unwrap();
    fs::rename(&part, &run.file).unwrap();
    let exchanged = || run.logged("the component was exchanged");
    let failed = || run.logged("the component failed on probation");
    wait_until("it is exchanged", || exchanged() == 1);
    run.hangs_up();
    wait_until("it is looked at", || run.logged(SAME) == 1);
    wait_until("it fails", || failed() == 1);
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!((exchanged(), failed()), (1, 1));
    run.hangs_up();
    wait_until("it is exchanged again", || exchanged() == 2);
    run.ends();
}
