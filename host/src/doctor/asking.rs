//! Asks a cluster, one question after the other, so that it is never the doctor's doing
//! when the cluster is slow.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::access::Unanswered;
use super::plan::{Pagination, Plan};
use super::question::Question;
use super::server::Product;
use crate::cluster::{HttpError, Request, Response, Transport};

/// What came of a question.
pub(super) type Asked<T> = Result<T, Unknown>;

/// Why there is no answer. Causes of refusals are not kept: they may name keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unknown {
    /// No host answered.
    Unreachable(String),
    /// The answer is larger than this many bytes.
    TooLarge(u64),
    /// Who asks is not known to the cluster: status 401.
    NotLetIn,
    /// Who asks may not ask this: status 403.
    Refused,
    /// There is no such index: status 404.
    NotFound(String),
    /// Another status, or an answer that is none.
    Failed(String),
}

impl Unknown {
    /// Why, for people.
    pub(super) fn why(&self) -> String {
        match self {
            Self::Unreachable(why) | Self::NotFound(why) | Self::Failed(why) => why.clone(),
            Self::TooLarge(limit) => format!("the answer is larger than {limit} bytes"),
            Self::NotLetIn => "the cluster lets nobody in with these credentials (status 401): check \"username\" and \"password\", \"api_key\", \"token\" or \"aws\"".to_owned(),
            Self::Refused => "the user may not ask (status 403)".to_owned(),
        }
    }
}

/// A cluster, and what is asked of it.
#[derive(Clone, Copy)]
pub(super) struct Asking<'a> {
    pub(super) way: &'a dyn Transport,
    pub(super) plan: &'a Plan,
}

impl Asking<'_> {
    /// Asks, and reads the answer.
    pub(super) async fn ask<T: DeserializeOwned>(self, question: Question) -> Asked<T> {
        let response = self.send(question.request(self.plan)).await?;
        // Few answers tell of shards.
        let missing = serde_json::from_slice::<Partial>(&response.body)
            .map_or(0, |answer| answer.shards.failed);
        if missing > 0 {
            return Err(Unknown::Failed(format!("{missing} shards did not answer")));
        }
        serde_json::from_slice(&response.body).map_err(|cause| {
            Unknown::Failed(format!(
                "the answer is not that of a cluster ({cause}); is \"url\" right?"
            ))
        })
    }

    /// Opens what the source holds open while it reads, and closes it again. Where nobody
    /// knows the product, the path of either is tried.
    ///
    /// # Errors
    /// Why that is not known.
    pub(super) async fn try_holding(
        self,
        product: Option<Product>,
    ) -> Result<Question, Unanswered> {
        let opened = async |question| match self.open_and_close(question).await {
            Ok(()) => Ok(question),
            Err(why) => Err((question, why)),
        };
        match (self.plan.pagination, product) {
            (Pagination::Scroll, _) => opened(Question::OpenScroll).await,
            (_, Some(Product::Elasticsearch)) => opened(Question::OpenPit).await,
            (_, Some(Product::OpenSearch)) => opened(Question::OpenPointInTime).await,
            (_, None) => {
                let outcome = opened(Question::OpenPit).await;
                match outcome {
                    Ok(_) => outcome,
                    Err(_) => opened(Question::OpenPointInTime).await.or(outcome),
                }
            }
        }
    }

    async fn open_and_close(self, open: Question) -> Asked<()> {
        let opened: Opened = self.ask(open).await?;
        self.send(open.close(&opened.id)).await.map(drop)
    }

    async fn send(self, request: Request) -> Asked<Response> {
        let asked = format!("{} {}", request.method, request.path);
        let response = self.way.send(request).await.map_err(|error| match error {
            HttpError::Connect(why)
            | HttpError::Timeout(why)
            | HttpError::Protocol(why)
            | HttpError::OtherCluster(why) => Unknown::Unreachable(why),
            HttpError::TooLarge(limit) => Unknown::TooLarge(limit),
        })?;
        judge(&asked, response)
    }
}

/// Passes an answer with status 200, and says what any other means.
fn judge(asked: &str, response: Response) -> Asked<Response> {
    let cause = Cause::of(&response.body);
    let status = response.status;
    let answered = || format!("{asked} was answered with status {status}: {}", cause.said);
    match status {
        200 => Ok(response),
        401 => Err(Unknown::NotLetIn),
        403 if !cause.is_block() => Err(Unknown::Refused),
        404 => Err(Unknown::NotFound(answered())),
        _ => Err(Unknown::Failed(answered())),
    }
}

/// An answer that may lack the part of a shard.
#[derive(Deserialize)]
struct Partial {
    #[serde(rename = "_shards")]
    shards: Shards,
}

#[derive(Deserialize)]
struct Shards {
    failed: u64,
}

#[derive(Deserialize)]
struct Opened {
    #[serde(alias = "pit_id", alias = "_scroll_id")]
    id: String,
}

/// Why a request was refused.
struct Cause {
    kind: String,
    /// Type and reason, cut to what a message can hold.
    said: String,
}

impl Cause {
    fn of(body: &[u8]) -> Self {
        let json: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |key| json.pointer("/error/root_cause/0")?.get(key)?.as_str();
        let (kind, reason) = (text("type"), text("reason"));
        let said = match (kind, reason) {
            (Some(kind), Some(reason)) => format!("{kind}: {reason}"),
            _ => String::from_utf8_lossy(body).into_owned(),
        };
        Self {
            kind: kind.unwrap_or_default().to_owned(),
            said: said.chars().take(SAID_MAX).collect(),
        }
    }

    /// Whether an index lets nobody in, whoever asks.
    fn is_block(&self) -> bool {
        ["index_closed_exception", "cluster_block_exception"].contains(&self.kind.as_str())
    }
}

/// The longest cause in a message, in characters.
const SAID_MAX: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_tells_who_is_refused_from_what_is_wrong() {
        let failed = |said: &str| Unknown::Failed(format!("GET / was answered with {said}"));
        let block = "index_closed_exception";
        let rows = [
            (401, "security_exception", Unknown::NotLetIn),
            (403, "security_exception", Unknown::Refused),
            (
                403,
                block,
                failed("status 403: index_closed_exception: because"),
            ),
            (
                400,
                block,
                failed("status 400: index_closed_exception: because"),
            ),
            (503, "x", failed("status 503: x: because")),
            (
                404,
                "index_not_found_exception",
                Unknown::NotFound(
                    "GET / was answered with status 404: index_not_found_exception: because"
                        .to_owned(),
                ),
            ),
        ];
        for (status, kind, expected) in rows {
            let cause = format!(r#"{{"type":"{kind}","reason":"because"}}"#);
            let response = Response {
                status,
                headers: Vec::new(),
                body: format!(r#"{{"error":{{"root_cause":[{cause}]}}}}"#).into(),
            };
            assert_eq!(judge("GET /", response).unwrap_err(), expected);
        }
    }

    #[test]
    fn what_is_no_error_of_a_cluster_is_cut_and_shown() {
        let proxy = Cause::of("Forbidden by proxy ".repeat(100).as_bytes());
        assert!(proxy.said.starts_with("Forbidden by proxy") && proxy.said.len() == SAID_MAX);
        assert!(!proxy.is_block());
    }
}
