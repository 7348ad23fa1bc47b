//! Components that do what no component should: what stops them, in which words, and that
//! nobody else notices.
//!
//! Each row is an attack of tests/fixtures/hostile.

mod asks;
mod beside;
mod machine;
mod output;
mod rehearsal;
mod says;
mod state;

use std::time::Duration;

use elasticsearch_source::instance::Failure;
use elasticsearch_source::mini_elasticsearch::{MiniElasticsearch, Product};
use elasticsearch_source::runner::Summary;

use crate::support::fixture;
use crate::support::sample;
use crate::support::world::World;

/// How long an attack may go on before a test gives up on it.
const PATIENCE: Duration = Duration::from_secs(60);

fn cluster() -> MiniElasticsearch {
    sample::cluster(Product::Elasticsearch, 100)
}

/// A source that attacks in this export, in this way.
fn attacker(cluster: &MiniElasticsearch, export: &str, attack: &str) -> World {
    let path = format!("path = '{}'", fixture::component("hostile").display());
    World::reading(cluster.url(), "logs")
        .source_keys(&path)
        .key("in", export)
        .key("attack", attack)
        .limits("guest_time = \"100ms\"")
}

/// How a run of it ends, which it does soon.
async fn failure(world: &World) -> (Failure, Summary) {
    let ended = tokio::time::timeout(PATIENCE, world.once()).await;
    ended.expect("nothing stops it").unwrap_err()
}

/// The words of the error in which a run of it ends, as one that was stopped.
async fn stopped(world: &World) -> String {
    let (failure, summary) = failure(world).await;
    assert!(matches!(failure, Failure::Trapped(_)), "{failure}");
    assert_eq!(summary.retries, 4, "each time in a new instance");
    failure.to_string()
}

/// The words of the error that it returns, which repeat what the host answered.
async fn told(world: &World) -> String {
    let (failure, _) = failure(world).await;
    assert!(matches!(failure, Failure::Permanent(_)), "{failure}");
    failure.to_string()
}

/// How `what` is raised, for this source.
fn remedy(key: &str) -> String {
    format!("if it may have more, raise {key} in [sources.test.limits]")
}

/// A text as TOML has it, too, with whatever is in it.
fn json(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}
