//! Exchanges while the output does not answer, or the store of the state does not save.

use std::time::Duration;

use elasticsearch_source::mini_elasticsearch::{Effect, Fault, Product};
use elasticsearch_source::status::Outcome;

use super::{
    Run, assert_received_once, digest, until_delivered, until_received, world, world_polling,
};
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

#[tokio::test(flavor = "multi_thread")]
async fn a_version_whose_states_the_store_refuses_is_taken_back_and_nothing_is_lost_or_repeated() {
    let refused = || Effect::Respond {
        status: 400,
        headers: Vec::new(),
        body: r#"{"error":{"type":"document_parsing_exception","reason":"duplicate"}}"#.to_owned(),
    };
    let rows = [
        (refused(), Some("document_parsing_exception")),
        (Effect::unavailable(), None),
    ];
    for (effect, reason) in rows {
        let cluster = sample::cluster(Product::Elasticsearch, 5_000);
        let state = r#"{ storage_type = "elasticsearch", lease_time = "1s" }"#;
        let world = world(&cluster).raw("state", state);
        let mut run = Run::start(&world).await;
        let version = Rebuilt::numbered(1).writing(FORMAT + 1);
        let candidate = run.prepare(version).await.unwrap();
        let saved = Fault::new(effect).method("PUT").body(r#""version": 4"#);
        cluster.inject(saved);
        until_delivered(&world, 500).await;
        run.exchange.offer(candidate);
        let is_over = |last: &Option<Outcome>| !matches!(last, None | Some(Outcome::OnProbation));
        let now = run.wait_for(|exchanges| is_over(&exchanges.last)).await;
        match (now.last.unwrap(), reason) {
            (Outcome::TakenBack { reason, .. }, Some(said)) => {
                assert!(reason.contains(said), "{reason}");
            }
            (Outcome::Kept, None) => {}
            (last, _) => panic!("{last:?}, not {reason:?}"),
        }
        until_delivered(&world, 5_000).await;
        run.stop().await;
        world.assert_holds_exactly(sample::ids(0..5_000));
    }
}
