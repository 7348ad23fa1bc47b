//! The clusters that tests run against: in this process, and real ones where the build
//! was given their addresses.
//!
//! [`for_each_cluster!`](crate::support::servers::for_each_cluster) makes one named test
//! per case and cluster. Which servers are real is decided when the tests are built (a
//! part of the build script), so that a missing one shows as ignored, not as passed.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use elasticsearch_source::mini_elasticsearch::{MiniElasticsearch, Options, Product};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use reqwest::{Client, Method};
use serde_json::Value;

/// A cluster for one test, with indices of its own.
pub(crate) struct Cluster {
    /// Whose answers it gives.
    pub(crate) product: Product,
    /// The server in this process, to look behind the answers.
    pub(crate) mini: Option<MiniElasticsearch>,
    url: String,
    client: Client,
    /// What the names of this test's indices begin with.
    prefix: String,
    created: Mutex<Vec<String>>,
}

/// An answer of a cluster.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The body as it came.
    pub(crate) text: String,
    /// The body as JSON; null where it is none.
    pub(crate) json: Value,
    /// The `X-elastic-product` header.
    pub(crate) product: Option<String>,
}

impl Answer {
    /// The JSON of an answer that must be a success.
    pub(crate) fn ok(self) -> Value {
        assert!(
            (200..300).contains(&self.status),
            "{} {}",
            self.status,
            self.text
        );
        self.json
    }

    /// The type of the first cause of an error that must have this status.
    pub(crate) fn cause(&self, status: u16) -> &str {
        assert_eq!(self.status, status, "{}", self.text);
        self.json["error"]["root_cause"][0]["type"]
            .as_str()
            .unwrap_or_default()
    }
}

impl Cluster {
    /// A fresh cluster in this process.
    pub(crate) fn mini(product: Product) -> Self {
        let mini = MiniElasticsearch::start(Options {
            product,
            ..Options::default()
        })
        .expect("a free port");
        Self::new(product, mini.url().to_owned(), Some(mini))
    }

    /// The real cluster that a variable names.
    pub(crate) fn real(product: Product, variable: &str) -> Self {
        let url = std::env::var(variable);
        let url = url.unwrap_or_else(|_| {
            panic!("{variable} was set when the tests were built and is not set now")
        });
        Self::new(product, url.trim_end_matches('/').to_owned(), None)
    }

    fn new(product: Product, url: String, mini: Option<MiniElasticsearch>) -> Self {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("elasticsearch-source-test-{}-{number}", std::process::id());
        Self {
            product,
            mini,
            url,
            client: Client::new(),
            prefix,
            created: Mutex::default(),
        }
    }

    /// Where the cluster is, without a slash at the end.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// A name for an index, or the start of a pattern, that no other test has.
    pub(crate) fn name(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }

    /// Creates an index under a [`Self::name`] and returns that; it is deleted when the
    /// test ends.
    pub(crate) async fn create(&self, name: &str, shards: usize, mappings: Value) -> String {
        let settings = serde_json::json!({"number_of_shards": shards, "number_of_replicas": 0});
        self.create_with(name, settings, mappings).await
    }

    /// The same with these settings.
    pub(crate) async fn create_with(&self, name: &str, settings: Value, mappings: Value) -> String {
        let name = self.name(name);
        self.created
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(name.clone());
        let body = serde_json::json!({"settings": settings, "mappings": mappings});
        self.call("PUT", &format!("/{name}"), body.to_string())
            .await
            .ok();
        name
    }

    /// One request; the body, if there is one, is JSON or lines of it.
    pub(crate) async fn call(&self, method: &str, path: &str, body: impl Into<String>) -> Answer {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request = self.client.request(method, format!("{}{path}", self.url));
        let body = body.into();
        if !body.is_empty() {
            request = request
                .header("content-type", "application/json")
                .body(body);
        }
        let response = request
            .send()
            .await
            .unwrap_or_else(|error| panic!("no answer to {path}: {error:?}"));
        let status = response.status().as_u16();
        let product = response
            .headers()
            .get("x-elastic-product")
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
        let text = response.text().await.expect("a whole body");
        Answer {
            status,
            json: serde_json::from_str(&text).unwrap_or_default(),
            text,
            product,
        }
    }

    /// Whether an index can be told to keep no sequence numbers: Elasticsearch can, from 9.4 on.
    pub(crate) async fn knows_unnumbered(&self) -> bool {
        let version = self.call("GET", "/", "").await.json["version"]["number"].clone();
        let mut parts = version
            .as_str()
            .unwrap()
            .split('.')
            .map(|part| part.parse::<u32>().unwrap());
        let version = (parts.next().unwrap(), parts.next().unwrap());
        self.product == Product::Elasticsearch && (self.mini.is_some() || version >= (9, 4))
    }

    async fn delete_created(&self) {
        let created =
            std::mem::take(&mut *self.created.lock().unwrap_or_else(PoisonError::into_inner));
        for name in created {
            self.call("DELETE", &format!("/{name}?ignore_unavailable=true"), "")
                .await;
        }
    }
}

/// Runs a case, and deletes the indices that it created even if it panics.
pub(crate) async fn run(
    cluster: Cluster,
    case: impl for<'a> FnOnce(&'a Cluster) -> BoxFuture<'a, ()>,
) {
    let outcome = AssertUnwindSafe(case(&cluster)).catch_unwind().await;
    cluster.delete_created().await;
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

/// Makes one test per case and cluster, named `CASE::mini_elasticsearch` and so on.
///
/// ```ignore
/// for_each_cluster! {
///     async fn an_empty_index_has_no_hits(cluster) {
///         let index = cluster.create("empty", 1, json!({})).await;
///         ..
///     }
/// }
/// ```
macro_rules! for_each_cluster {
    ($($(#[$attribute:meta])* async fn $case:ident($cluster:ident) $body:block)+) => {$(
        $(#[$attribute])*
        async fn $case($cluster: &$crate::support::servers::Cluster) $body

        mod $case {
            use elasticsearch_source::mini_elasticsearch::Product;

            use $crate::support::servers::{Cluster, run};

            #[tokio::test]
            async fn mini_elasticsearch() {
                let cluster = Cluster::mini(Product::Elasticsearch);
                run(cluster, |cluster| Box::pin(super::$case(cluster))).await;
            }

            #[tokio::test]
            async fn mini_opensearch() {
                let cluster = Cluster::mini(Product::OpenSearch);
                run(cluster, |cluster| Box::pin(super::$case(cluster))).await;
            }

            #[tokio::test]
            #[cfg_attr(
                not(real_elasticsearch),
                ignore = "needs a real Elasticsearch: see README, \"Tests with real servers\""
            )]
            async fn real_elasticsearch() {
                let cluster = Cluster::real(Product::Elasticsearch, "ELASTICSEARCH_URL");
                run(cluster, |cluster| Box::pin(super::$case(cluster))).await;
            }

            #[tokio::test]
            #[cfg_attr(
                not(real_opensearch),
                ignore = "needs a real OpenSearch: see README, \"Tests with real servers\""
            )]
            async fn real_opensearch() {
                let cluster = Cluster::real(Product::OpenSearch, "OPENSEARCH_URL");
                run(cluster, |cluster| Box::pin(super::$case(cluster))).await;
            }
        }
    )+};
}
pub(crate) use for_each_cluster;
