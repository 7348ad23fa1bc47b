//! The network side: connections, credentials, the record of requests, and faults.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use serde_json::json;

use super::api::{Reply, Server};
use super::call::{Call, Params};
use super::error::{ApiError, Cause};
use super::fault::{Effect, Faults};
use super::{Credentials, Product};

/// `http.max_content_length`.
const BODY_MAX_BYTES: usize = 100 * 1024 * 1024;

/// A request as it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The HTTP method in capitals.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// As they came.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The HTTP status.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Bytes,
}

/// What the network side keeps.
pub(super) struct Node {
    pub(super) server: Server,
    pub(super) credentials: Mutex<Option<Credentials>>,
    pub(super) faults: Mutex<Faults>,
    pub(super) recorded: Mutex<VecDeque<Recorded>>,
    pub(super) recorded_max: usize,
}

/// Answers one request that comes without a connection.
pub(super) async fn answer(
    node: Arc<Node>,
    method: &str,
    target: &str,
    body: Bytes,
) -> std::io::Result<Answered> {
    let request = Request::builder()
        .method(method)
        .uri(target)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body))
        .map_err(std::io::Error::other)?;
    let (parts, body) = handle(State(node), request).await.into_parts();
    let body = to_bytes(body, usize::MAX).await;
    let text = |value: &header::HeaderValue| value.to_str().map(str::to_owned).unwrap_or_default();
    let headers = parts.headers.iter();
    Ok(Answered {
        status: parts.status.as_u16(),
        headers: headers
            .map(|(name, value)| (name.as_str().to_owned(), text(value)))
            .collect(),
        body: body.map_err(std::io::Error::other)?,
    })
}

/// Answers one request.
pub(super) async fn handle(State(node): State<Arc<Node>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_MAX_BYTES).await else {
        return node.response(Reply::bytes(413, Bytes::new()));
    };
    let (method, path) = (parts.method.to_string(), parts.uri.path().to_owned());
    let target = parts
        .uri
        .path_and_query()
        .map_or(path.as_str(), |target| target.as_str());
    node.record(&method, target, &parts.headers, &body);
    let effect = node
        .faults
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take(&method, target, &body);
    let params = Params::parse(parts.uri.query().unwrap_or_default());
    let call = Call {
        method,
        path,
        params,
        body,
    };
    let answer = |effect| node.answer(&call, &parts.headers, effect);
    match effect {
        Some(Effect::Respond {
            status,
            headers,
            body,
        }) => raw(status, &headers, body),
        Some(Effect::Hang(time)) => {
            tokio::time::sleep(time).await;
            closed()
        }
        Some(Effect::LoseRequest) => closed(),
        Some(Effect::LoseAnswer) => {
            answer(None);
            closed()
        }
        Some(Effect::Twice) => {
            answer(None);
            node.response(answer(None))
        }
        Some(Effect::CutAnswer) => cut(answer(None).body),
        Some(Effect::Delay(time)) => {
            let reply = answer(None);
            tokio::time::sleep(time).await;
            node.response(reply)
        }
        effect => node.response(answer(effect)),
    }
}

impl Node {
    fn record(&self, method: &str, path: &str, headers: &HeaderMap, body: &Bytes) {
        let mut recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        if self.recorded_max == 0 {
            return;
        }
        while recorded.len() >= self.recorded_max {
            recorded.pop_front();
        }
        recorded.push_back(Recorded {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: headers.clone(),
            body: body.clone(),
        });
    }

    fn answer(&self, call: &Call, headers: &HeaderMap, effect: Option<Effect>) -> Reply {
        match self.refuse(call, headers) {
            Some(error) => error.into(),
            None => self.server.answer(call, effect.as_ref()),
        }
    }

    /// What keeps a request out before it is looked at.
    fn refuse(&self, call: &Call, headers: &HeaderMap) -> Option<ApiError> {
        let sent = headers
            .get(header::AUTHORIZATION)
            .map(|value| value.as_bytes());
        let credentials = self.credentials.lock();
        if let Some(credentials) = &*credentials.unwrap_or_else(PoisonError::into_inner)
            && !sent.is_some_and(|sent| credentials.admit(sent))
        {
            return Some(unauthorized(&call.path, sent));
        }
        let content_type = headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let json = [
            "application/json",
            "application/x-ndjson",
            "application/vnd.elasticsearch+",
        ];
        if call.body.is_empty() || json.iter().any(|json| content_type.starts_with(json)) {
            return None;
        }
        Some(ApiError::text(
            406,
            format!("Content-Type header [{content_type}] is not supported"),
        ))
    }

    fn response(&self, reply: Reply) -> Response {
        let mut response = Response::new(Body::from(reply.body));
        *response.status_mut() =
            StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let (product, content_type) = match self.server.product {
            // Who is not let in does not learn what it is.
            Product::Elasticsearch if reply.status == 401 => (None, "application/json"),
            Product::Elasticsearch => (Some("Elasticsearch"), "application/json"),
            Product::OpenSearch => (None, "application/json; charset=UTF-8"),
        };
        let own = [
            ("x-elastic-product", product),
            ("content-type", Some(content_type)),
        ];
        let own = own
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?.to_owned())));
        for (name, value) in own.chain(reply.headers) {
            if let Ok(value) = value.parse() {
                response.headers_mut().append(name, value);
            }
        }
        response
    }
}

fn unauthorized(path: &str, sent: Option<&[u8]>) -> ApiError {
    let challenges = ["ApiKey", r#"Basic realm="security", charset="UTF-8""#];
    let reason = match sent {
        None => format!("missing authentication credentials for REST request [{path}]"),
        Some(sent) if sent.starts_with(b"Basic") => {
            format!("unable to authenticate user for REST request [{path}]")
        }
        Some(_) => {
            "unable to authenticate with provided credentials and anonymous access is not allowed"
                .to_owned()
        }
    };
    let cause = Cause::new(401, "security_exception", reason)
        .with("header", json!({"WWW-Authenticate": challenges}));
    let headers = challenges
        .map(|challenge| ("www-authenticate", challenge.to_owned()))
        .into();
    ApiError {
        headers,
        ..cause.into()
    }
}

fn raw(status: u16, headers: &[(String, String)], body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (name.parse::<header::HeaderName>(), value.parse()) {
            response.headers_mut().append(name, value);
        }
    }
    response
}

/// A body that fails before its first byte: the connection is closed, and as nothing
/// was flushed yet, no status line is seen either.
fn closed() -> Response {
    Response::new(Body::from_stream(futures::stream::iter([Err::<Bytes, _>(
        broken(),
    )])))
}

/// The first half of a body, then the end of the connection.
fn cut(body: Bytes) -> Response {
    let length = body.len();
    let half = body.slice(..length / 2);
    let first = futures::stream::once(async { Ok::<_, std::io::Error>(half) });
    // The wait lets the first half reach the client.
    let end = futures::stream::once(async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        Err(broken())
    });
    let mut response = Response::new(Body::from_stream(futures::StreamExt::chain(first, end)));
    response
        .headers_mut()
        .insert(header::CONTENT_LENGTH, length.into());
    response
}

fn broken() -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::ConnectionReset, "closed by a fault")
}

/// Serves connections until the runtime that it runs on ends.
pub(super) async fn serve(
    listener: tokio::net::TcpListener,
    node: Arc<Node>,
) -> Result<(), Infallible> {
    let app = axum::Router::new().fallback(handle).with_state(node);
    // This returns only with the runtime: accept errors are retried inside.
    let _ = axum::serve(listener, app).await;
    Ok(())
}
