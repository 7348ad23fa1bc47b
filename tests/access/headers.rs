//! What every request says besides: headers of the user's, and a version of the API.

use elasticsearch_source::mini_elasticsearch::Product;
use serde_json::json;

use super::{DOCUMENTS, cluster, header};
use crate::support::servers::{Cluster, run};
use crate::support::world::World;

/// Reads into a state in the same cluster, so that both ways of asking are seen.
fn reading(url: &str) -> World {
    World::reading(url, "logs").raw("state", "{ storage_type = 'elasticsearch' }")
}

#[tokio::test]
async fn every_request_carries_the_configured_headers() {
    let cluster = cluster();
    let headers = "headers = { Elastic-Api-Version = 2023-10-31, X-Tenant = 'blue team' }";
    let world = reading(cluster.url()).lines(headers);
    assert_eq!(world.published_once().await, DOCUMENTS);
    let requests = cluster.requests();
    assert!(
        requests
            .iter()
            .any(|asked| asked.path.starts_with("/connector_states"))
    );
    for asked in requests {
        assert_eq!(header(&asked, "elastic-api-version"), "2023-10-31");
        assert_eq!(header(&asked, "x-tenant"), "blue team");
        let types = ["application/json", ""];
        assert!(types.contains(&header(&asked, "content-type")), "{asked:?}");
    }
}

#[tokio::test]
async fn a_version_of_the_api_is_asked_for_in_every_request() {
    let cluster = cluster();
    let world = reading(cluster.url()).raw("compatible_with", "8");
    assert_eq!(world.published_once().await, DOCUMENTS);
    let versioned = "application/vnd.elasticsearch+json; compatible-with=8";
    for asked in cluster.requests() {
        assert_eq!(header(&asked, "accept"), versioned);
        let expected = if asked.body.is_empty() { "" } else { versioned };
        assert_eq!(header(&asked, "content-type"), expected, "{asked:?}");
    }
}

#[tokio::test]
#[cfg_attr(
    not(real_elasticsearch),
    ignore = "needs a real Elasticsearch: see README, \"Tests with real servers\""
)]
async fn a_real_elasticsearch_takes_its_own_version_and_the_one_before() {
    let cluster = Cluster::real(Product::Elasticsearch, "ELASTICSEARCH_URL");
    run(cluster, |cluster| {
        Box::pin(versions_are_told_apart(cluster))
    })
    .await;
}

async fn versions_are_told_apart(cluster: &Cluster) {
    let mappings = json!({"properties": {"@timestamp": {"type": "date"}}});
    let index = cluster.create("versions", 1, mappings).await;
    let document = json!({"@timestamp": "2026-01-01T00:00:00Z"}).to_string();
    let path = format!("/{index}/_doc/a?refresh=true");
    cluster.call("PUT", &path, document).await.ok();
    let (mut taken, mut refused) = (0, 0);
    for version in ["7", "8", "9"] {
        let world = World::reading(cluster.url(), &index)
            .key("settle", "0s")
            .raw("compatible_with", version);
        match world.once().await {
            Ok(summary) => {
                assert_eq!(summary.documents, 1);
                taken += 1;
            }
            Err((failure, _)) => {
                let message = failure.to_string();
                assert!(message.contains("set \"compatible_with\" to"), "{message}");
                refused += 1;
            }
        }
    }
    // Elasticsearch 7 takes the media type with any version.
    let nodes = cluster.call("GET", "/_nodes?filter_path=nodes.*.version", "");
    let is_7 = nodes.await.text.contains("\"version\":\"7.");
    assert!(
        taken > 0 && (refused > 0) != is_7,
        "{taken} taken, {refused} refused"
    );
}
