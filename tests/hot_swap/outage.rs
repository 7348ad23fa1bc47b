//! Exchanges while the output does not answer.

use std::time::{Duration, Instant};

use elasticsearch_source::mini_elasticsearch::Product;

use super::{PATIENCE, Run, digest};
use crate::support::iggy::IggyStandIn;
use crate::support::rebuilt::{FORMAT, Rebuilt};
use crate::support::sample::{self, INDEX};
use crate::support::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_comes_while_the_output_is_gone_is_taken_when_it_is_back() {
    const DOCUMENTS: u64 = 3_000;
    // In the middle of much to read, and where there is nothing to do for an hour.
    let rows = [
        (FORMAT, 300, "5ms"),
        (FORMAT + 1, 300, "5ms"),
        (FORMAT, DOCUMENTS, "1h"),
    ];
    for (format, delivered, polling_interval) in rows {
        let cluster = sample::cluster(Product::Elasticsearch, DOCUMENTS);
        let mut server = IggyStandIn::start().await;
        let world = World::reading(cluster.url(), INDEX)
            .key("polling_interval", polling_interval)
            .raw("batch_size", "50")
            .limits("poll_pages = 3")
            .output(&server.toml("timeout = \"500ms\""));
        let mut run = Run::start(&world).await;
        let version = Rebuilt::numbered(1).writing(format);
        let candidate = run.prepare(version).await.unwrap();
        while (server.ids("s", "t").len() as u64) < delivered {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        server.stop().await;
        run.exchange.offer(candidate);
        tokio::time::sleep(Duration::from_secs(2)).await;
        let now = run.exchanges.borrow().clone();
        assert_eq!((now.count, now.last), (0, None), "it waits");
        server.start_again().await;
        let now = run.wait_for(|exchanges| exchanges.count == 1).await;
        assert_eq!(now.running.unwrap().sha256, digest(version));
        let started = Instant::now();
        while (server.ids("s", "t").len() as u64) < DOCUMENTS {
            assert!(started.elapsed() < PATIENCE, "not all is delivered");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        run.stop().await;
        let mut ids = server.ids("s", "t");
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len() as u64, DOCUMENTS);
        assert_eq!(server.ids("s", "t").len() as u64, DOCUMENTS);
    }
}
