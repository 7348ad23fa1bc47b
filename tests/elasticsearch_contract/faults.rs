//! Faults that the server in this process plays on command.

use std::time::{Duration, Instant};

use elasticsearch_source::mini_elasticsearch::{Effect, Fault, Product};
use reqwest::Client;
use serde_json::{Value, json};

use super::reader::{hits, ids, open_pit};
use crate::support::servers::Cluster;

/// Ten documents over three shards, a second apart.
pub(super) fn cluster() -> Cluster {
    let cluster = Cluster::mini(Product::Elasticsearch);
    let mini = cluster.mini.as_ref().unwrap();
    mini.create_index("i", 3, &json!({"properties": {"at": {"type": "date"}}}))
        .unwrap();
    for n in 0..10 {
        let source = format!(r#"{{"at":"2026-01-01T00:00:{n:02}Z"}}"#);
        mini.insert("i", Some(&format!("d{n}")), source).unwrap();
    }
    cluster
}

fn inject(cluster: &Cluster, fault: Fault) {
    cluster.mini.as_ref().unwrap().inject(fault);
}

/// All documents, in order.
pub(super) async fn search(cluster: &Cluster) -> Value {
    let path = "/i/_search?allow_partial_search_results=false";
    cluster
        .call("POST", path, r#"{"size":100,"sort":["at"]}"#)
        .await
        .ok()
}

async fn post(cluster: &Cluster, path: &str) -> Result<String, reqwest::Error> {
    let request = Client::new()
        .post(format!("{}{path}", cluster.url()))
        .header("content-type", "application/json");
    request
        .body("{}")
        .timeout(Duration::from_secs(5))
        .send()
        .await?
        .error_for_status()?
        .text()
        .await
}

#[tokio::test]
async fn answers_of_an_overloaded_cluster_are_as_real_ones() {
    let cluster = cluster();
    let cases = [
        (
            Effect::too_many_requests(7),
            429,
            "es_rejected_execution_exception",
        ),
        (Effect::circuit_breaker(), 429, "circuit_breaking_exception"),
        (Effect::unavailable(), 503, "<html>"),
    ];
    for (effect, status, part) in cases {
        inject(&cluster, Fault::new(effect));
        let answer = cluster.call("POST", "/i/_search", "{}").await;
        assert_eq!(answer.status, status);
        assert!(answer.text.contains(part), "{}", answer.text);
        assert_eq!(answer.json.is_null(), status == 503);
        assert_eq!(cluster.call("POST", "/i/_search", "{}").await.status, 200);
    }
    inject(&cluster, Fault::new(Effect::too_many_requests(7)));
    let response = Client::new()
        .get(format!("{}/i/_search", cluster.url()))
        .send()
        .await
        .unwrap();
    assert_eq!(response.headers()["retry-after"], "7");
}

#[tokio::test]
async fn a_fault_hits_only_what_it_is_meant_for() {
    let cluster = cluster();
    let fault = Fault::new(Effect::unavailable())
        .method("post")
        .path("/_search")
        .body("special")
        .after(1)
        .times(2);
    inject(&cluster, fault);
    let status =
        async |method: &str, path: &str, body: &str| cluster.call(method, path, body).await.status;
    let special = r#"{"query":{"ids":{"values":["special"]}}}"#;
    assert_eq!(status("GET", "/i/_search", "").await, 200);
    assert_eq!(status("POST", "/i/_count", special).await, 200);
    assert_eq!(status("POST", "/i/_search", "{}").await, 200);
    let statuses = [
        status("POST", "/i/_search", special).await,
        status("POST", "/i/_search", special).await,
        status("POST", "/i/_search", special).await,
        status("POST", "/i/_search", special).await,
    ];
    assert_eq!(statuses, [200, 503, 503, 200]);
    assert_eq!(cluster.mini.as_ref().unwrap().pending_faults(), 0);
}

#[tokio::test]
async fn a_lost_request_has_no_effect_and_a_lost_answer_has() {
    let cluster = cluster();
    for (effect, documents) in [
        (Effect::LoseRequest, 10),
        (Effect::LoseAnswer, 11),
        (Effect::CutAnswer, 12),
    ] {
        let cut = matches!(effect, Effect::CutAnswer);
        inject(&cluster, Fault::new(effect));
        let error = post(&cluster, "/i/_doc").await.unwrap_err();
        assert_eq!(
            (error.is_body() || error.is_decode(), error.is_timeout()),
            (cut, false),
            "{error:?}"
        );
        assert_eq!(cluster.mini.as_ref().unwrap().count("i"), documents);
    }
}

#[tokio::test]
async fn an_answer_can_be_late_or_never_come() {
    let cluster = cluster();
    let begin = Instant::now();
    inject(
        &cluster,
        Fault::new(Effect::Delay(Duration::from_millis(80))),
    );
    assert_eq!(hits(&search(&cluster).await).len(), 10);
    assert!(begin.elapsed() >= Duration::from_millis(80));
    inject(
        &cluster,
        Fault::new(Effect::Hang(Duration::from_millis(80))),
    );
    assert!(post(&cluster, "/i/_search").await.is_err());
    assert!(begin.elapsed() >= Duration::from_millis(160));
}

#[tokio::test]
async fn a_lost_shard_shows_in_shards_and_total_of_a_200() {
    let cluster = cluster();
    inject(&cluster, Fault::new(Effect::LoseShard(1)));
    let partial = search(&cluster).await;
    assert_eq!(partial["_shards"]["failed"], 1);
    assert_eq!(partial["_shards"]["failures"][0]["shard"], 1);
    assert_eq!(partial["_shards"]["failures"][0]["index"], "i");
    let found = hits(&partial).len();
    assert!((1..10).contains(&found), "{found}");
    assert_eq!(partial["hits"]["total"]["value"], found);
    assert_eq!(hits(&search(&cluster).await).len(), 10);
    inject(&cluster, Fault::new(Effect::LoseShard(1)));
    assert_eq!(
        cluster.call("GET", "/i/_count", "").await.json["count"],
        found
    );
}

#[tokio::test]
async fn a_lost_hit_shows_nowhere() {
    let cluster = cluster();
    inject(&cluster, Fault::new(Effect::LoseHit(4)));
    let answer = search(&cluster).await;
    assert_eq!(answer["hits"]["total"]["value"], 10);
    assert_eq!(answer["_shards"]["failed"], 0);
    assert_eq!(
        ids(&answer),
        ["d0", "d1", "d2", "d3", "d5", "d6", "d7", "d8", "d9"]
    );
}

#[tokio::test]
async fn a_search_can_run_out_of_time() {
    let cluster = cluster();
    inject(&cluster, Fault::new(Effect::TimeOut));
    let answer = search(&cluster).await;
    assert_eq!(
        (&answer["timed_out"], hits(&answer).len()),
        (&json!(true), 5)
    );
}

#[tokio::test]
async fn a_lost_context_stays_lost() {
    let cluster = cluster();
    let pit = open_pit(&cluster, "i").await;
    let body = json!({"pit": {"id": pit}}).to_string();
    assert_eq!(
        cluster.call("POST", "/_search", body.clone()).await.status,
        200
    );
    inject(&cluster, Fault::new(Effect::LoseContext));
    for _ in 0..2 {
        let answer = cluster.call("POST", "/_search", body.clone()).await;
        assert_eq!(answer.cause(404), "search_context_missing_exception");
    }
    assert_eq!(cluster.mini.as_ref().unwrap().open_pits(), 0);
}
