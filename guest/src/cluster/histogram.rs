//! Documents per minute and in the reach of the edge, as the cluster counts them.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use super::failure::{Failure, Shards};
use super::request::REACH;
use crate::error::Error;
use crate::paging::late::Looked;

#[derive(Deserialize)]
struct Answer {
    timed_out: bool,
    _shards: Shards,
    aggregations: Option<Aggregations>,
}

#[derive(Deserialize)]
struct Aggregations {
    minutes: Minutes,
}

#[derive(Deserialize)]
struct Minutes {
    /// By the number of the minute.
    buckets: BTreeMap<String, Bucket>,
}

#[derive(Deserialize)]
struct Bucket {
    documents: Count,
}

#[derive(Deserialize)]
struct Count {
    value: u64,
}

/// Reads the answer to [`super::request::Request::look`].
///
/// # Errors
/// Transient, if it is partial or no such answer.
pub fn parse(body: &[u8]) -> Result<Looked, Failure> {
    let unreadable = |why: &dyn fmt::Display| {
        Error::transient(format!(
            "the cluster's answer is no count by the minute this connector can read: {why}"
        ))
    };
    let answer: Answer = serde_json::from_slice(body).map_err(|e| unreadable(&e))?;
    answer._shards.complete()?;
    if answer.timed_out {
        return Err(Error::transient("counting by the minute timed out on the cluster").into());
    }
    let Some(aggregations) = answer.aggregations else {
        // Who asks no shard is told of no minute.
        return match answer._shards.are_none() {
            true => Ok(Looked::default()),
            false => Err(unreadable(&"it has no \"aggregations\"").into()),
        };
    };
    let mut looked = Looked::default();
    for (name, bucket) in aggregations.minutes.buckets {
        let (minute, counts) = match name.strip_prefix(REACH) {
            Some(minute) => (minute, &mut looked.reach),
            None => (&*name, &mut looked.minutes),
        };
        let minute = minute.parse().map_err(|e| unreadable(&e))?;
        counts.add(minute, bucket.documents.value);
    }
    Ok(looked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paging::minutes::Counts;

    const ANSWER: &str = r#"{"timed_out":false,"_shards":{"failed":0},"aggregations":{"minutes":{"buckets":{"29453761":{"doc_count":70,"documents":{"value":7}},"29453762":{"doc_count":0,"documents":{"value":0}},"r29453762":{"doc_count":5,"documents":{"value":5}}}}}}"#;

    #[test]
    fn documents_are_counted_by_the_minute() {
        let looked = parse(ANSWER.as_bytes()).unwrap();
        let minutes = Counts::from_iter([(29_453_761, 7)]);
        let reach = Counts::from_iter([(29_453_762, 5)]);
        assert_eq!(looked, Looked { minutes, reach });
    }

    #[test]
    fn no_shard_has_no_minute() {
        let answer = r#"{"timed_out":false,"_shards":{"total":0,"failed":0}}"#;
        assert_eq!(parse(answer.as_bytes()), Ok(Looked::default()));
    }

    #[test]
    fn an_answer_that_is_partial_or_something_else_is_an_error() {
        for (part, instead) in [
            ("\"failed\":0", "\"failed\":1"),
            ("false", "true"),
            ("buckets", "x"),
            ("documents", "x"),
            ("\"29453761\"", "\"soon\""),
            ("aggregations", "x"),
        ] {
            let answer = ANSWER.replace(part, instead);
            assert!(parse(answer.as_bytes()).is_err(), "{answer}");
        }
    }
}
