//! What a source says it is doing, while an output or a cluster does not do its part.

use std::time::Duration;

use elasticsearch_source::mini_elasticsearch::{Effect, Fault as ClusterFault, Product};
use elasticsearch_source::runner::{self, Until};
use elasticsearch_source::status::Status;
use tokio::sync::watch;

use crate::support::iggy::{Fault, IggyStandIn, codes};
use crate::support::sample::{self, INDEX};
use crate::support::world::World;

const DOCUMENTS: u64 = 100;
const TOPIC_FULL: u32 = 3_009;
const UNAUTHORIZED: u32 = 41;
/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

async fn wait_for(status: &mut watch::Receiver<Status>, is: impl Fn(&Status) -> bool) -> Status {
    let seen = tokio::time::timeout(PATIENCE, status.wait_for(|status| is(status))).await;
    seen.unwrap().unwrap().clone()
}

fn has_failed_often(status: &Status) -> bool {
    matches!(status, Status::Retrying { failures, .. } if *failures > 8)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_retries_with_the_reason_until_the_cause_is_gone_and_moves_nothing_meanwhile() {
    let rows = [("the output", "topic full"), ("the cluster", "status 503")];
    for (whose, reason) in rows {
        let cluster = sample::cluster(Product::Elasticsearch, DOCUMENTS);
        let server = IggyStandIn::start().await;
        match whose {
            "the output" => {
                server.inject(codes::SEND_MESSAGES_CODE, 1_000, Fault::Status(TOPIC_FULL))
            }
            _ => cluster.inject(ClusterFault::new(Effect::unavailable()).times(1_000)),
        }
        let world = World::reading(cluster.url(), INDEX).output(&server.toml(""));
        let source = world.source().await.unwrap();
        let mut status = source.status.watch();
        assert_eq!(*status.borrow(), Status::Starting);
        let (stop, stopped) = watch::channel(false);
        let run = tokio::spawn(async move {
            runner::run(&source, Until::Stopped, stopped, &mut |_| {}).await
        });

        let retrying = wait_for(&mut status, has_failed_often).await;
        let Status::Retrying { error, .. } = &retrying else {
            panic!("{retrying:?}")
        };
        assert!(error.contains(reason), "{error}");
        assert!(server.ids("s", "t").is_empty());

        server.clear_faults();
        cluster.clear_faults();
        wait_for(&mut status, |status| *status == Status::Running).await;
        assert_eq!(server.ids("s", "t").len() as u64, DOCUMENTS);
        stop.send(true).unwrap();
        run.await.unwrap().unwrap();
        assert_eq!(*status.borrow(), Status::Stopped);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_can_not_go_on_has_failed_with_the_reason() {
    let cluster = sample::cluster(Product::Elasticsearch, DOCUMENTS);
    let server = IggyStandIn::start().await;
    server.inject(codes::SEND_MESSAGES_CODE, 1, Fault::Status(UNAUTHORIZED));
    let world = World::reading(cluster.url(), INDEX).output(&server.toml(""));
    let source = world.source().await.unwrap();
    let (_stop, stopped) = watch::channel(false);
    let ended = runner::run(&source, Until::CaughtUp, stopped, &mut |_| {}).await;
    let (failure, _) = ended.unwrap_err();
    let error = failure.to_string();
    assert!(error.contains("send_messages"), "{error}");
    assert_eq!(*source.status.watch().borrow(), Status::Failed { error });
}
