//! Asks a cluster, one question after the other, so that it is never the doctor's doing
//! when the cluster is slow.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::plan::Plan;
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

    /// Opens a point in time and closes it again. Where nobody knows the product, the path
    /// of either is tried.
    pub(super) async fn try_pit(self, product: Option<Product>) -> Asked<()> {
        match product {
            Some(Product::Elasticsearch) => self.open_and_close(Question::OpenPit).await,
            Some(Product::OpenSearch) => self.open_and_close(Question::OpenPointInTime).await,
            None => match self.open_and_close(Question::OpenPit).await {
                Err(Unknown::Failed(_)) => self.open_and_close(Question::OpenPointInTime).await,
                outcome => outcome,
            },
        }
    }

    async fn open_and_close(self, open: Question) -> Asked<()> {
        let opened: Opened = self.ask(open).await?;
        self.send(open.close(&opened.id)).await.map(drop)
    }

    async fn send(self, request: Request) -> Asked<Response> {
        let asked = format!("{} {}", request.method, request.path);
        let response = self.way.send(request).await.map_err(|error| match error {
            HttpError::Connect(why) | HttpError::Timeout(why) | HttpError::Protocol(why) => {
                Unknown::Unreachable(why)
            }
            HttpError::TooLarge(limit) => Unknown::TooLarge(limit),
        })?;
        let (status, said) = (response.status, said(&response.body));
        let asked = format!("{asked} was answered with status {status}: {said}");
        match status {
            200 => Ok(response),
            401 => Err(Unknown::NotLetIn),
            403 => Err(Unknown::Refused),
            404 => Err(Unknown::NotFound(asked)),
            _ => Err(Unknown::Failed(asked)),
        }
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
    #[serde(alias = "pit_id")]
    id: String,
}

/// Type and reason of an error, cut to what a message can hold.
fn said(body: &[u8]) -> String {
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    let cause = json.pointer("/error/root_cause/0");
    let text = |key| cause.and_then(|cause| cause.get(key)?.as_str());
    let said = match (text("type"), text("reason")) {
        (Some(kind), Some(reason)) => format!("{kind}: {reason}"),
        _ => String::from_utf8_lossy(body).into_owned(),
    };
    said.chars().take(SAID_MAX).collect()
}

/// The longest cause in a message, in characters.
const SAID_MAX: usize = 300;
