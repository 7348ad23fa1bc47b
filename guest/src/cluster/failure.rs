//! What a refused request means, by what its reader can do: one place for every shape of
//! error.

mod cause;
mod remedy;
#[cfg(test)]
mod tests;

use serde::Deserialize;
use serde_json::Value;

use self::cause::{Cause, causes};
use self::remedy::{Remedy, by_status, known};
use crate::cluster::request::{Method, Request};
use crate::error::Error;
use crate::host::Answer;

/// Why a request brought nothing to work with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The point in time or the scroll is gone, as it expired or a node left; a new one helps.
    ContextGone(String),
    /// The answer is more than the cluster, or the way from it, can carry; a smaller page may
    /// pass. The error is what it means where no smaller one can be asked for.
    TooLarge(Error),
    /// This path is not known here; it may be the other product's.
    UnknownPath(Error),
    /// Anything else.
    Error(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::TooLarge(_) => Self::TooLarge(error),
            _ => Self::Error(error),
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::ContextGone(message) => Self::transient(message),
            Failure::TooLarge(error) | Failure::UnknownPath(error) | Failure::Error(error) => error,
        }
    }
}

/// The shards of an answer with status 200, which may be partial all the same.
#[derive(Deserialize)]
pub struct Shards {
    total: Option<u64>,
    successful: Option<u64>,
    failed: u64,
    #[serde(default)]
    failures: Vec<Value>,
}

impl Shards {
    /// Whether no shard was asked, as none is in the slice.
    pub fn are_none(&self) -> bool {
        self.total == Some(0)
    }

    /// How many lack: those that failed, and those of which no copy was there to ask, which a
    /// `_count` of OpenSearch leaves out of the failed ones. Skipped ones are successful.
    fn lacking(&self) -> u64 {
        let asked = self.total.zip(self.successful);
        let silent = asked.map_or(0, |(total, successful)| total.saturating_sub(successful));
        self.failed.max(silent)
    }

    /// Refuses an answer that lacks a shard's part.
    pub fn complete(&self) -> Result<(), Failure> {
        let lacking = self.lacking();
        if lacking == 0 {
            return Ok(());
        }
        let causes: Vec<_> = self.failures.iter().flat_map(causes).collect();
        let (remedy, cause) = gravest(&causes, Remedy::Wait(""));
        let message =
            format!("{lacking} shards did not answer ({cause}); a partial answer is not used");
        Err(remedy.of_a_part().failure(message, None))
    }
}

/// Passes an answer with status 200, and says what any other means.
pub fn check<B>(request: &Request, answer: &Answer<B>) -> Result<(), Failure> {
    let status = answer.status;
    if status == 200 {
        return Ok(());
    }
    let body: Value = serde_json::from_slice(&answer.bytes).unwrap_or_default();
    let mut causes = causes(body.get("error").unwrap_or(&body));
    // AWS may name the kind of an error in front of its body only.
    causes.extend(answer.header("x-amzn-errortype").map(Cause::of_kind));
    let (remedy, cause) = gravest(&causes, by_status(status));
    let reason = if cause.is_unknown() {
        excerpt(&answer.bytes)
    } else {
        cause.to_string()
    };
    let (method, path) = (method(request.method), &request.path);
    let message = format!("{method} {path} was answered with status {status}: {reason}");
    if reads_context(request) && (status == 404 || matches!(remedy, Remedy::Index(_))) {
        // An index of the pattern was deleted or closed; a new context does without.
        return Err(Failure::ContextGone(message));
    }
    let remedy = match body.pointer("/error/failed_shards") {
        Some(_) => remedy.of_a_part(),
        None => remedy,
    };
    Err(remedy.failure(message, retry_after(answer)))
}

/// The cause that asks for most, of those that are known; else the first, and what helps
/// otherwise.
fn gravest<'a>(causes: &[Cause<'a>], otherwise: Remedy) -> (Remedy, Cause<'a>) {
    let known = causes
        .iter()
        .filter_map(|cause| Some((known(*cause)?, *cause)));
    known
        .reduce(|gravest, next| if next.0 > gravest.0 { next } else { gravest })
        .unwrap_or_else(|| (otherwise, causes.first().copied().unwrap_or_default()))
}

/// Whether it reads on in something that the cluster keeps, and names no index.
fn reads_context(request: &Request) -> bool {
    request.in_pit() || request.path.starts_with("/_search/scroll")
}

/// Seconds, as servers and proxies send it; a date is not worth reading for a hint.
fn retry_after<B>(answer: &Answer<B>) -> Option<u64> {
    answer
        .header("retry-after")?
        .trim()
        .parse::<u64>()
        .ok()?
        .checked_mul(1_000)
}

/// The beginning of a body that is no JSON, as a proxy's page.
fn excerpt(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes.get(..200).unwrap_or(bytes)).into_owned();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

const fn method(method: Method) -> &'static str {
    match method {
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Delete => "DELETE",
    }
}
