//! Several hosts of one cluster: one after the other, and no request twice.

use std::time::Duration;

use elasticsearch_source::cluster::{Cluster, ClusterConfig, HttpError, Request, Transport as _};
use elasticsearch_source::config::Access;
use elasticsearch_source::mini_elasticsearch::{Effect, Fault, MiniElasticsearch};
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
    assert_eq!((reached.unwrap(), second.requests().len()), (200, 1));
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
