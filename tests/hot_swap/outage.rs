//! Exchanges while the output does not answer.

use std::time::Duration;

use elasticsearch_source::mini_elasticsearch::Product;

use super::{Run, assert_received_once, digest, until_received, world_polling};
use crate::support::iggy::IggyStandIn;
use crate::support::rebuilt::{FORMAT, Rebuilt};
use crate::support::sample;

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
        let output = server.toml("timeout = \"500ms\"");
        let world = world_polling(&cluster, polling_interval).output(&output);
        let mut run = Run::start(&world).await;
        let version = Rebuilt::numbered(1).writing(format);
        let candidate = run.prepare(version).await.unwrap();
        until_received(&server, delivered).await;
        server.stop().await;
        run.exchange.offer(candidate);
        tokio::time::sleep(Duration::from_secs(2)).await;
        let now = run.exchanges.borrow().clone();
        assert_eq!((now.count, now.last), (0, None), "it waits");
        server.start_again().await;
        let now = run.wait_for(|exchanges| exchanges.count == 1).await;
        assert_eq!(now.running.unwrap().sha256, digest(version));
        until_received(&server, DOCUMENTS).await;
        run.stop().await;
        assert_received_once(&server, DOCUMENTS);
    }
}
