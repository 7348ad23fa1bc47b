//! Stores behind a network: servers that are away, slow, full, or will not have us.

use elasticsearch_source::state_store::RedisRecords;
use reqwest::Method;

use super::*;
use crate::support::proxy::{Proxy, Way};

/// Away and back, slow and quick again: an error in time, and then it goes on.
async fn trouble_passes(records: &dyn Records, proxy: &Proxy, timeout: Duration) {
    let mut revision = records.save("id", state("0"), None).await.unwrap();
    for (round, way) in [Way::Cut, Way::Stuck].into_iter().enumerate() {
        proxy.is(way);
        let (before, next) = (std::time::Instant::now(), state(&format!("{way:?}")));
        match records.save("id", next.clone(), Some(&revision)).await {
            Err(StoreError::Unavailable(cause)) => {
                assert!(
                    format!("{cause:#}").contains(&records.describe("id")),
                    "{cause:#}"
                );
            }
            other => panic!("{way:?}: {other:?}"),
        }
        assert!(
            before.elapsed() < timeout * 2,
            "{way:?} {:?}",
            before.elapsed()
        );
        proxy.is(Way::Open);
        // A connection that was kept may only now be found to be closed.
        let again = records.save("id", next.clone(), Some(&revision)).await;
        revision = match again {
            Err(StoreError::Unavailable(_)) => records.save("id", next, Some(&revision)).await,
            again => again,
        }
        .unwrap_or_else(|error| panic!("round {round}: {error}"));
    }
}

fn host_and_port(url: &reqwest::Url) -> String {
    let port = url.port_or_known_default().unwrap_or(6379);
    format!("{}:{port}", url.host_str().unwrap())
}

async fn elasticsearch_that_is_away_or_slow_is_unavailable_until_it_is_back(
    backend: &Clusters,
    timeout: Duration,
) {
    let proxy = Proxy::to(host_and_port(&backend.url)).await;
    let mut url = backend.url.clone();
    url.set_port(Some(proxy.port)).unwrap();
    let records = backend.records_at(&url, timeout).await.unwrap();
    trouble_passes(records.as_ref(), &proxy, timeout).await;
    proxy.is(Way::Cut);
    let opened = backend.records_at(&url, timeout).await;
    assert!(matches!(opened, Err(StoreError::Unavailable(_))));
}

#[tokio::test]
async fn an_elasticsearch_that_is_away_or_slow_is_unavailable_until_it_is_back() {
    let backend = Clusters::in_process(Product::Elasticsearch);
    let timeout = Duration::from_millis(500);
    elasticsearch_that_is_away_or_slow_is_unavailable_until_it_is_back(&backend, timeout).await;
}

#[tokio::test]
#[cfg_attr(
    not(real_redis),
    ignore = "needs a real Redis: see README, \"Tests with real servers\""
)]
async fn a_redis_that_is_away_or_slow_is_unavailable_until_it_is_back() {
    let timeout = Duration::from_millis(500);
    let backend = Redis::real().within(timeout);
    let proxy = Proxy::to(host_and_port(&backend.url)).await;
    let mut url = backend.url.clone();
    url.set_port(Some(proxy.port)).unwrap();
    let records = backend.open(&url).await.unwrap();
    trouble_passes(&records, &proxy, timeout).await;
    proxy.is(Way::Cut);
    assert!(matches!(
        backend.open(&url).await,
        Err(StoreError::Unavailable(_))
    ));
    backend.clean().await;
}

fn refused(opened: Result<RedisRecords, StoreError>) -> String {
    match opened {
        Err(StoreError::Invalid(cause)) => format!("{cause:#}"),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was opened"),
    }
}

#[tokio::test]
#[cfg_attr(
    not(real_redis),
    ignore = "needs a real Redis: see README, \"Tests with real servers\""
)]
async fn a_redis_that_does_not_know_the_user_says_so_without_the_password() {
    let backend = Redis::real();
    for (user, password) in [("", "hunter2-wrong"), ("nobody", "hunter2-wrong")] {
        let mut url = backend.url.clone();
        url.set_username(user).unwrap();
        url.set_password(Some(password)).unwrap();
        let said = refused(backend.open(&url).await);
        assert!(
            said.contains("user and password") && !said.contains("hunter2"),
            "{said}"
        );
    }
}

#[tokio::test]
#[cfg_attr(
    not(real_redis),
    ignore = "needs a real Redis: see README, \"Tests with real servers\""
)]
async fn a_key_that_is_no_hash_is_corrupt_and_stays() {
    let backend = Redis::real();
    let records = backend.open(&backend.url).await.unwrap();
    let key = backend.key("id");
    let _ok: String = backend.command(&["SET", &key, "a backup"]).await;
    let loaded = records.load("id").await;
    assert!(matches!(loaded, Err(StoreError::Corrupt(_))), "{loaded:?}");
    let saved = records.save("id", state("x"), None).await;
    assert!(matches!(saved, Err(StoreError::Corrupt(_))), "{saved:?}");
    let kept: String = backend.command(&["GET", &key]).await;
    assert_eq!(kept, "a backup");
    let _removed: i64 = backend.command(&["DEL", &key]).await;
    let _new: i64 = backend.command(&["HSET", &key, "state", "{}"]).await;
    let loaded = records.load("id").await;
    assert!(matches!(loaded, Err(StoreError::Corrupt(_))), "{loaded:?}");
    for expected in [None, Some(""), Some("-")] {
        assert_conflict(records.save("id", state("x"), expected).await, "id");
    }
    backend.clean().await;
}

#[tokio::test]
#[cfg_attr(
    not(real_redis),
    ignore = "needs a real Redis: see README, \"Tests with real servers\""
)]
async fn a_key_that_is_no_record_makes_way_whatever_it_is() {
    let backend = Redis::real();
    let records = backend.open(&backend.url).await.unwrap();
    let (key, aside) = (backend.key("id"), backend.key("id.broken"));
    for words in [
        vec!["SET", &key, "a backup"],
        vec!["HSET", &key, "state", "{}"],
        vec!["HSET", &key, "revision", "7"],
        vec!["HSET", &key, "revision", "", "state", "{}"],
        vec!["HSET", &key, "revision", "7", "state", ""],
    ] {
        let _done: ::redis::Value = backend.command(&words).await;
        for revision in ["7", "", "-"] {
            let saved = records.save("id", state("x"), Some(revision)).await;
            assert!(saved.is_err(), "{words:?}");
        }
        let dumped: Vec<u8> = backend.command(&["DUMP", &key]).await;
        let kept = records.set_aside("id", None).await.unwrap().unwrap();
        assert!(kept.contains("id.broken"), "{kept}");
        let moved: Vec<u8> = backend.command(&["DUMP", &aside]).await;
        assert!(moved == dumped, "{words:?}");
        assert_eq!(records.load("id").await.unwrap(), None);
    }
    backend.clean().await;
}

/// The client takes smaller answers here than it does of the program.
async fn what_is_too_large_to_be_loaded_makes_way(backend: &Clusters) {
    let writer = backend.records().await.unwrap();
    let large = state(&"x".repeat(5_000));
    writer.save("id", large, None).await.unwrap();
    let records = backend.records_up_to(4_000).await.unwrap();
    let loaded = records.load("id").await;
    assert!(matches!(loaded, Err(StoreError::Corrupt(_))), "{loaded:?}");
    assert_eq!(records.set_aside("id", None).await.unwrap(), None);
    assert_eq!(records.load("id").await.unwrap(), None);
}

#[tokio::test]
async fn a_document_that_is_too_large_to_be_loaded_makes_way() {
    let backend = Clusters::in_process(Product::Elasticsearch);
    what_is_too_large_to_be_loaded_makes_way(&backend).await;
}

async fn an_index_that_maps_fields_is_refused_and_named(backend: &Clusters) {
    backend.call(Method::PUT, "", "{}").await;
    backend.call(Method::PUT, "/_doc/a", r#"{"id":"a"}"#).await;
    match backend.records().await.map(drop) {
        Err(StoreError::Invalid(cause)) => {
            let said = cause.to_string();
            assert!(
                said.contains("-states at http://") && said.contains("it maps fields (id, ..)"),
                "{said}"
            );
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_index_that_maps_fields_is_refused_unless_its_mapping_may_not_be_seen() {
    let backend = Clusters::in_process(Product::Elasticsearch);
    an_index_that_maps_fields_is_refused_and_named(&backend).await;
    backend.refuse("GET", "/_mapping");
    backend.records().await.unwrap();
}

#[tokio::test]
#[cfg_attr(
    not(real_elasticsearch),
    ignore = "needs a real Elasticsearch: see README, \"Tests with real servers\""
)]
async fn a_real_index_that_maps_fields_is_refused_and_a_large_document_makes_way() {
    let backend = Clusters::real("ELASTICSEARCH_URL");
    an_index_that_maps_fields_is_refused_and_named(&backend).await;
    backend.clean().await;
    what_is_too_large_to_be_loaded_makes_way(&backend).await;
    backend.clean().await;
}

#[tokio::test]
#[cfg_attr(
    not(real_elasticsearch),
    ignore = "needs a real Elasticsearch: see README, \"Tests with real servers\""
)]
async fn an_index_that_takes_no_writes_is_unavailable_with_the_remedy() {
    let backend = Clusters::real("ELASTICSEARCH_URL");
    let records = backend.records().await.unwrap();
    let revision = records.save("id", state("0"), None).await.unwrap();
    for (set, unset, remedy) in [
        (
            "{\"index.blocks.write\":true}",
            "{\"index.blocks.write\":null}",
            "index.blocks.write",
        ),
        (
            "{\"index.blocks.read_only_allow_delete\":true}",
            "{\"index.blocks.read_only_allow_delete\":null}",
            "make room",
        ),
    ] {
        backend.call(Method::PUT, "/_settings", set).await;
        match records.save("id", state("1"), Some(&revision)).await {
            Err(StoreError::Unavailable(cause)) => {
                assert!(cause.to_string().contains(remedy), "{cause}");
            }
            other => panic!("{other:?}"),
        }
        backend.call(Method::PUT, "/_settings", unset).await;
    }
    records
        .save("id", state("1"), Some(&revision))
        .await
        .unwrap();
    backend.clean().await;
}

/// A state has as many fields as a source has partitions; no mapping may grow with them.
#[tokio::test]
#[cfg_attr(
    not(real_elasticsearch),
    ignore = "needs a real Elasticsearch: see README, \"Tests with real servers\""
)]
async fn a_state_of_many_fields_maps_none() {
    let backend = Clusters::real("ELASTICSEARCH_URL");
    let records = backend.records().await.unwrap();
    let fields: serde_json::Map<_, _> = (0..5_000).map(|n| (format!("f{n}"), n.into())).collect();
    let state = serde_json::to_vec(&serde_json::json!({ "data": fields })).unwrap();
    records.save("id", state.into(), None).await.unwrap();
    backend.clean().await;
}
