//! What a cluster answers to requests for documents, and what to do about its refusals.

use anyhow::anyhow;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::cluster::{HttpError, Response};
use crate::state_store::StoreError;

/// Where in the history of its shard a document was written.
#[derive(Debug, Deserialize)]
pub(super) struct Written {
    #[serde(rename = "_seq_no")]
    seq_no: u64,
    #[serde(rename = "_primary_term")]
    primary_term: u64,
}

impl Written {
    pub(super) fn revision(&self) -> String {
        format!("{}:{}", self.seq_no, self.primary_term)
    }

    /// Sequence number and primary term of a revision.
    pub(super) fn parse(revision: &str) -> Option<(u64, u64)> {
        let (seq_no, primary_term) = revision.split_once(':')?;
        Some((seq_no.parse().ok()?, primary_term.parse().ok()?))
    }
}

/// A document that was read by its id.
#[derive(Debug, Deserialize)]
pub(super) struct Document<'a> {
    #[serde(rename = "_source", borrow)]
    pub(super) source: Option<&'a RawValue>,
    #[serde(flatten)]
    pub(super) place: Written,
}

/// What a search found.
#[derive(Debug, Deserialize)]
pub(super) struct Found {
    hits: Hits,
}

#[derive(Debug, Deserialize)]
struct Hits {
    total: Total,
    hits: Vec<Hit>,
}

#[derive(Debug, Deserialize)]
struct Total {
    value: u64,
}

#[derive(Debug, Deserialize)]
struct Hit {
    #[serde(rename = "_id")]
    id: String,
}

impl Found {
    pub(super) fn total(&self) -> u64 {
        self.hits.total.value
    }

    pub(super) fn into_ids(self) -> impl Iterator<Item = String> {
        self.hits.hits.into_iter().map(|hit| hit.id)
    }
}

pub(super) fn parse<'a, T: Deserialize<'a>>(place: &str, body: &'a [u8]) -> Result<T, StoreError> {
    serde_json::from_slice(body).map_err(|cause| {
        StoreError::Unavailable(anyhow!(
            "{place}: the answer is not that of a cluster ({cause}); is \"url\" in storage_config right?"
        ))
    })
}

/// No complete answer came.
pub(super) fn unreachable(place: &str, error: HttpError) -> StoreError {
    match error {
        HttpError::Connect(why) | HttpError::Timeout(why) | HttpError::Protocol(why) => {
            StoreError::Unavailable(anyhow!("{place}: {why}"))
        }
        HttpError::OtherCluster(why) => StoreError::Invalid(anyhow!("{place}: {why}")),
        HttpError::TooLarge(_) => StoreError::too_large(place),
    }
}

/// A refusal that is no conflict.
pub(super) fn failed(place: &str, answer: &Response) -> StoreError {
    type Make = fn(anyhow::Error) -> StoreError;
    let said = reason(&answer.body);
    let blocked = said.contains("cluster_block_exception");
    let (make, remedy): (Make, &str) = match answer.status {
        401 => (
            StoreError::Invalid,
            "set username and password in storage_config",
        ),
        403 if blocked => (
            StoreError::Unavailable,
            "remove the index block (index.blocks.write, index.blocks.read_only)",
        ),
        429 if blocked => (
            StoreError::Unavailable,
            "make room on the disks of that cluster",
        ),
        403 => (
            StoreError::Invalid,
            "the user needs the index privileges read, write and create_index, and maintenance to list states",
        ),
        413 => (
            StoreError::Invalid,
            "raise http.max_content_length of that cluster",
        ),
        404 => (
            StoreError::Unavailable,
            "restore the index from a snapshot; a restart creates an empty one, and then everything is read again",
        ),
        429 | 500.. => (StoreError::Unavailable, "see the health of that cluster"),
        _ => (
            StoreError::Invalid,
            "check \"url\" and \"index\" in storage_config",
        ),
    };
    make(anyhow!(
        "{place}: answered with status {} ({said}): {remedy}",
        answer.status
    ))
}

/// Type and reason of an error, cut to what a message can hold.
fn reason(body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |pointer| body.pointer(pointer).and_then(Value::as_str);
    let (kind, reason) = (text("/error/type"), text("/error/reason"));
    let said = format!("{}: {}", kind.unwrap_or("no reason"), reason.unwrap_or("-"));
    said.chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_whether_it_may_pass_and_what_to_do() {
        let block = "cluster_block_exception";
        for (status, kind, passes, remedy) in [
            (401, "security_exception", false, "username"),
            (403, "security_exception", false, "privileges"),
            (403, block, true, "index.blocks.write"),
            (429, block, true, "make room"),
            (429, "es_rejected_execution_exception", true, "health"),
            (503, "unavailable_shards_exception", true, "health"),
            (404, "index_not_found_exception", true, "snapshot"),
            (413, "", false, "http.max_content_length"),
            (400, "mapper_parsing_exception", false, "storage_config"),
        ] {
            let body = format!(r#"{{"error":{{"type":"{kind}","reason":"because"}}}}"#);
            let answer = Response {
                status,
                headers: Vec::new(),
                body: body.into(),
            };
            let error = failed("document d", &answer);
            assert_eq!(
                matches!(error, StoreError::Unavailable(_)),
                passes,
                "{error}"
            );
            let message = error.to_string();
            for part in ["document d", "because", remedy] {
                assert!(message.contains(part), "{message}");
            }
        }
    }

    #[test]
    fn a_revision_is_what_it_was_made_of() {
        let written = Written {
            seq_no: 7,
            primary_term: 2,
        };
        assert_eq!(Written::parse(&written.revision()), Some((7, 2)));
        for other in ["", "7", "a:b", "no revision at all"] {
            assert_eq!(Written::parse(other), None);
        }
    }
}
