//! Registries that do not keep to what is agreed, or to good manners.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use elasticsearch_source::component::Digest;
use elasticsearch_source::mini_elasticsearch::Product;
use serde_json::{Value, json};

use super::{MANIFEST, WASM, embedded, world};
use crate::support::program;
use crate::support::sample;

const MIB: usize = 1 << 20;
const AT: &str = "/v2/me/source/manifests/1";

/// A status, who is asked to say who they are, and a body.
type Answer = (u16, Option<String>, Vec<u8>);

/// One that gives these answers, by path, and knows nothing else.
#[derive(Clone, Default)]
struct Rude {
    answers: Arc<Mutex<BTreeMap<String, Answer>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Rude {
    async fn serve(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new()
            .fallback(Self::answer)
            .with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        address.to_string()
    }

    fn answers(&self, path: &str, answer: Answer) {
        let mut answers = self.answers.lock().unwrap();
        answers.insert(path.to_owned(), answer);
    }

    fn was_asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    async fn answer(State(rude): State<Self>, uri: Uri, headers: HeaderMap) -> Response {
        let who = headers.get(header::AUTHORIZATION);
        let who = who.map_or("nobody", |who| who.to_str().unwrap());
        let asked = format!("{} {who}", uri.path());
        rude.asked.lock().unwrap().push(asked);
        let answer = rude.answers.lock().unwrap().get(uri.path()).cloned();
        let Some((status, challenge, body)) = answer else {
            return StatusCode::NOT_FOUND.into_response();
        };
        let kind = [(header::CONTENT_TYPE, MANIFEST)];
        let status = StatusCode::from_u16(status).unwrap();
        let mut response = (status, kind, body).into_response();
        if let Some(challenge) = challenge {
            let challenge = challenge.parse().unwrap();
            let headers = response.headers_mut();
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

fn layer(kind: &str, size: i64) -> Value {
    json!({"mediaType": kind, "size": size, "digest": format!("sha256:{}", Digest::of(b""))})
}

fn manifest(layers: &[Value]) -> Value {
    json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": layer("x", 2), "layers": layers})
}

fn good(body: &Value) -> Answer {
    (200, None, body.to_string().into_bytes())
}

fn padded(body: &Value) -> Answer {
    let mut bytes = vec![b' '; 5 * MIB];
    bytes.extend(body.to_string().into_bytes());
    (200, None, bytes)
}

fn index() -> Value {
    let digest = format!("sha256:{}", Digest::of(b"one"));
    let platform = json!({"architecture": "arm64", "os": "linux"});
    json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [{"mediaType": MANIFEST, "digest": digest, "size": 1, "platform": platform}]})
}

/// What it is told of an artifact, and words of the error.
fn rows() -> Vec<(&'static str, Answer, Vec<String>)> {
    let (none, negative) = (manifest(&[]), manifest(&[layer(WASM, -1)]));
    let forged = manifest(&[layer("a\r\nERROR forged \u{1b}[2J", 2)]);
    let words = |words: &str| vec![words.to_owned()];
    vec![
        ("long", padded(&none), words("larger than 4 MiB")),
        (
            "error",
            (500, None, vec![b'x'; 2 * MIB]),
            words("status 500"),
        ),
        (
            "endless error",
            (500, None, vec![b'x'; 5 * MIB]),
            words("4 MiB"),
        ),
        (
            "forged error",
            (404, None, b"\x1b[2J\r\nERROR".to_vec()),
            words("status 404"),
        ),
        (
            "forged type",
            good(&forged),
            words("ERROR forged \\u{1b}[2J"),
        ),
        (
            "index",
            good(&index()),
            vec![
                "index of several platforms".into(),
                format!("@sha256:{} (linux/arm64)", Digest::of(b"one")),
            ],
        ),
        ("no layers", good(&none), words("it has no layers")),
        ("negative", good(&negative), words("-1 bytes")),
        (
            "no manifest",
            (200, None, b"\x1b<html>".to_vec()),
            words("no manifest"),
        ),
        (
            "not let in",
            (403, None, b"no".to_vec()),
            words("set username and password in [sources.NAME.registry]"),
        ),
        (
            "unknown",
            (401, Some("Basic realm=\"r\"".into()), vec![]),
            words("set username and password in [sources.NAME.registry]"),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_registry_answers_is_a_short_line_that_says_what_to_do() {
    let cluster = sample::cluster(Product::Elasticsearch, 0);
    for (name, answer, words) in rows() {
        let rude = Rude::default();
        rude.answers(AT, answer);
        rude.answers("/v2/", (200, None, vec![]));
        let path = format!("oci://{}/me/source:1", rude.serve().await);
        let world = world(&cluster, &path, "plain_http = true");
        let error = format!("{:#}", world.source().await.err().unwrap());
        assert!(error.len() < 6_000, "{name}: {} bytes", error.len());
        assert!(!error.contains(char::is_control), "{name}: {error:?}");
        for words in words {
            assert!(error.contains(&words), "{name}: {error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_service_that_refuses_or_answers_junk_is_named() {
    let cluster = sample::cluster(Product::Elasticsearch, 0);
    let long = padded(&json!({"token": "t"}));
    let rows: Vec<(Answer, &str)> = vec![
        (
            (403, None, b"\x1bnot you".to_vec()),
            "status 403: \\u{1b}not you",
        ),
        ((200, None, b"<html>".to_vec()), "answers with no token"),
        (good(&json!({"token": "a\nb"})), "answers with no token"),
        (long, "larger than 4 MiB"),
    ];
    for (answer, words) in rows {
        let rude = Rude::default();
        let address = rude.serve().await;
        let realm = format!("http://{address}/token");
        let challenge = format!("Bearer realm=\"{realm}\",service=\"s\"");
        for path in [AT, "/v2/"] {
            rude.answers(path, (401, Some(challenge.clone()), vec![]));
        }
        rude.answers("/token", answer);
        let path = format!("oci://{address}/me/source:1");
        let world = world(&cluster, &path, "plain_http = true");
        let error = format!("{:#}", world.source().await.err().unwrap());
        assert!(error.contains(words) && error.contains(&realm), "{error}");
        assert!(!error.contains(char::is_control), "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_layer_is_only_fetched_from_its_registry() {
    let cluster = sample::cluster(Product::Elasticsearch, 0);
    let (rude, elsewhere) = (Rude::default(), Rude::default());
    let url = format!("http://{}/blob", elsewhere.serve().await);
    elsewhere.answers("/blob", (200, None, embedded()));
    let digest = format!("sha256:{}", Digest::of(&embedded()));
    let size = embedded().len();
    let layer = json!({"mediaType": WASM, "size": size, "digest": digest, "urls": [url]});
    rude.answers(AT, good(&manifest(&[layer])));
    rude.answers("/v2/", (200, None, vec![]));
    let path = format!("oci://{}/me/source:1", rude.serve().await);
    let world = world(&cluster, &path, "plain_http = true");
    let error = format!("{:#}", world.source().await.err().unwrap());
    assert!(error.contains("status 404"), "{error}");
    assert_eq!(elsewhere.was_asked(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_without_tls_has_a_remedy_and_no_proxy_of_the_environment_is_used() {
    let cluster = sample::cluster(Product::Elasticsearch, 0);
    let rude = Rude::default();
    let path = format!("oci://{}/me/source:1", rude.serve().await);
    let rows = [
        ("", "set plain_http = true if that is meant"),
        ("plain_http = true", "status 404"),
    ];
    for (registry, words) in rows {
        let world = world(&cluster, &path, registry);
        world.config_file();
        let mut check = program::command(world.folder(), &["check", "test.toml"]);
        check.env("HTTP_PROXY", "http://127.0.0.1:9");
        check.env("HTTPS_PROXY", "http://127.0.0.1:9");
        let checked = program::finish(check.spawn().unwrap());
        assert_eq!(checked.code, Some(2), "{checked:?}");
        assert!(checked.stderr.contains(words), "{checked:?}");
    }
}
