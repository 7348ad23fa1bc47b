//! `http`: requests to the one cluster, granted by method and path.

use std::sync::Arc;

use bytes::Bytes;
use reqwest::Method;
use tokio::task::JoinHandle;
use wasmtime::component::{HasData, Resource, ResourceTable};

use crate::account::Account;
use crate::bindings::iggy::connector::http as wit;
use crate::capability::grants::{Contexts, Granted, Grants};
use crate::clock::Clock;
use crate::cluster::{HttpError, Request, Response, Transport};
use crate::over_limit::OverLimit;
use crate::stopwatch::Stopwatch;

/// The longest path with its query, in bytes.
const PATH_MAX: usize = 16 * 1024;
/// The longest value of a header, in bytes.
const VALUE_MAX: usize = 1_024;
/// The headers that a component sets, each once.
const HEADERS: [&str; 3] = ["accept", "content-type", "x-opaque-id"];
/// What is shown of a path that was denied, in characters.
const SHOWN_MAX: usize = 200;

/// What a source's requests need.
pub struct HttpCtx {
    cluster: Arc<dyn Transport>,
    grants: Grants,
    clock: Clock,
    account: Account,
    requests: usize,
    outstanding: usize,
    is_described: bool,
}

/// The bytes of an answer, kept for publishing.
pub struct Body(Bytes);

/// A request under way; the outcome is taken once.
pub struct Pending(Option<Outcome>);

enum Outcome {
    Denied(String),
    Running(Task),
}

/// A request that ends when nobody waits for it any more.
struct Task(JoinHandle<Answered>);

/// What came of a request, and when that was known, in milliseconds since the epoch; or that
/// there is no room for what came.
type Answered = Result<(Result<Response, HttpError>, u64), OverLimit>;

/// The view that implements the import.
pub struct HttpView<'a> {
    /// The source's context.
    pub ctx: &'a mut HttpCtx,
    /// Where the guest's handles point to.
    pub table: &'a mut ResourceTable,
    /// Stands still while the guest waits.
    pub stopwatch: &'a Stopwatch,
}

/// Names the view for the linker.
pub struct Http;

impl HasData for Http {
    type Data<'a> = HttpView<'a>;
}

impl HttpCtx {
    /// Requests to this cluster, as granted, so many under way at once. What they hold is
    /// written to the account.
    pub fn new(
        cluster: Arc<dyn Transport>,
        grants: Grants,
        clock: Clock,
        (account, requests): (Account, usize),
    ) -> Self {
        Self {
            cluster,
            grants,
            clock,
            account,
            requests,
            outstanding: 0,
            is_described: false,
        }
    }

    /// The component has described itself: what it asks for from now on is asked.
    pub(crate) fn described(&mut self) {
        self.is_described = true;
    }
}

impl HttpCtx {
    fn allow(
        &self,
        method: &str,
        path: &str,
        body: Option<&[u8]>,
        headers: &[wit::Header],
    ) -> Result<Granted, String> {
        if path.len() > PATH_MAX {
            return Err(format!(
                "is not sent: its path is longer than {PATH_MAX} bytes"
            ));
        }
        check_headers(headers)?;
        let allowed = self.grants.allow(method, path, body);
        allowed.map_err(|denied| denied.to_string())
    }

    /// The scrolls and points in time that are its own.
    pub(crate) fn contexts(&self) -> &Contexts {
        self.grants.contexts()
    }
}

impl Body {
    #[cfg(test)]
    pub(super) fn of(bytes: Bytes) -> Self {
        Self(bytes)
    }

    /// How many bytes it has.
    pub(super) fn length(&self) -> usize {
        self.0.len()
    }

    /// A part of the body, sharing its memory. None where the span leaves it.
    pub fn slice(&self, offset: u32, length: u32) -> Option<Bytes> {
        let start = usize::try_from(offset).ok()?;
        let end = start.checked_add(usize::try_from(length).ok()?)?;
        (end <= self.0.len()).then(|| self.0.slice(start..end))
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl HttpView<'_> {
    fn start(&mut self, request: wit::Request) -> Result<Outcome, OverLimit> {
        if !self.ctx.is_described {
            let message = "is not sent: a component describes itself before it asks for anything";
            return Ok(Outcome::Denied(message.to_owned()));
        }
        let method = method(request.method);
        let (path, body) = (&request.path, request.body.as_deref());
        let headers = &request.headers;
        let granted = match self.ctx.allow(method.as_str(), path, body, headers) {
            Ok(granted) => granted,
            Err(denied) => {
                let shown: String = path.chars().take(SHOWN_MAX).collect();
                return Ok(Outcome::Denied(format!("{method} {shown:?} {denied}")));
            }
        };
        let most = self.ctx.requests;
        if self.ctx.outstanding >= most {
            let what = format!("it has more than {most} requests under way at once");
            return Err(OverLimit::new("requests", what));
        }
        let account = self.ctx.account.clone();
        let headed: usize = headers.iter().map(|h| h.name.len() + h.value.len()).sum();
        let sent = account.bytes(path.len() + headed + body.map_or(0, <[u8]>::len))?;
        self.ctx.outstanding += 1;
        let headers = request.headers.into_iter();
        let headers = headers.map(|header| (header.name, header.value)).collect();
        let request = Request {
            method,
            path: request.path,
            headers,
            body: request.body,
        };
        let (cluster, clock) = (Arc::clone(&self.ctx.cluster), self.ctx.clock.clone());
        let contexts = self.ctx.contexts().clone();
        Ok(Outcome::Running(Task(tokio::spawn(async move {
            let answered = cluster.send(request).await;
            drop(sent);
            let at_ms = clock.now_ms();
            Ok(match answered {
                Err(error) => (Err(error), at_ms),
                Ok(response) => {
                    if granted == Granted::WithContext {
                        contexts.remember(&response.body);
                    }
                    let body = account.keep(response.body)?;
                    (Ok(Response { body, ..response }), at_ms)
                }
            })
        }))))
    }

    fn finish(&mut self, outcome: &Outcome) {
        if matches!(outcome, Outcome::Running(_)) {
            self.ctx.outstanding = self.ctx.outstanding.saturating_sub(1);
        }
    }
}

impl wit::Host for HttpView<'_> {
    fn submit(&mut self, request: wit::Request) -> wasmtime::Result<Resource<Pending>> {
        let outcome = self.start(request)?;
        Ok(self.table.push(Pending(Some(outcome)))?)
    }
}

impl wit::HostPending for HttpView<'_> {
    async fn wait(
        &mut self,
        pending: Resource<Pending>,
    ) -> wasmtime::Result<Result<wit::Response, wit::HttpError>> {
        let outcome = self.table.get_mut(&pending)?.0.take();
        let outcome =
            outcome.ok_or_else(|| wasmtime::Error::msg("a request was waited for twice"))?;
        self.finish(&outcome);
        let (response, at_ms) = match outcome {
            Outcome::Denied(what) => return Ok(Err(wit::HttpError::Denied(what))),
            Outcome::Running(mut task) => self.stopwatch.during(&mut task.0).await??,
        };
        Ok(match response {
            Ok(response) => Ok(self.respond(response, at_ms)?),
            Err(error) => Err(error.into()),
        })
    }

    fn drop(&mut self, pending: Resource<Pending>) -> wasmtime::Result<()> {
        let pending = self.table.delete(pending)?;
        if let Some(outcome) = &pending.0 {
            self.finish(outcome);
        }
        Ok(())
    }
}

impl HttpView<'_> {
    fn respond(&mut self, response: Response, at_ms: u64) -> wasmtime::Result<wit::Response> {
        let headers = response
            .headers
            .into_iter()
            .map(|(name, value)| wit::Header { name, value })
            .collect();
        let body = self.table.push(Body(response.body))?;
        Ok(wit::Response {
            status: response.status,
            headers,
            body,
            at_ms,
        })
    }
}

impl wit::HostBody for HttpView<'_> {
    fn length(&mut self, body: Resource<Body>) -> wasmtime::Result<u64> {
        Ok(self.table.get(&body)?.0.len() as u64)
    }

    fn read(&mut self, body: Resource<Body>) -> wasmtime::Result<Vec<u8>> {
        Ok(self.table.get(&body)?.0.to_vec())
    }

    fn drop(&mut self, body: Resource<Body>) -> wasmtime::Result<()> {
        self.table.delete(body)?;
        Ok(())
    }
}

/// No header is there twice, so that there are no more of them than names.
fn check_headers(headers: &[wit::Header]) -> Result<(), String> {
    if headers.len() > HEADERS.len() {
        let most = HEADERS.len();
        return Err(format!(
            "is not sent: it has {} headers, and {most} at most",
            headers.len()
        ));
    }
    for (place, header) in headers.iter().enumerate() {
        check_header(header)?;
        let mut before = headers.iter().take(place);
        if before.any(|other| other.name.eq_ignore_ascii_case(&header.name)) {
            return Err(format!(
                "is not sent: its header {:?} is there twice",
                header.name
            ));
        }
    }
    Ok(())
}

/// Credentials, address and framing are the host's.
fn check_header(header: &wit::Header) -> Result<(), String> {
    let name = header.name.to_ascii_lowercase();
    if !HEADERS.contains(&name.as_str()) {
        let shown: String = name.chars().take(SHOWN_MAX).collect();
        return Err(format!(
            "is not sent: its header {shown:?} is not a component's to set"
        ));
    }
    let value = header.value.as_bytes();
    let plain = |byte: &u8| byte.is_ascii_graphic() || *byte == b' ';
    match value.len() <= VALUE_MAX && value.iter().all(plain) {
        true => Ok(()),
        false => Err(format!(
            "is not sent: its header {name:?} is no line of up to {VALUE_MAX} printable characters"
        )),
    }
}

fn method(method: wit::Method) -> Method {
    match method {
        wit::Method::Get => Method::GET,
        wit::Method::Head => Method::HEAD,
        wit::Method::Post => Method::POST,
        wit::Method::Put => Method::PUT,
        wit::Method::Delete => Method::DELETE,
    }
}

impl From<HttpError> for wit::HttpError {
    fn from(error: HttpError) -> Self {
        match error {
            HttpError::Connect(what) => Self::Connect(what),
            HttpError::Timeout(what) => Self::Timeout(what),
            HttpError::TooLarge(limit) => Self::TooLarge(limit),
            HttpError::Protocol(what) => Self::Protocol(what),
            HttpError::OtherCluster(what) => Self::Denied(what),
        }
    }
}
