//! A storm of takeovers: two processes of the program and one state, in a store that they
//! share, while a real Elasticsearch is written to all the time. The active one is struck,
//! the other one follows, and a new one stands by.
//!
//! In the end every document's last version must be in every stream, no message twice, and
//! no process may have published after its successor began to. `STRIKES` says how often (each
//! kind once), `SEED` repeats the draw.

mod place;
mod process;
mod strike;

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use libtest_mimic::Trial;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use tempfile::TempDir;

use super::output::Output;
use super::program::{Configuration, catch_up};
use super::{CLUSTER, SETTLE, index, judge, number, on_cluster, trial, writers};
use crate::support::servers::Cluster;
use crate::tally::TALLY;
use place::{Place, Store};
use process::Process;
use strike::Strike;

/// Lets a lease be as short as 2 s.
const TIMES: &str = "timeout = \"1s\"\npublish_quiet = \"500ms\"";
/// A process that holds a lock keeps it, as long as it may be paused.
const PAUSE: Duration = Duration::from_millis(1_500);

pub fn trials() -> Vec<Trial> {
    vec![
        trial(
            "a_storm_of_takeovers_with_a_state_in_files_loses_and_repeats_nothing",
            &[CLUSTER],
            || storm(Store::Files),
        ),
        trial(
            "a_storm_of_takeovers_with_a_state_in_redis_loses_and_repeats_nothing",
            &[CLUSTER, place::REDIS],
            || storm(Store::Redis),
        ),
        trial(
            "a_storm_of_takeovers_with_a_state_in_elasticsearch_loses_and_repeats_nothing",
            &[CLUSTER],
            || storm(Store::Elasticsearch),
        ),
    ]
}

fn storm(store: Store) {
    let seed = number("SEED", rand::random);
    let strikes = number("STRIKES", || store.strikes().len() as u64);
    println!("SEED={seed} STRIKES={strikes}");
    on_cluster(|cluster| Box::pin(rage(cluster, store, seed, strikes)));
}

async fn rage(cluster: &Cluster, store: Store, seed: u64, strikes: u64) {
    let index = index(cluster).await;
    let mut folder = TempDir::new().unwrap();
    // What a storm that fails leaves is all there is to find the cause in.
    folder.disable_cleanup(true);
    let mut pair = Pair {
        folder: folder.path(),
        configuration: Configuration::new(cluster.url(), &index),
        place: Place::new(store, cluster, folder.path()).await,
        output: match store {
            Store::Files => Output::files(folder.path()),
            Store::Redis | Store::Elasticsearch => Output::iggy(TIMES).await,
        },
        random: StdRng::seed_from_u64(seed),
        started: 0,
    };
    let over = AtomicBool::new(false);
    let (written, ()) = tokio::join!(
        writers::write(cluster, &index, seed, &over),
        pair.strike_again_and_again(strikes, &over)
    );
    tokio::time::sleep(SETTLE + Duration::from_millis(500)).await;
    let last = pair.configure(&pair.place.state(None));
    catch_up(folder.path(), &last).await;
    pair.took_turns();
    judge(cluster, &index, &pair.output, &written).await;
    pair.place.clean().await;
    folder.disable_cleanup(false);
}

/// Two processes, one of which is active.
struct Pair<'a> {
    folder: &'a Path,
    configuration: Configuration,
    place: Place,
    output: Output,
    random: StdRng,
    /// How many processes there were.
    started: usize,
}

impl Pair<'_> {
    async fn strike_again_and_again(&mut self, strikes: u64, over: &AtomicBool) {
        let mut active = self.start().await;
        active.opens().await;
        let mut standby = self.start().await;
        for strike in self.draw(strikes) {
            standby.stands_by().await;
            self.is_publishing().await;
            let delay_ms = self.random.random_range(0..300);
            tokio::time::sleep(Duration::from_millis(delay_ms)).await;
            println!("{strike:?} {delay_ms} ms after process {}", active.id());
            strike.falls_on(&mut active);
            if strike == Strike::Pause && self.place.is_locked() {
                tokio::time::sleep(PAUSE).await;
                assert!(!standby.is_active(), "it passed a lock that is held");
                active.wake();
                continue;
            }
            standby.opens().await;
            self.is_publishing().await;
            strike.is_over(active, &standby).await;
            TALLY.takeovers.add(1);
            active = standby;
            standby = self.start().await;
        }
        over.store(true, Ordering::Relaxed);
        standby.stands_by().await;
        for process in [standby, active] {
            process.stops().await;
        }
    }

    /// Each kind once, in any order, and again.
    fn draw(&mut self, strikes: u64) -> Vec<Strike> {
        let (mut drawn, mut deck) = (Vec::new(), self.place.store().strikes().to_vec());
        while drawn.len() < strikes as usize {
            deck.shuffle(&mut self.random);
            drawn.extend(&deck);
        }
        drawn.truncate(strikes as usize);
        drawn
    }

    async fn start(&mut self) -> Process {
        let proxy = self.place.proxy().await;
        let state = self.place.state(proxy.as_ref());
        let configuration = self.configure(&state);
        Process::start(self.folder, &self.name(), &configuration, proxy)
    }

    /// For another process.
    fn configure(&mut self, state: &str) -> String {
        self.started += 1;
        let (name, postponed) = (self.name(), self.random.random_bool(0.5));
        self.configuration
            .toml(&self.output, &name, state, postponed)
    }

    /// Of the newest process.
    fn name(&self) -> String {
        format!("process-{}", self.started)
    }

    /// Waits for the next message.
    async fn is_publishing(&mut self) {
        let before = self.output.count().await;
        while self.output.count().await <= before {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.output.disturb().await;
    }

    /// Nobody published any more when another one had begun to.
    fn took_turns(&self) {
        if let Output::Iggy(iggy) = &self.output {
            let publishers = iggy.publishers();
            let different: HashSet<_> = publishers.iter().collect();
            assert_eq!(different.len(), publishers.len(), "{publishers:?}");
        }
    }
}
