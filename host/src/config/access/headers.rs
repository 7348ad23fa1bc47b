//! `headers` and `compatible_with`: what every request says besides who asks and what for.

use reqwest::header::{HeaderName, HeaderValue};
use serde_json::{Map, Value as Json};

use crate::config::secret::Secret;
use crate::config::section::Section;
use crate::config::tree::Node;
use crate::config::value::integer;

/// The keys that say so.
pub(in crate::config) const KEYS: [&str; 2] = ["headers", "compatible_with"];

/// The most headers, and the longest value in bytes; servers take 8 to 16 KB in all.
const HEADERS_MAX: usize = 32;
const VALUE_MAX: usize = 4_096;

/// Headers that have a key of their own, or that no other than this program can know.
const OTHERS: [(&str, &str); 10] = [
    (
        "authorization",
        "set username and password, api_key, token or aws instead",
    ),
    (
        "proxy-authorization",
        "set user and password in proxy instead",
    ),
    ("host", "it is that of url"),
    ("content-type", "set compatible_with instead"),
    ("accept", "set compatible_with instead"),
    (
        "accept-encoding",
        "leave it out, answers are compressed as it is",
    ),
    (
        "content-length",
        "leave it out, requests have the right one",
    ),
    (
        "transfer-encoding",
        "leave it out, requests have the right one",
    ),
    ("connection", "leave it out, connections are kept as it is"),
    ("upgrade", "leave it out, connections stay what they are"),
];

/// The header by which Elastic's serverless projects choose a version.
const API_VERSION: &str = "elastic-api-version";

/// Every request says this as well, in the order of the names.
pub(super) fn read(config: &Section<'_>) -> Vec<(HeaderName, Secret)> {
    config.optional("headers", headers).unwrap_or_default()
}

/// The major version of Elasticsearch whose API is meant, where one is.
pub(super) fn read_compatible_with(
    config: &Section<'_>,
    headers: &[(HeaderName, Secret)],
) -> Option<u32> {
    let version = config.optional("compatible_with", integer(7..=9))?;
    if headers.iter().any(|(name, _)| name == API_VERSION) {
        config.refuse(
            "compatible_with",
            "stands beside the header elastic-api-version, which only serverless projects know, and they refuse what names a version in both ways: keep the one that your cluster knows",
        );
    }
    Some(version)
}

/// Values are not repeated in messages, as they may be secrets.
fn headers(node: &Node) -> Result<Vec<(HeaderName, Secret)>, String> {
    let Json::Object(table) = node.to_json() else {
        return Err("is a table of texts: write { \"X-Name\" = \"value\" }".to_owned());
    };
    if table.len() > HEADERS_MAX {
        return Err(format!("has more than {HEADERS_MAX} headers"));
    }
    in_order(&table)
}

fn in_order(table: &Map<String, Json>) -> Result<Vec<(HeaderName, Secret)>, String> {
    let read = table.iter().map(|(name, value)| header(name, value));
    let mut headers = read.collect::<Result<Vec<_>, _>>()?;
    headers.sort_by(|(one, _), (other, _)| one.as_str().cmp(other.as_str()));
    let twice = headers.iter().zip(headers.iter().skip(1));
    match twice.into_iter().find(|(one, next)| one.0 == next.0) {
        Some(((name, _), _)) => Err(format!(
            "has {name} twice, as small and capital letters are the same in it: name it once"
        )),
        None => Ok(headers),
    }
}

fn header(name: &str, value: &Json) -> Result<(HeaderName, Secret), String> {
    let known = HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
        format!("has {name:?}, which no header can be called: letters, digits and - are allowed")
    })?;
    if let Some((_, remedy)) = OTHERS.iter().find(|(other, _)| known == *other) {
        return Err(format!("has {known}: {remedy}"));
    }
    let Json::String(text) = value else {
        return Err(format!(
            "has {known}, whose value is no text: write it in quotes"
        ));
    };
    let secret = Secret::from_setting(text).map_err(|why| format!("has {known}: {why}"))?;
    let text = secret.expose();
    let sendable = text.len() <= VALUE_MAX && text.trim() == text;
    match sendable && HeaderValue::from_str(text).is_ok() {
        true => Ok((known, secret)),
        false => Err(format!(
            "has {known}, whose value no header can hold: at most {VALUE_MAX} bytes, no line break, no space at its ends"
        )),
    }
}
