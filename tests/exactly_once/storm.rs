//! A storm of kills: the program itself, ended with SIGKILL at random moments and started
//! again, while a real Elasticsearch is written to all the time.
//!
//! In the end every document's last version must be in every stream, and no message twice.
//! `KILLS` says how often (100), `SEED` repeats the draw of a storm that failed; what
//! the cluster and the machine do between the kills nobody can repeat.

mod iggy;
mod moment;
mod output;
mod program;
mod takeovers;
mod toll;
mod verdict;
mod writers;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use elasticsearch_source::mini_elasticsearch::Product;
use futures::future::BoxFuture;
use libtest_mimic::Trial;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::json;
use tokio::runtime::Runtime;

use crate::support::servers::{self, Cluster};
use crate::tally::TALLY;
use moment::Moment;
use output::Output;
use program::{Configuration, Program};
use toll::Toll;
use writers::Written;

/// How old a document must be to be read.
pub const SETTLE: Duration = Duration::from_millis(1_500);
/// The streams that every document goes to, each with this topic.
pub const STREAMS: [&str; 2] = ["first", "second"];
pub const TOPIC: &str = "documents";

const CLUSTER: &str = "ELASTICSEARCH_URL";

/// Shown as ignored where a server is not named.
pub fn trials() -> Vec<Trial> {
    let mut trials = vec![
        trial(
            "a_storm_of_kills_into_files_loses_and_repeats_nothing",
            &[CLUSTER],
            || storm(false),
        ),
        trial(
            "a_storm_of_kills_into_iggy_loses_and_repeats_nothing",
            &[CLUSTER],
            || storm(true),
        ),
    ];
    trials.extend(takeovers::trials());
    trials
}

fn trial(name: &str, servers: &[&str], storm: fn()) -> Trial {
    let mut servers = servers.iter();
    let missing = servers.find(|variable| std::env::var_os(variable).is_none());
    let reason = missing.map(|variable| format!("needs {variable}"));
    let run = move || {
        storm();
        Ok(())
    };
    crate::timed(name, run)
        .with_ignored_flag(reason.is_some())
        .with_kind(reason.unwrap_or_default())
}

fn number(variable: &str, default: impl FnOnce() -> u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{variable} is {text:?}, which is no number")),
        Err(_) => default(),
    }
}

fn storm(into_iggy: bool) {
    let (seed, kills) = (number("SEED", rand::random), number("KILLS", || 100));
    println!("SEED={seed} KILLS={kills}");
    on_cluster(|cluster| Box::pin(rage(cluster, into_iggy, seed, kills)));
}

fn on_cluster(storm: impl for<'a> FnOnce(&'a Cluster) -> BoxFuture<'a, ()>) {
    Runtime::new().unwrap().block_on(async {
        let cluster = Cluster::real(Product::Elasticsearch, CLUSTER);
        servers::run(cluster, storm).await;
    });
}

async fn rage(cluster: &Cluster, into_iggy: bool, seed: u64, kills: u64) {
    let index = index(cluster).await;
    let mut program = Program::new(Configuration::new(cluster.url(), &index));
    let mut output = match into_iggy {
        true => Output::iggy("timeout = \"5s\"\npublish_quiet = \"200ms\"").await,
        false => Output::files(program.folder()),
    };
    let over = AtomicBool::new(false);
    let mut random = StdRng::seed_from_u64(seed);
    let (written, mut toll) = tokio::join!(
        writers::write(cluster, &index, seed, &over),
        kill_again_and_again(&mut program, &mut output, &mut random, kills, &over)
    );
    tokio::time::sleep(SETTLE + Duration::from_millis(500)).await;
    toll.recovered(program.catch_up(&output).await);
    judge(cluster, &index, &output, &written).await;
    println!(
        "{toll}; {} versions written, {} of them visible too late to count",
        written.versions.len(),
        written.too_late
    );
    assert!(toll.recoveries > 0, "no recovery had anything to do");
    program.succeeded();
}

async fn index(cluster: &Cluster) -> String {
    let mappings = json!({"properties": {"@timestamp": {"type": "date"}}});
    let index = cluster.create("storm", 3, mappings).await;
    let settings = json!({"index": {"refresh_interval": "200ms"}}).to_string();
    let path = format!("/{index}/_settings");
    cluster.call("PUT", &path, settings).await.ok();
    index
}

async fn kill_again_and_again(
    program: &mut Program,
    output: &mut Output,
    random: &mut StdRng,
    kills: u64,
    over: &AtomicBool,
) -> Toll {
    let mut toll = Toll::default();
    for _ in 0..kills {
        let (moment, postponed) = (Moment::draw(random), random.random_bool(0.5));
        program.start(output, postponed);
        moment.come(program, output).await;
        program.kill();
        TALLY.kills.add(1);
        toll.note(&program.log());
    }
    over.store(true, Ordering::Relaxed);
    toll
}

async fn judge(cluster: &Cluster, index: &str, output: &Output, written: &Written) {
    let expected = verdict::last_versions(cluster, index, written).await;
    for stream in STREAMS {
        let found = output.messages(stream).await;
        let verdict = verdict::compare(&expected, &found, written);
        TALLY.documents.add(expected.len());
        TALLY.lost.add(verdict.lost.len());
        TALLY.repeated.add(verdict.repeated.len());
        assert!(verdict.is_clean(), "stream {stream}: {verdict}");
    }
}
