//! Two processes and one state, in a store that they share: one publishes at a time, and
//! what becomes of the other.

use std::ops::Range;
use std::process::Child;
use std::time::Duration;

use elasticsearch_source::mini_elasticsearch::{MiniElasticsearch, Product};

use crate::support::iggy::IggyStandIn;
use crate::support::program::{self, Finished};
use crate::support::proxy::{Proxy, Way};
use crate::support::sample;
use crate::support::world::World;

/// A cluster, which keeps the state as well, and an Iggy.
struct Place {
    cluster: MiniElasticsearch,
    iggy: IggyStandIn,
}

impl Place {
    async fn new() -> Self {
        Self {
            cluster: sample::cluster(Product::Elasticsearch, 300),
            iggy: IggyStandIn::start().await,
        }
    }

    /// A process, with a folder of its own, as on a machine of its own.
    fn start(&self, on_conflict: &str) -> (World, Child) {
        self.start_with(on_conflict, "")
    }

    /// The same with these keys in `storage_config`.
    fn start_with(&self, on_conflict: &str, storage: &str) -> (World, Child) {
        let output = self.iggy.toml("timeout = \"300ms\"");
        let state = format!(
            "{{ storage_type = \"elasticsearch\", lease_time = \"1s\", on_conflict = \"{on_conflict}\", auto_save_interval = \"1h\", storage_config = {{ {storage} }} }}"
        );
        let world = World::reading(self.cluster.url(), "logs")
            .key("polling_interval", "50ms")
            .raw("state", &state)
            .output(&output);
        let config = world.config_file();
        let mut command = program::command(world.folder(), &["run", config.to_str().unwrap()]);
        let child = command.spawn().unwrap();
        (world, child)
    }

    fn wait_for(&self, messages: usize) {
        program::wait_until("everything is published", || {
            self.iggy.ids("s", "t").len() >= messages
        });
    }

    fn wait_for_lease_of(&self, child: &Child) {
        let holder = format!("\"process\":{},", child.id());
        program::wait_until("the lease is taken", || {
            let mut requests = self.cluster.requests().into_iter();
            requests.any(|request| {
                let body = String::from_utf8_lossy(&request.body).into_owned();
                request.path.contains("test.lease") && body.contains(&holder)
            })
        });
    }

    /// Gets these documents, which come after those that are there.
    fn insert(&self, numbers: Range<u64>) {
        sample::insert(&self.cluster, numbers);
        self.cluster.refresh();
    }

    /// Publishes these documents, too, and stops cleanly.
    fn goes_on(&self, child: Child, numbers: Range<u64>) -> Finished {
        let documents = numbers.end;
        self.insert(numbers);
        self.wait_for(usize::try_from(documents).unwrap());
        program::terminate(&child);
        let finished = program::finish(child);
        assert_eq!(finished.code, Some(0), "{finished:?}");
        assert_eq!(
            self.cluster.count("connector_states"),
            1,
            "no lease is left"
        );
        let mut ids = self.iggy.ids("s", "t");
        ids.sort_unstable();
        ids.dedup();
        let messages = self.iggy.ids("s", "t").len();
        assert_eq!((ids.len() as u64, messages as u64), (documents, documents));
        finished
    }
}

fn names(finished: &Finished, holder: &str) {
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(finished.stderr.contains(holder), "{finished:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_is_refused_and_one_that_stands_by_goes_on_after_a_clean_stop() {
    let place = Place::new().await;
    let (_first, first) = place.start("stop");
    place.wait_for(300);
    let holder = format!("process {} on ", first.id());
    let (_second, second) = place.start("stop");
    names(&program::finish(second), &holder);
    let (_third, third) = place.start("wait");
    program::terminate(&first);
    assert_eq!(program::finish(first).code, Some(0));
    let log = place.goes_on(third, 300..600).stderr;
    assert!(!log.contains("WARN"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_stands_by_can_be_stopped() {
    let place = Place::new().await;
    let (_first, first) = place.start("stop");
    place.wait_for(300);
    let (_second, second) = place.start("wait");
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    program::terminate(&second);
    let stopped = program::finish(second);
    assert_eq!(stopped.code, Some(0), "{stopped:?}");
    assert!(stopped.stderr.contains("standing by"), "{stopped:?}");
    place.goes_on(first, 300..400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_is_succeeded_and_nothing_is_lost_or_repeated() {
    let place = Place::new().await;
    let (_first, mut first) = place.start("stop");
    place.wait_for(50);
    first.kill().unwrap();
    first.wait().unwrap();
    let (_second, second) = place.start("stop");
    place.goes_on(second, 300..600);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_process_that_wakes_up_publishes_nothing_and_names_its_successor() {
    for something_to_publish in [true, false] {
        let place = Place::new().await;
        let (_first, first) = place.start("stop");
        place.wait_for(300);
        program::signal(&first, "STOP");
        let (_second, second) = place.start("stop");
        place.wait_for_lease_of(&second);
        if something_to_publish {
            place.insert(300..400);
        }
        program::signal(&first, "CONT");
        let holder = format!("process {} on ", second.id());
        names(&program::finish(first), &holder);
        if !something_to_publish {
            place.insert(300..400);
        }
        place.goes_on(second, 400..500);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_away_is_asked_again_at_the_start_and_later() {
    let place = Place::new().await;
    let address = place.cluster.url().trim_start_matches("http://");
    let proxy = Proxy::to(address.to_owned()).await;
    proxy.is(Way::Cut);
    let storage = format!("url = \"http://127.0.0.1:{}\"", proxy.port);
    let (_first, first) = place.start_with("stop", &storage);
    tokio::time::sleep(Duration::from_secs(1)).await;
    proxy.is(Way::Open);
    place.wait_for(300);
    proxy.is(Way::Cut);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    place.insert(300..400);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(place.iggy.ids("s", "t").len(), 300, "without a lease");
    proxy.is(Way::Open);
    let log = place.goes_on(first, 400..500).stderr;
    for part in ["the state can not be reached", "could not be renewed"] {
        assert!(log.contains(part), "{part:?} is missing: {log}");
    }
}
