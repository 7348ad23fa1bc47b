//! Several hosts of one cluster: one after the other, and no request twice.

use std::time::Duration;

use elasticsearch_source::cluster::{Cluster, ClusterConfig, HttpError, Request, Transport as _};
use elasticsearch_source::config::Access;
use elasticsearch_source::instance::Failure;
use elasticsearch_source::mini_elasticsearch::{Effect, Fault, MiniElasticsearch, Options};
use reqwest::Method;

use super::{DOCUMENTS, assert_all_there, cluster};
use crate::support::proxy::{Proxy, Way};
use crate::support::sample;
use crate::support::world::World;

/// Nobody listens there.
const NOBODY: &str = "http://127.0.0.1:9";

fn reading(hosts: &[&str]) -> World {
    World::reading(NOBODY, "logs").raw("url", &format!("{hosts:?}"))
}

/// Reads everything by these hosts.
async fn assert_read_by(hosts: &[&str]) -> World {
    let world = reading(hosts).key("timeout", "500ms");
    assert_eq!(world.published_once().await, DOCUMENTS, "{hosts:?}");
    assert_all_there(&world);
    world
}

#[tokio::test]
async fn a_host_that_fails_is_passed_over_for_the_others() {
    let (cluster, busy) = (cluster(), cluster());
    let unavailable = Effect::unavailable();
    busy.inject(Fault::new(unavailable).times(1_000));
    let server = cluster.url().strip_prefix("http://").unwrap().to_owned();
    let stuck = Proxy::to(server).await;
    stuck.is(Way::Stuck);
    let stuck = format!("http://127.0.0.1:{}", stuck.port);
    assert_read_by(&[NOBODY, cluster.url()]).await;
    assert_read_by(&[busy.url(), NOBODY, cluster.url()]).await;
    assert_eq!(busy.requests().len(), 1, "it is not asked again soon");
    assert_read_by(&[&stuck, cluster.url()]).await;
}

#[tokio::test]
async fn a_failure_of_all_hosts_names_the_last_and_passes() {
    let (failure, _) = reading(&[NOBODY, "http://127.0.0.1:10"])
        .once()
        .await
        .unwrap_err();
    let message = failure.to_string();
    assert!(
        message.contains("cannot connect to http://127.0.0.1:") && message.contains("\"url\""),
        "{message}"
    );
}

#[tokio::test]
async fn a_cluster_keeps_its_name_when_its_hosts_change_places() {
    let cluster = cluster();
    let orders = [[NOBODY, cluster.url()], [cluster.url(), NOBODY]];
    let mut names = Vec::new();
    for hosts in orders {
        let world = assert_read_by(&hosts).await;
        names.push(world.state()["metadata"]["url"].clone());
    }
    assert_eq!(names[0], names[1]);
    assert_ne!(names[0], serde_json::Value::Null);
}

/// One request to these, in this order.
async fn ask(hosts: &[&str], timeout: Duration) -> Result<u16, HttpError> {
    let hosts: Vec<_> = hosts.iter().map(|host| host.parse().unwrap()).collect();
    let config = ClusterConfig {
        access: Access {
            hosts: hosts.clone(),
            ..Access::open(hosts[0].clone())
        },
        timeout,
        max_response_bytes: 1_000_000,
    };
    let request = Request {
        method: Method::POST,
        path: "/logs/_search?scroll=1m".to_owned(),
        headers: Vec::new(),
        body: None,
    };
    let answer = Cluster::new(config).unwrap().send(request).await?;
    Ok(answer.status)
}

#[tokio::test]
async fn a_request_that_may_have_reached_a_host_is_not_repeated_at_another() {
    type Failed = fn(&Result<u16, HttpError>) -> bool;
    let rows: [(Effect, Failed); 4] = [
        (Effect::LoseRequest, |it| {
            matches!(it, Err(HttpError::Protocol(_)))
        }),
        (Effect::CutAnswer, |it| {
            matches!(it, Err(HttpError::Protocol(_)))
        }),
        (Effect::Hang(Duration::from_secs(9)), |it| {
            matches!(it, Err(HttpError::Timeout(_)))
        }),
        (Effect::unavailable(), |it| matches!(it, Ok(503))),
    ];
    let second: MiniElasticsearch = cluster();
    for (effect, expected) in rows {
        let first = cluster();
        first.inject(Fault::new(effect.clone()));
        let outcome = ask(&[first.url(), second.url()], Duration::from_millis(300)).await;
        assert!(expected(&outcome), "{effect:?}: {outcome:?}");
        assert_eq!((first.requests().len(), second.requests().len()), (1, 0));
    }
    let reached = ask(&[NOBODY, second.url()], Duration::from_secs(5)).await;
    let asked: Vec<_> = second.requests().into_iter().map(|it| it.path).collect();
    let expected = ["/", "/logs/_search?scroll=1m"];
    assert_eq!(
        (reached.unwrap(), asked),
        (200, expected.map(str::to_owned).to_vec())
    );
}

#[tokio::test]
async fn nothing_is_read_from_a_host_of_another_cluster() {
    let first = cluster();
    let stray = MiniElasticsearch::start(Options {
        cluster_uuid: "stray".to_owned(),
        ..Options::default()
    })
    .unwrap();
    let world = reading(&[first.url(), stray.url()]);
    let source = world.source().await.unwrap();
    assert_eq!(World::run_once(&source).await.unwrap().documents, DOCUMENTS);
    let before = world.state();
    let unavailable = Effect::unavailable();
    first.inject(Fault::new(unavailable).times(1_000));
    let (failure, _) = World::run_once(&source).await.unwrap_err();
    let message = failure.to_string();
    assert!(matches!(failure, Failure::Permanent(_)), "{failure:?}");
    for part in [
        first.url(),
        stray.url(),
        "stray",
        "hosts of one cluster in \"url\"",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
    let asked: Vec<_> = stray.requests().into_iter().map(|it| it.path).collect();
    assert_eq!(asked, ["/"]);
    assert_eq!(world.state()["data"]["output"], before["data"]["output"]);
    assert_all_there(&world);
}

#[tokio::test]
async fn hosts_that_may_not_say_which_cluster_they_are_of_are_believed() {
    for status in [401, 403, 405] {
        let (first, second) = (cluster(), cluster());
        let silent = Effect::Respond {
            status,
            headers: Vec::new(),
            body: "{}".to_owned(),
        };
        first.inject(
            Fault::new(Effect::unavailable())
                .path("_search")
                .times(1_000),
        );
        for host in [&first, &second] {
            host.inject(Fault::new(silent.clone()).method("GET"));
        }
        assert_read_by(&[first.url(), second.url()]).await;
        let roots = |host: &MiniElasticsearch| {
            let requests = host.requests().into_iter();
            requests.filter(|it| it.path == "/").count()
        };
        // The first one is asked by the component, too, what product it is.
        assert_eq!((roots(&first), roots(&second)), (2, 1), "{status}");
    }
}

#[tokio::test]
async fn what_was_read_by_one_host_is_not_read_again_by_another() {
    let cluster = cluster();
    let server = cluster.url().strip_prefix("http://").unwrap().to_owned();
    let front = Proxy::to(server).await;
    let url = format!("http://127.0.0.1:{}", front.port);
    let world = reading(&[&url, cluster.url()]).raw("batch_size", "5");
    let source = world.source().await.unwrap();
    World::run_once(&source).await.unwrap();
    front.is(Way::Cut);
    sample::insert(&cluster, DOCUMENTS..DOCUMENTS * 2);
    World::run_once(&source).await.unwrap();
    world.assert_holds_exactly(sample::ids(0..DOCUMENTS * 2));
}
