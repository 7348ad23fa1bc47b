//! Documents per minute, as the cluster counts them.

use serde::Deserialize;

use super::failure::{Failure, Shards};
use crate::error::Error;
use crate::paging::minutes::Counts;
use crate::time::Unit;

#[derive(Deserialize)]
struct Answer {
    timed_out: bool,
    _shards: Shards,
    aggregations: Aggregations,
}

#[derive(Deserialize)]
struct Aggregations {
    minutes: Minutes,
}

#[derive(Deserialize)]
struct Minutes {
    buckets: Vec<Bucket>,
}

#[derive(Deserialize)]
struct Bucket {
    /// Where it begins: milliseconds for dates, the field's own unit for numbers. A number
    /// that is written as a fraction, which is exact as it is a multiple of a minute.
    key: f64,
    doc_count: u64,
}

/// Reads the answer to [`super::request::Request::minutes`].
///
/// # Errors
/// Transient, if it is partial or no such answer.
pub fn parse(body: &[u8], unit: Unit) -> Result<Counts, Failure> {
    let answer: Answer = serde_json::from_slice(body).map_err(|e| {
        Error::transient(format!(
            "the cluster's answer is no count by the minute this connector can read: {e}"
        ))
    })?;
    answer._shards.complete()?;
    if answer.timed_out {
        return Err(Error::transient("counting by the minute timed out on the cluster").into());
    }
    let steps = if unit.numeric_type().is_some() {
        60_000
    } else {
        unit.minute_length()
    };
    let buckets = answer.aggregations.minutes.buckets.into_iter();
    let count = |bucket: Bucket| ((bucket.key / steps as f64).round() as i64, bucket.doc_count);
    Ok(buckets.map(count).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_counted_by_the_minute_whatever_the_unit() {
        let rows = [
            (Unit::Ms, "1767225660000"),
            (Unit::Ns, "1767225660000"),
            (Unit::NumberS, "1.76722566E9"),
            (Unit::NumberNs, "1.76722566E18"),
        ];
        for (unit, key) in rows {
            let body = format!(
                r#"{{"timed_out":false,"_shards":{{"failed":0}},"aggregations":{{"minutes":{{"buckets":[{{"key":{key},"doc_count":7}}]}}}}}}"#
            );
            let expected = Counts::from_iter([(29_453_761, 7)]);
            assert_eq!(parse(body.as_bytes(), unit).unwrap(), expected, "{unit:?}");
            for (part, instead) in [
                ("\"failed\":0", "\"failed\":1"),
                ("false", "true"),
                ("buckets", "x"),
            ] {
                assert!(parse(body.replace(part, instead).as_bytes(), unit).is_err());
            }
        }
    }
}
