//! What the server in this process shows of itself, and can be told.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use elasticsearch_source::mini_elasticsearch::{Credentials, MiniElasticsearch, Options, Product};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use super::faults::{cluster, search};
use super::reader::{hits, open_pit};

#[tokio::test]
async fn contexts_are_counted_and_expire() {
    let cluster = cluster();
    let mini = cluster.mini.as_ref().unwrap();
    open_pit(&cluster, "i").await;
    cluster
        .call("POST", "/i/_search?scroll=1m", "{}")
        .await
        .ok();
    assert_eq!((mini.open_pits(), mini.open_scrolls()), (1, 1));
    mini.expire_contexts();
    assert_eq!((mini.open_pits(), mini.open_scrolls()), (0, 0));
    cluster
        .call("POST", "/i/_pit?keep_alive=1ms", "")
        .await
        .ok();
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!(mini.open_pits(), 0);
}

/// As Elasticsearch 8.19 and OpenSearch 2.19 answered.
#[tokio::test]
async fn no_more_shards_are_held_open_than_a_real_node_would() {
    let (scroll, es, os) = (
        "/i/_search?scroll=1m",
        "/i/_pit?keep_alive=1m",
        "/i/_search/point_in_time?keep_alive=1m",
    );
    let (too_many, rejected) = (
        "too_many_scroll_contexts_exception",
        "rejected_execution_exception",
    );
    let rows = [
        (Product::Elasticsearch, scroll, 500, Some(too_many)),
        (Product::Elasticsearch, es, 1_000, None),
        (Product::OpenSearch, scroll, 500, Some(rejected)),
        (Product::OpenSearch, os, 300, Some(rejected)),
    ];
    for (product, path, shards, error) in rows {
        let mini = MiniElasticsearch::without_network(Options {
            product,
            ..Options::default()
        });
        mini.create_index("i", 50, &json!({})).unwrap();
        for _ in 0..shards / 50 {
            let opened = mini.answer("POST", path, Bytes::new()).await.unwrap();
            assert_eq!(opened.status, 200, "{product:?} {path}");
        }
        let one_more = mini.answer("POST", path, Bytes::new()).await.unwrap();
        let body: Value = serde_json::from_slice(&one_more.body).unwrap();
        let said = body.pointer("/error/type").and_then(Value::as_str);
        assert_eq!(said, error, "{product:?} {path}");
        assert_eq!(one_more.status, if error.is_some() { 429 } else { 200 });
    }
}

#[tokio::test]
async fn the_id_of_a_point_in_time_changes_while_old_ones_stay_good() {
    let cluster = cluster();
    let first = open_pit(&cluster, "i").await;
    let mut seen = BTreeSet::new();
    for _ in 0..6 {
        let answer = cluster
            .call(
                "POST",
                "/_search",
                json!({"pit": {"id": first}}).to_string(),
            )
            .await
            .ok();
        seen.insert(answer["pit_id"].as_str().unwrap().to_owned());
    }
    assert_eq!(seen.len(), 3);
}

#[tokio::test]
async fn requests_are_recorded_up_to_a_limit() {
    let mini = MiniElasticsearch::start(Options {
        recorded_max: 2,
        ..Options::default()
    })
    .unwrap();
    for path in ["/a", "/b", "/i/_search?size=1"] {
        let request = Client::new()
            .post(format!("{}{path}", mini.url()))
            .header("content-type", "application/json");
        request.body("{}").send().await.unwrap();
    }
    let recorded: Vec<_> = mini
        .requests()
        .into_iter()
        .map(|request| (request.method, request.path, request.body))
        .collect();
    let expected =
        ["/b", "/i/_search?size=1"].map(|path| ("POST".to_owned(), path.to_owned(), "{}".into()));
    assert_eq!(recorded, expected);
    mini.clear_requests();
    assert!(mini.requests().is_empty());
}

#[tokio::test]
async fn only_who_has_the_credentials_is_let_in() {
    let credentials = Some(Credentials::basic("reader", "open sesame"));
    let mini = MiniElasticsearch::start(Options {
        credentials,
        ..Options::default()
    })
    .unwrap();
    let status = async |password: Option<&str>| {
        let request = Client::new().get(mini.url());
        let request = match password {
            Some(password) => request.basic_auth("reader", Some(password)),
            None => request,
        };
        request.send().await.unwrap()
    };
    assert_eq!(status(Some("open sesame")).await.status(), StatusCode::OK);
    for password in [None, Some("wrong")] {
        let refused = status(password).await;
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
        assert!(refused.headers().contains_key("www-authenticate"));
        let body: Value = serde_json::from_str(&refused.text().await.unwrap()).unwrap();
        assert_eq!(body["error"]["type"], "security_exception");
    }
    assert_eq!(
        format!("{:?}", Credentials::api_key("secret")),
        "Credentials(..)"
    );
}

#[tokio::test]
async fn shards_can_become_visible_one_after_the_other() {
    let cluster = cluster();
    let mini = cluster.mini.as_ref().unwrap();
    mini.refresh();
    mini.set_manual_refresh(true);
    let late: Vec<_> = (0..6)
        .map(|n| mini.insert("i", Some(&format!("late{n}")), "{}").unwrap())
        .collect();
    assert_eq!(hits(&search(&cluster).await).len(), 10);
    mini.refresh_shard("i", late[0].shard);
    let visible = late
        .iter()
        .filter(|late_one| late_one.shard == late[0].shard)
        .count();
    assert_eq!(hits(&search(&cluster).await).len(), 10 + visible);
    mini.refresh();
    assert_eq!(hits(&search(&cluster).await).len(), 16);
}

#[tokio::test]
async fn the_server_ends_when_it_is_dropped() {
    let cluster = cluster();
    let url = cluster.url().to_owned();
    let client = Client::new();
    client.get(&url).send().await.unwrap();
    drop(cluster);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(client.get(&url).send().await.unwrap_err().is_connect());
}
