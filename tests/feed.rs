//! A component that is no Elasticsearch connector, in the same host: it reads a feed of
//! numbered items, and is the README's example of how to write one.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use elasticsearch_source::component::{Component, Content, Origin};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::fixture;
use crate::support::iggy::{Fault, IggyStandIn, codes};
use crate::support::world::{World, sandbox};

/// A feed with so many items, of which a page has 50.
#[derive(Clone, Default)]
struct Feed {
    items: Arc<AtomicU64>,
    requests: Arc<AtomicU64>,
}

#[derive(Deserialize)]
struct After {
    after: u64,
}

impl Feed {
    /// Answers every third request with an error.
    async fn page(
        State(feed): State<Self>,
        Query(After { after }): Query<After>,
    ) -> (StatusCode, Json<Value>) {
        if feed.requests.fetch_add(1, Ordering::Relaxed) % 3 == 2 {
            return (StatusCode::SERVICE_UNAVAILABLE, Json(json!({})));
        }
        let last = feed.items.load(Ordering::Relaxed).min(after + 50);
        let item = |number| json!({"number": number, "text": format!("news {number}")});
        let items: Vec<_> = (after + 1..=last).map(item).collect();
        (StatusCode::OK, Json(json!({"items": items})))
    }

    /// The address at which it answers.
    async fn serve(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new()
            .route("/news", get(Self::page))
            .with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}")
    }

    fn grow_to(&self, items: u64) {
        self.items.store(items, Ordering::Relaxed);
    }
}

/// A source that reads it by this component.
fn reading(url: &str, component: &str) -> World {
    let grants = r#"grants = {reading = false, http = ["GET /{index}?after"]}"#;
    World::reading(url, "news")
        .without("timestamp_field")
        .source_keys(&format!("path = '{component}'\n{grants}"))
}

fn numbers(last: u64) -> impl Iterator<Item = String> {
    (1..=last).map(|number| number.to_string())
}

/// What any component of a feed has to do.
async fn delivers_every_item_once(component: &str) {
    let feed = Feed::default();
    let world = reading(&feed.serve().await, component);
    assert_eq!(world.published_once().await, 0);
    feed.grow_to(320);
    assert_eq!(world.published_once().await, 320);
    let before = std::fs::read(world.state_file()).unwrap();
    feed.grow_to(470);
    assert_eq!(world.published_once().await, 150);
    // As after a crash between a publish and the save that covers it.
    std::fs::write(world.state_file(), before).unwrap();
    feed.grow_to(480);
    assert_eq!(
        world.published_once().await,
        10,
        "the others were found in the output"
    );
    assert_eq!(world.published_once().await, 0);
    world.assert_holds_exactly(numbers(480));
}

/// The second page is lost on its way, or only its acknowledgement is.
async fn delivers_every_item_once_through_lost_publishes(component: &str) {
    for fault in [Fault::CloseBefore, Fault::CloseAfter, Fault::SilenceAfter] {
        let (feed, server) = (Feed::default(), IggyStandIn::start().await);
        let world =
            reading(&feed.serve().await, component).output(&server.toml("timeout = \"300ms\""));
        feed.grow_to(120);
        let as_ever = Fault::AnswerAfter(Duration::ZERO);
        server.inject(codes::SEND_MESSAGES_CODE, 1, as_ever);
        server.inject(codes::SEND_MESSAGES_CODE, 1, fault);
        world.once().await.unwrap();
        let mut ids = server.ids("s", "t");
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(
            (ids.len(), server.ids("s", "t").len()),
            (120, 120),
            "{fault:?}"
        );
        // As long as something may be under way, the state must say so.
        assert_eq!(world.state()["data"]["settled"], true);
        feed.grow_to(121);
        // The last of five attempts fails at its publish.
        feed.requests.store(0, Ordering::Relaxed);
        server.inject(codes::SEND_MESSAGES_CODE, 100, Fault::SilenceBefore);
        let (failure, _) = world.once().await.unwrap_err();
        assert_eq!(world.state()["data"]["settled"], false, "{failure}");
    }
}

/// Compiled once for all its runs.
async fn keeps_its_promises(component: &Path) {
    let content = Content::read(Origin::File(component.to_owned())).unwrap();
    let _kept = Component::load(&sandbox(), &content).unwrap();
    let component = component.to_str().unwrap();
    delivers_every_item_once(component).await;
    delivers_every_item_once_through_lost_publishes(component).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_is_no_elasticsearch_connector_delivers_every_item_once() {
    keeps_its_promises(&fixture::component("feed")).await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(
    not(componentize_py),
    ignore = "needs componentize-py, named by COMPONENTIZE_PY at build time"
)]
async fn a_component_in_another_language_delivers_every_item_once() {
    keeps_its_promises(&fixture::in_python()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_granted_is_named_with_what_would_grant_it() {
    let feed = Feed::default();
    let component = fixture::component("feed");
    let world = reading(&feed.serve().await, component.to_str().unwrap());
    let world = world.source_keys(&format!("path = '{}'", component.display()));
    let (failure, _) = world.once().await.unwrap_err();
    let said = failure.to_string();
    assert!(
        said.contains("http = [\\\"GET /{index}?after\\\"]"),
        "{said}"
    );
    assert_eq!(feed.requests.load(Ordering::Relaxed), 0);
}
