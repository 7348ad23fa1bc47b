//! What a source says it is doing, while an output or a cluster does not do its part.

use std::collections::HashSet;
use std::time::Duration;

use elasticsearch_source::instance::Failure;
use elasticsearch_source::mini_elasticsearch::{
    Effect, Fault as ClusterFault, MiniElasticsearch, Product,
};
use elasticsearch_source::runner::{self, Summary, Until};
use elasticsearch_source::status::Status;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::support::iggy::{Fault, IggyStandIn, codes};
use crate::support::sample::{self, INDEX};
use crate::support::world::World;

const DOCUMENTS: u64 = 100;
const TOPIC_FULL: u32 = 3_009;
const TOO_MANY_MESSAGES: u32 = 4023;
/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A source that runs until it is stopped.
struct Run {
    status: watch::Receiver<Status>,
    stop: watch::Sender<bool>,
    ended: JoinHandle<Result<Summary, (Failure, Summary)>>,
}

impl Run {
    async fn start(world: &World) -> Self {
        let source = world.source().await.unwrap();
        let status = source.status.watch();
        assert_eq!(*status.borrow(), Status::Starting);
        let (stop, stopped) = watch::channel(false);
        let ended = tokio::spawn(async move {
            runner::run(&source, Until::Stopped, stopped, &mut |_| {}).await
        });
        Self {
            status,
            stop,
            ended,
        }
    }

    async fn wait_for(&mut self, is: impl Fn(&Status) -> bool) -> Status {
        let seen = self.status.wait_for(|status| is(status));
        let seen = tokio::time::timeout(PATIENCE, seen).await;
        seen.unwrap().unwrap().clone()
    }

    async fn fails_often_for(&mut self, reason: &str) {
        let often =
            |status: &Status| matches!(status, Status::Retrying { failures, .. } if *failures > 8);
        let retrying = self.wait_for(often).await;
        let Status::Retrying {
            error,
            since_ms,
            next_ms,
            breaker_open: true,
            ..
        } = &retrying
        else {
            panic!("{retrying:?}")
        };
        assert!(next_ms > since_ms, "{retrying:?}");
        assert!(error.contains(reason), "{reason:?} is missing: {error}");
    }

    async fn stop(self) {
        self.stop.send(true).unwrap();
        self.ended.await.unwrap().unwrap();
        assert_eq!(*self.status.borrow(), Status::Stopped);
    }
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
        let mut run = Run::start(&world).await;

        run.fails_often_for(reason).await;
        assert!(server.ids("s", "t").is_empty());

        server.clear_faults();
        cluster.clear_faults();
        run.wait_for(|status| *status == Status::Running).await;
        assert_eq!(server.ids("s", "t").len() as u64, DOCUMENTS);
        run.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_can_not_go_on_has_failed_with_the_reason() {
    let cluster = sample::cluster(Product::Elasticsearch, DOCUMENTS);
    let server = IggyStandIn::start().await;
    let too_many = Fault::Status(TOO_MANY_MESSAGES);
    server.inject(codes::SEND_MESSAGES_CODE, 1, too_many);
    let world = World::reading(cluster.url(), INDEX).output(&server.toml(""));
    let run = Run::start(&world).await;
    let (failure, _) = run.ended.await.unwrap().unwrap_err();
    let error = failure.to_string();
    assert!(error.contains("see batch_length"), "{error}");
    assert_eq!(*run.status.borrow(), Status::Failed { error });
}

/// Where the output ended, as soon as the state says that so many documents were read.
async fn saved_after(world: &World, documents: u64) -> Value {
    let saved = async {
        loop {
            let state = std::fs::read(world.state_file()).unwrap_or_default();
            let state: Value = serde_json::from_slice(&state).unwrap_or_default();
            if state["data"]["total_documents_fetched"] == documents {
                return state["data"]["output"].clone();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, saved).await.unwrap()
}

fn assert_each_once(server: &IggyStandIn, documents: u64, case: &str) {
    let ids = server.ids("s", "t");
    let each: HashSet<_> = ids.iter().collect();
    let counts = (ids.len() as u64, each.len() as u64);
    assert_eq!(counts, (documents, documents), "{case}");
}

/// Reads into `s`/`t` as the user `joe`, whose password is `secret`.
fn world_of_joe(cluster: &MiniElasticsearch, server: &IggyStandIn) -> World {
    World::reading(cluster.url(), INDEX)
        .key("polling_interval", "5ms")
        .output(&format!(
            "[iggy]\naddress = \"{}\"\nusername = \"joe\"\npassword = \"secret\"\n\
             publish_quiet = \"5ms\"\n",
            server.address()
        ))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_source_waits_for_the_permission_that_was_taken_from_it() {
    let rows: [(&str, &[u32], &str); 4] = [
        (
            "secret",
            &[codes::SEND_MESSAGES_CODE],
            "send_messages: grant it",
        ),
        (
            "secret",
            &[codes::POLL_MESSAGES_CODE],
            "poll_messages: grant it",
        ),
        ("secret", &[codes::GET_TOPIC_CODE], "read_topics: grant it"),
        ("changed", &[], "the password of \"joe\""),
    ];
    for (password, denied, reason) in rows {
        let cluster = sample::cluster(Product::Elasticsearch, DOCUMENTS);
        let server = IggyStandIn::start().await;
        server.add_user("joe", "secret", &[]);
        let world = world_of_joe(&cluster, &server);
        let mut run = Run::start(&world).await;
        run.wait_for(|status| *status == Status::Running).await;
        let before = saved_after(&world, DOCUMENTS).await;

        server.add_user("joe", password, denied);
        if denied != [codes::SEND_MESSAGES_CODE] {
            // Only who connects anew, and looks for what was lost, meets it.
            server.inject(codes::SEND_MESSAGES_CODE, 1, Fault::CloseBefore);
        }
        sample::insert(&cluster, DOCUMENTS..DOCUMENTS * 2);
        run.fails_often_for(reason).await;
        assert_eq!(server.ids("s", "t").len() as u64, DOCUMENTS, "{reason}");
        assert_eq!(world.state()["data"]["output"], before, "{reason}");

        server.add_user("joe", "secret", &[]);
        saved_after(&world, DOCUMENTS * 2).await;
        run.stop().await;
        assert_each_once(&server, DOCUMENTS * 2, reason);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_starts_without_a_permission_has_failed_with_its_name() {
    let rows: [(&str, &[u32], &str); 4] = [
        (
            "secret",
            &[codes::POLL_MESSAGES_CODE],
            "poll_messages: grant it",
        ),
        ("secret", &[codes::GET_TOPIC_CODE], "read_topics: grant it"),
        (
            "secret",
            &[codes::CREATE_TOPIC_CODE],
            "manage_topics: grant it",
        ),
        ("changed", &[], "the password of \"joe\""),
    ];
    for (password, denied, reason) in rows {
        let cluster = sample::cluster(Product::Elasticsearch, DOCUMENTS);
        let server = IggyStandIn::start().await;
        server.add_user("joe", password, denied);
        let run = Run::start(&world_of_joe(&cluster, &server)).await;
        let ended = tokio::time::timeout(PATIENCE, run.ended).await.unwrap();
        let (failure, summary) = ended.unwrap().unwrap_err();
        let error = failure.to_string();
        assert!(error.contains(reason), "{error}");
        assert_eq!((summary.documents, summary.retries), (0, 0), "{error}");
        assert_eq!(*run.status.borrow(), Status::Failed { error });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_source_waits_for_a_topic_that_was_deleted_and_makes_no_other() {
    // Met by a request, or by who connects anew.
    for disconnects in [false, true] {
        let cluster = sample::cluster(Product::Elasticsearch, DOCUMENTS);
        let server = IggyStandIn::start().await;
        server.add_user("joe", "secret", &[]);
        let world = world_of_joe(&cluster, &server);
        let mut run = Run::start(&world).await;
        saved_after(&world, DOCUMENTS).await;

        let topic = server.delete_topic("s", "t");
        if disconnects {
            server.inject(codes::SEND_MESSAGES_CODE, 1, Fault::CloseBefore);
        }
        sample::insert(&cluster, DOCUMENTS..DOCUMENTS * 2);
        run.fails_often_for("the topic is gone: restore it").await;
        assert_eq!(server.requests(codes::CREATE_TOPIC_CODE), 1);

        server.restore_topic("s", topic);
        saved_after(&world, DOCUMENTS * 2).await;
        run.stop().await;
        assert_each_once(&server, DOCUMENTS * 2, "");
    }
}
