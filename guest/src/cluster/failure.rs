//! What a refused request means: one place for every shape of error.

use serde::Deserialize;
use serde_json::Value;

use crate::cluster::request::{Method, Request};
use crate::error::Error;
use crate::host::Answer;

/// Why a request brought nothing to work with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The point in time is gone, as it expired or a node left; a new one helps.
    ContextGone(String),
    /// This path is not known here; it may be the other product's.
    UnknownPath(Error),
    /// Anything else.
    Error(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::ContextGone(message) => Self::transient(message),
            Failure::UnknownPath(error) | Failure::Error(error) => error,
        }
    }
}

/// The shards of an answer with status 200, which may be partial all the same.
#[derive(Deserialize)]
pub struct Shards {
    failed: u64,
    #[serde(default)]
    failures: Vec<Value>,
}

impl Shards {
    /// Refuses an answer that lacks a shard's part.
    pub fn complete(&self) -> Result<(), Failure> {
        if self.failed == 0 {
            return Ok(());
        }
        let (kind, reason) = self.failures.first().map_or(("", ""), cause);
        let message = format!(
            "{} shards did not answer ({kind}: {reason}); a partial answer is not used",
            self.failed
        );
        if kind == CONTEXT_GONE {
            return Err(Failure::ContextGone(message));
        }
        Err(Error::transient(message).into())
    }
}

const CONTEXT_GONE: &str = "search_context_missing_exception";

/// Passes an answer with status 200, and says what any other means.
pub fn check<B>(request: &Request, answer: &Answer<B>) -> Result<(), Failure> {
    if answer.status == 200 {
        return Ok(());
    }
    let body: Value = serde_json::from_slice(&answer.bytes).unwrap_or_default();
    let (kind, reason) = cause(body.get("error").unwrap_or(&Value::Null));
    let reason = if reason.is_empty() {
        excerpt(&answer.bytes)
    } else {
        format!("{kind}: {reason}")
    };
    let asked = format!("{} {}", method(request.method), request.path);
    if request.in_pit() && (answer.status == 404 || kind == "index_closed_exception") {
        // An index of the pattern was deleted or closed; a new point in time does without.
        return Err(Failure::ContextGone(format!(
            "{asked} was answered with status {}: {reason}",
            answer.status
        )));
    }
    Err(classify(
        answer.status,
        kind,
        &format!(
            "{asked} was answered with status {}: {reason}",
            answer.status
        ),
        retry_after(answer),
    ))
}

fn classify(status: u16, kind: &str, message: &str, retry_after_ms: Option<u64>) -> Failure {
    let permanent = |remedy: &str| Failure::Error(Error::permanent(format!("{message}; {remedy}")));
    match (status, kind) {
        (_, CONTEXT_GONE) => Failure::ContextGone(message.to_owned()),
        (408 | 429 | 500 | 502 | 503 | 504, _) => Error::Transient {
            message: message.to_owned(),
            retry_after_ms,
        }
        .into(),
        (401, _) => permanent(
            "check \"username\" and \"password\", \"api_key\", \"token\" or \"aws\" of the source's configuration",
        ),
        (403, _) => permanent(
            "give the user the privileges \"read\" and \"view_index_metadata\" on the configured index",
        ),
        (404, "index_not_found_exception") => permanent(
            "check \"index\", or use a pattern such as \"logs-*\" for an index that is yet to come",
        ),
        (413, _) => permanent("lower \"batch_size\""),
        (400 | 404 | 405, _) => Failure::UnknownPath(Error::permanent(format!(
            "{message}; check \"url\", \"index\", \"timestamp_field\" and \"query\""
        ))),
        _ => permanent("check \"url\", \"index\", \"timestamp_field\" and \"query\""),
    }
}

/// Type and reason of an error, from its root where it has one.
fn cause(error: &Value) -> (&str, &str) {
    let root = error
        .pointer("/root_cause/0")
        .or_else(|| error.get("reason").filter(|r| r.is_object()))
        .unwrap_or(error);
    let text = |key| root.get(key).and_then(Value::as_str).unwrap_or_default();
    (text("type"), text("reason"))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(status: u16, headers: &[(&str, &str)], body: &str) -> Failure {
        let headers = headers
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect();
        let answer = Answer {
            status,
            headers,
            bytes: body.into(),
            body: (),
            at_ms: 0,
        };
        check(&Request::root(), &answer).unwrap_err()
    }

    fn error_of(kind: &str) -> String {
        format!(
            r#"{{"error":{{"root_cause":[{{"type":"{kind}","reason":"because"}}],"type":"x","reason":"all shards failed"}}}}"#
        )
    }

    #[test]
    fn what_is_over_soon_is_transient_with_the_servers_wish() {
        let busy = failure(
            429,
            &[("retry-after", "7")],
            &error_of("es_rejected_execution_exception"),
        );
        let Failure::Error(Error::Transient {
            message,
            retry_after_ms,
        }) = busy
        else {
            panic!("{busy:?}")
        };
        assert_eq!(retry_after_ms, Some(7_000));
        assert_eq!(
            message,
            "GET / was answered with status 429: es_rejected_execution_exception: because"
        );
        for (status, body) in [
            (429, error_of("circuit_breaking_exception")),
            (503, "<html>busy</html>".to_owned()),
            (502, String::new()),
        ] {
            assert!(
                matches!(
                    failure(status, &[], &body),
                    Failure::Error(Error::Transient { .. })
                ),
                "{status}"
            );
        }
    }

    #[test]
    fn what_somebody_must_change_is_permanent_with_a_remedy() {
        let rows = [
            (401, "security_exception", "\"username\" and \"password\""),
            (403, "security_exception", "privileges \"read\""),
            (404, "index_not_found_exception", "check \"index\""),
            (413, "", "lower \"batch_size\""),
        ];
        for (status, kind, remedy) in rows {
            let failure = failure(status, &[], &error_of(kind));
            assert!(
                matches!(&failure, Failure::Error(Error::Permanent(m)) if m.contains(remedy)),
                "{failure:?}"
            );
        }
    }

    #[test]
    fn a_lost_context_is_told_from_a_lost_index() {
        assert!(matches!(
            failure(404, &[], &error_of(CONTEXT_GONE)),
            Failure::ContextGone(_)
        ));
        let shards: Shards = serde_json::from_str(r#"{"failed":1,"failures":[{"shard":-1,"index":null,"reason":{"type":"search_context_missing_exception","reason":"No search context"}}]}"#).unwrap();
        assert!(matches!(shards.complete(), Err(Failure::ContextGone(_))));
        let shards: Shards = serde_json::from_str(r#"{"failed":1}"#).unwrap();
        assert!(matches!(
            shards.complete(),
            Err(Failure::Error(Error::Transient { .. }))
        ));
    }
}
