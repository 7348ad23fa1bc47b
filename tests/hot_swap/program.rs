//! The same with the program, its files and its signals.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use elasticsearch_source::component::{Content, Origin};
use elasticsearch_source::mini_elasticsearch::Product;

use crate::support::program::{self, wait_until};
use crate::support::rebuilt::Rebuilt;
use crate::support::sample::{self, INDEX};
use crate::support::world::World;

const EXCHANGED: &str = "the component was exchanged";
const REFUSED: &str = "the component is not exchanged";

/// As a copy over a slow network does.
fn write_slowly(file: &Path, bytes: &[u8]) {
    let mut file = std::fs::File::create(file).unwrap();
    for part in bytes.chunks(bytes.len() / 6) {
        file.write_all(part).unwrap();
        std::thread::sleep(Duration::from_millis(400));
    }
}

#[test]
fn a_file_that_changes_is_taken_when_it_is_whole_and_a_signal_has_it_looked_at_again() {
    let cluster = sample::cluster(Product::Elasticsearch, 500);
    let world = World::reading(cluster.url(), INDEX).key("polling_interval", "50ms");
    let (file, log) = (world.folder().join("mine.wasm"), world.folder().join("log"));
    let embedded = Content::read(Origin::Embedded).unwrap();
    std::fs::write(&file, embedded.bytes()).unwrap();
    let world = world.source_keys(&format!("path = '{}'", file.display()));
    let config = world.config_file();
    let mut child = program::command(world.folder(), &["run", config.to_str().unwrap()])
        .stderr(std::fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let logged = |text: &str| std::fs::read_to_string(&log).unwrap().matches(text).count();
    wait_until("all is read", || world.delivered().len() == 500);

    let newer = Rebuilt::numbered(1).bytes();
    std::fs::write(&file, &newer[..newer.len() / 2]).unwrap();
    wait_until("half a file is refused", || logged(REFUSED) == 1);
    assert_eq!(logged("is cut off or damaged"), 1);
    std::thread::sleep(Duration::from_millis(2_500));
    assert_eq!(logged(REFUSED), 1, "nobody asked again");
    program::signal(&child, "HUP");
    wait_until("it is tried again", || logged(REFUSED) == 2);

    write_slowly(&file, &newer);
    wait_until("the whole file is taken", || logged(EXCHANGED) == 1);
    assert_eq!(logged(REFUSED), 2, "no part of it was looked at");
    sample::insert(&cluster, 500..900);
    wait_until("it reads on", || world.delivered().len() == 900);
    wait_until("it is kept", || logged("has passed its probation") == 1);
    program::signal(&child, "HUP");
    std::thread::sleep(Duration::from_millis(2_500));
    assert_eq!(logged(EXCHANGED), 1, "it runs already");

    program::terminate(&child);
    let log = || std::fs::read_to_string(&log).unwrap();
    assert!(child.wait().unwrap().success(), "{}", log());
    world.assert_holds_exactly(sample::ids(0..900));
}
