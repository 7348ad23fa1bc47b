//! A good source beside a hostile one.

use std::time::Instant;

use elasticsearch_source::mini_elasticsearch::Product;
use elasticsearch_source::retry::RetryPolicy;
use elasticsearch_source::runner::{self, Until};
use elasticsearch_source::status::Status;
use tokio::sync::watch;

use super::attacker;
use crate::support::sample::{self, ids};
use crate::support::world::World;

const DOCUMENTS: u64 = 20_000;

/// Every kind: the export, the attack, and further keys.
const KINDS: [(&str, &str, &str); 12] = [
    ("", "", ""),
    ("poll", "loop", ""),
    ("poll", "recursion", ""),
    ("poll", "memory", ""),
    ("poll", "panic", ""),
    ("poll", "more", ""),
    ("poll", "lines", "count = 100000"),
    (
        "poll",
        "outstanding",
        "count = 1000\npath = \"/logs/_search\"",
    ),
    ("poll", "bodies", "count = 100000\npath = \"/logs/_search\""),
    ("poll", "messages", "count = 300000"),
    ("poll", "storm", "count = 1000\nbytes = 100000"),
    ("poll", "error", "bytes = 10000000"),
];

/// All of them run in this process, on the same engine and the same threads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_source_beside_every_kind_of_hostile_one_delivers_all_once() {
    let cluster = sample::cluster(Product::Elasticsearch, DOCUMENTS);
    // The first one compiles the component.
    let first = World::reading(cluster.url(), "logs");
    assert_eq!(first.published_once().await, DOCUMENTS);
    let mut figures = Vec::new();
    for (export, attack, keys) in KINDS {
        let hostile = attacker(&cluster, export, attack)
            .lines(keys)
            .limits("guest_time = \"100ms\"\nmemory = \"64MiB\"");
        let mut attacking = hostile.source().await.unwrap();
        attacking.retry = RetryPolicy {
            attempts: u32::MAX,
            ..attacking.retry
        };
        let mut status = attacking.status.watch();
        let (stop, stopped) = watch::channel(false);
        let run = match attack {
            "" => None,
            _ => Some(tokio::spawn(async move {
                runner::run(&attacking, Until::Stopped, stopped, &mut |_| {}).await
            })),
        };
        if run.is_some() {
            status
                .wait_for(|status| *status != Status::Starting)
                .await
                .unwrap();
        }
        let good = World::reading(cluster.url(), "logs").raw("batch_size", "200");
        let started = Instant::now();
        let published = good.published_once().await;
        let elapsed = started.elapsed();
        assert_eq!(published, DOCUMENTS, "beside {attack}");
        good.assert_holds_exactly(ids(0..DOCUMENTS));
        stop.send_replace(true);
        if let Some(run) = run {
            let attempts = run.await.unwrap();
            let (Ok(summary) | Err((_, summary))) = attempts;
            assert!(summary.polls > 0, "{attack}");
        }
        let rate = DOCUMENTS as f64 / elapsed.as_secs_f64();
        let kind = if attack.is_empty() { "alone" } else { attack };
        figures.push(format!("{kind}: {rate:.0} documents/s"));
    }
    println!(
        "a good source beside a hostile one\n  {}",
        figures.join("\n  ")
    );
}
