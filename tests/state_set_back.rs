//! A process that holds a state, and finds that its store went back to an older one, or that
//! its lock is gone: it stops and says so, and whoever goes on repeats nothing.

use std::process::Child;

use elasticsearch_source::mini_elasticsearch::{MiniElasticsearch, Product};
use redis::{Cmd, FromRedisValue};
use serde_json::Value;

use crate::support::iggy::IggyStandIn;
use crate::support::program::{self, Finished};
use crate::support::sample;
use crate::support::world::World;

/// A cluster and an Iggy.
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

    /// A process of this name with these keys in `state`.
    fn start(&self, name: &str, state: &str) -> (World, Child) {
        let world = World::reading(self.cluster.url(), "logs")
            .key("polling_interval", "50ms")
            .raw("state", state)
            .output(&self.iggy.toml_of(name, "timeout = \"300ms\""));
        let config = world.config_file();
        let mut command = program::command(world.folder(), &["run", config.to_str().unwrap()]);
        let child = command.spawn().unwrap();
        (world, child)
    }

    /// Adds documents up to this number, and waits until they are published.
    fn publishes(&self, from: u64, to: u64) {
        sample::insert(&self.cluster, from..to);
        self.cluster.refresh();
        program::wait_until("everything is published", || {
            self.iggy.ids("s", "t").len() as u64 >= to
        });
    }

    /// That so many documents are in the output, each once, and that the first process
    /// published none after the second one.
    fn holds_exactly(&self, documents: usize) {
        assert_eq!(self.iggy.senders(), ["first", "second"]);
        let mut ids = self.iggy.ids("s", "t");
        assert_eq!(ids.len(), documents);
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), documents);
    }
}

fn stopped_saying(child: Child, parts: &[&str]) {
    let finished = program::finish(child);
    assert_eq!(finished.code, Some(1), "{finished:?}");
    for part in parts {
        assert!(finished.stderr.contains(part), "{part:?}: {finished:?}");
    }
}

fn stops(child: Child) -> Finished {
    program::terminate(&child);
    let finished = program::finish(child);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    finished
}

/// A real Redis, where the state and its lease have a prefix of their own.
struct Redis {
    url: String,
    connection: redis::Connection,
    prefix: String,
}

impl Redis {
    fn real() -> Self {
        let url = std::env::var("REDIS_URL").unwrap();
        let client = redis::Client::open(url.as_str()).unwrap();
        Self {
            url,
            connection: client.get_connection().unwrap(),
            prefix: format!("state-set-back-{}:", std::process::id()),
        }
    }

    fn state(&self) -> String {
        let Self { url, prefix, .. } = self;
        format!(
            "{{ storage_type = \"redis\", lease_time = \"1s\", storage_config = {{ url = \"{url}\", key_prefix = \"{prefix}\" }} }}"
        )
    }

    /// What it has under these names, or does with that.
    fn each<T: FromRedisValue>(&mut self, command: impl Fn(&str) -> Cmd) -> Vec<T> {
        let keys = ["test", "test.lease"].map(|name| format!("{}{name}", self.prefix));
        let mut all = redis::pipe();
        all.atomic();
        for key in keys {
            all.add_command(command(&key));
        }
        all.query(&mut self.connection).unwrap()
    }

    fn saved(&mut self, documents: u64) {
        let key = format!("{}test", self.prefix);
        program::wait_until("the state is saved", || {
            let state: Vec<u8> = Cmd::hget(&key, "state")
                .query(&mut self.connection)
                .unwrap();
            let state: Value = serde_json::from_slice(&state).unwrap_or_default();
            state["data"]["total_documents_fetched"] == documents
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(
    not(real_redis),
    ignore = "needs a real Redis: see README, \"Tests with real servers\""
)]
async fn a_redis_that_lost_its_last_saves_stops_the_source_and_a_restart_repeats_nothing() {
    let (place, mut redis) = (Place::new().await, Redis::real());
    let (_first, first) = place.start("first", &redis.state());
    redis.saved(300);
    let older: Vec<Vec<u8>> = redis.each(|key| redis::cmd("DUMP").arg(key).to_owned());
    place.publishes(300, 400);
    redis.saved(400);
    let older = std::cell::RefCell::new(older.into_iter());
    let _ok: Vec<String> = redis.each(|key| {
        let bytes = older.borrow_mut().next().unwrap();
        let mut restore = redis::cmd("RESTORE");
        restore.arg(key).arg(0).arg(bytes).arg("REPLACE");
        restore
    });
    place.publishes(400, 450);
    stopped_saying(first, &["lost saves", "start again", &redis.prefix]);
    let (_second, second) = place.start("second", &redis.state());
    place.publishes(450, 500);
    stops(second);
    place.holds_exactly(500);
    let _removed: Vec<i64> = redis.each(|key| Cmd::del(key));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_somebody_removed_stops_its_holder_and_its_successor_repeats_nothing() {
    let (place, folder) = (Place::new().await, tempfile::tempdir().unwrap());
    let base_path = folder.path().display();
    let state =
        format!("{{ storage_config = {{ base_path = '{base_path}' }}, on_conflict = \"wait\" }}");
    let (_first, first) = place.start("first", &state);
    place.publishes(300, 350);
    let (_second, second) = place.start("second", &state);
    std::fs::remove_file(folder.path().join("test.lease")).unwrap();
    stopped_saying(first, &["test.lease was re", "while this process held it"]);
    place.publishes(350, 400);
    stops(second);
    place.holds_exactly(400);
}
