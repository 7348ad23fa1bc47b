//! Components in a registry, which runs in this process.

mod answers;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use elasticsearch_source::component::{Content, Digest, Origin};
use elasticsearch_source::config::Config;
use elasticsearch_source::mini_elasticsearch::{Effect, Fault, MiniElasticsearch, Product};
use serde_json::json;

use crate::support::program::{self, wait_until};
use crate::support::rebuilt::Rebuilt;
use crate::support::sample::{self, ids};
use crate::support::world::World;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const WASM: &str = "application/wasm";
/// Who may ask, where somebody has to say so: `me` with the password `secret`.
const LOGIN: &str = "Basic bWU6c2VjcmV0";

/// What it holds, by tag or digest.
#[derive(Clone, Default)]
struct Registry {
    manifests: Arc<Mutex<BTreeMap<String, String>>>,
    blobs: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    asks_who: bool,
}

impl Registry {
    async fn serve(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new()
            .route("/v2/", get(Self::root))
            .route("/v2/me/source/manifests/{tag}", get(Self::manifest))
            .route("/v2/me/source/blobs/{digest}", get(Self::blob))
            .with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        address.to_string()
    }

    /// Puts a component under a tag, said to have this type, size and digest.
    fn push(&self, tag: &str, bytes: &[u8]) {
        self.push_as(tag, bytes, (WASM, bytes.len(), Digest::of(bytes)));
    }

    fn push_as(&self, tag: &str, bytes: &[u8], (kind, size, digest): (&str, usize, Digest)) {
        let digest = format!("sha256:{digest}");
        let config = json!({"mediaType": "application/vnd.wasm.config.v0+json", "size": 2, "digest": format!("sha256:{}", Digest::of(b"{}"))});
        let layer = json!({"mediaType": kind, "size": size, "digest": digest});
        let manifest =
            json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]});
        let mut manifests = self.manifests.lock().unwrap();
        manifests.insert(tag.to_owned(), manifest.to_string());
        self.blobs.lock().unwrap().insert(digest, bytes.to_vec());
    }

    /// Why this request is not answered.
    fn refuses(&self, headers: &HeaderMap) -> Option<Response> {
        let who = headers.get(header::AUTHORIZATION);
        let is_known = !self.asks_who || who.is_some_and(|who| who == LOGIN);
        let challenge = [(header::WWW_AUTHENTICATE, "Basic realm=\"here\"")];
        (!is_known).then(|| (StatusCode::UNAUTHORIZED, challenge).into_response())
    }

    async fn root(State(registry): State<Self>, headers: HeaderMap) -> Response {
        let refused = registry.refuses(&headers);
        refused.unwrap_or_else(|| StatusCode::OK.into_response())
    }

    async fn manifest(
        State(registry): State<Self>,
        Path(tag): Path<String>,
        headers: HeaderMap,
    ) -> Response {
        if let Some(refused) = registry.refuses(&headers) {
            return refused;
        }
        match registry.manifests.lock().unwrap().get(&tag) {
            None => StatusCode::NOT_FOUND.into_response(),
            Some(manifest) => {
                ([(header::CONTENT_TYPE, MANIFEST)], manifest.clone()).into_response()
            }
        }
    }

    async fn blob(
        State(registry): State<Self>,
        Path(digest): Path<String>,
        headers: HeaderMap,
    ) -> Response {
        if let Some(refused) = registry.refuses(&headers) {
            return refused;
        }
        match registry.blobs.lock().unwrap().get(&digest) {
            None => StatusCode::NOT_FOUND.into_response(),
            Some(bytes) => bytes.clone().into_response(),
        }
    }
}

fn embedded() -> Vec<u8> {
    Content::read(Origin::Embedded).unwrap().bytes().to_vec()
}

fn world(cluster: &MiniElasticsearch, path: &str, registry: &str) -> World {
    World::reading(cluster.url(), "logs")
        .source_keys(&format!("path = \"{path}\"\nregistry = {{ {registry} }}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_in_a_registry_runs_by_its_tag() {
    let cluster = sample::cluster(Product::Elasticsearch, 30);
    let registry = Registry::default();
    registry.push("1.2", &embedded());
    let path = format!("oci://{}/me/source:1.2", registry.serve().await);
    let world = world(&cluster, &path, "plain_http = true");
    assert_eq!(world.published_once().await, 30);
    world.assert_holds_exactly(ids(0..30));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_asks_who_is_there_is_told() {
    let cluster = sample::cluster(Product::Elasticsearch, 3);
    let registry = Registry {
        asks_who: true,
        ..Registry::default()
    };
    registry.push("1", &embedded());
    let path = format!("oci://{}/me/source:1", registry.serve().await);
    let login = |password: &str| {
        world(
            &cluster,
            &path,
            &format!("plain_http = true, username = \"me\", password = \"{password}\""),
        )
    };
    assert_eq!(login("secret").published_once().await, 3);
    for world in [login("wrong"), world(&cluster, &path, "plain_http = true")] {
        let error = format!("{:#}", world.source().await.err().unwrap());
        assert!(error.contains("[sources.NAME.registry]"), "{error}");
        assert!(!error.contains("wrong"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_whole_component_is_refused_with_its_reason() {
    let cluster = sample::cluster(Product::Elasticsearch, 0);
    let registry = Registry::default();
    let (bytes, other) = (embedded(), b"something else".to_vec());
    let digest = Digest::of(&bytes);
    registry.push_as("image", &bytes, ("application/x-tar", bytes.len(), digest));
    registry.push_as("large", &bytes, (WASM, (64 << 20) + 1, digest));
    registry.push_as(
        "changed",
        &other,
        (WASM, other.len(), Digest::of(b"as it was")),
    );
    registry.push_as("empty", b"", (WASM, 0, Digest::of(b"")));
    let address = registry.serve().await;
    let rows = [
        ("absent", "can not be had"),
        (
            "image",
            "layers of application/x-tar, and none of application/wasm",
        ),
        ("large", "larger than 64 MiB"),
        ("changed", "igest"),
        ("empty", "it is empty"),
    ];
    for (tag, words) in rows {
        let path = format!("oci://{address}/me/source:{tag}");
        let world = world(&cluster, &path, "plain_http = true");
        let error = format!("{:#}", world.source().await.err().unwrap());
        assert!(error.contains(words) && error.contains(&path), "{error}");
    }
}

/// A program whose component is in a registry, which has another one when it has read all.
struct Replaced {
    cluster: MiniElasticsearch,
    registry: Registry,
    world: World,
}

impl Replaced {
    async fn start() -> Self {
        let cluster = sample::cluster(Product::Elasticsearch, 200);
        let registry = Registry::default();
        registry.push("stable", &embedded());
        let path = format!("oci://{}/me/source:stable", registry.serve().await);
        let world = world(&cluster, &path, "plain_http = true")
            .key("polling_interval", "50ms")
            .raw("state", r#"{ storage_type = "elasticsearch" }"#);
        Self {
            cluster,
            registry,
            world,
        }
    }

    /// Returns what was logged.
    fn run(self, meanwhile: impl FnOnce(&MiniElasticsearch)) -> String {
        let log = self.world.folder().join("log");
        let logged = || std::fs::read_to_string(&log).unwrap();
        let config = self.world.config_file();
        let mut child = program::command(self.world.folder(), &["run", config.to_str().unwrap()])
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        wait_until("all is read", || self.world.delivered().len() == 200);
        self.registry.push("stable", &Rebuilt::numbered(1).bytes());
        meanwhile(&self.cluster);
        program::signal(&child, "HUP");
        wait_until("it is taken", || {
            logged().contains("the component was exchanged")
        });
        sample::insert(&self.cluster, 200..300);
        wait_until("it reads on", || self.world.delivered().len() == 300);
        program::terminate(&child);
        assert!(child.wait().unwrap().success());
        self.world.assert_holds_exactly(ids(0..300));
        logged()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_component_under_the_same_tag_is_taken_when_a_signal_has_it_looked_at() {
    let replaced = Replaced::start().await;
    let run = move || replaced.run(|_| {});
    tokio::task::spawn_blocking(run).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_is_asked_again_when_the_state_could_not_be_read() {
    let replaced = Replaced::start().await;
    let unread = |cluster: &MiniElasticsearch| {
        let fault = Fault::new(Effect::unavailable()).method("GET");
        cluster.inject(fault.path("/_doc/"));
    };
    let run = move || replaced.run(unread);
    let log = tokio::task::spawn_blocking(run).await.unwrap();
    let again = "the component can not be tried now, trying again";
    assert_eq!(log.matches(again).count(), 1, "{log}");
}

#[test]
fn a_registry_that_is_configured_is_used_or_an_error() {
    let rows = [
        (
            "path = \"mine.wasm\"\nregistry = { plain_http = true }",
            "is of no use, as \"path\" does not begin with oci://",
        ),
        (
            "path = \"oci://r.example/a:1\"\nregistry = { username = \"u\" }",
            "username: needs password beside it",
        ),
        (
            "path = \"oci://r.example/a:1\"\nregistry = { password = \"p\" }",
            "password: needs username beside it",
        ),
        (
            "path = \"oci://r.example/a:1\"\nregistry = { token = \"t\" }",
            "token",
        ),
    ];
    for (keys, words) in rows {
        let toml = World::reading("http://127.0.0.1:9", "logs")
            .source_keys(keys)
            .toml();
        let error = Config::parse(&toml, "c.toml", []).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_is_inspected_with_the_login_of_a_configuration() {
    let cluster = sample::cluster(Product::Elasticsearch, 0);
    let registry = Registry {
        asks_who: true,
        ..Registry::default()
    };
    registry.push("1", &embedded());
    let path = format!("oci://{}/me/source:1", registry.serve().await);
    let login = "plain_http = true, username = \"me\", password = \"secret\"";
    let world = world(&cluster, &path, login);
    world.config_file();
    let rows: [(&[&str], i32, &str); 4] = [
        (&["test.toml"], 0, "runs here  yes"),
        (&["test.toml", "--source", "test"], 0, "runs here  yes"),
        (
            &["test.toml", "--source", "other"],
            2,
            "no source \"other\"",
        ),
        (
            &[],
            2,
            "name the configuration that has them behind the component",
        ),
    ];
    for (more, code, words) in rows {
        let arguments = [&["component", "inspect", &path], more].concat();
        let looked = program::run(world.folder(), &arguments);
        assert_eq!(looked.code, Some(code), "{more:?}: {looked:?}");
        let printed = format!("{}{}", looked.stdout, looked.stderr);
        assert!(printed.contains(words), "{more:?}: {looked:?}");
    }
}
