//! What a stream holds, compared with what the cluster holds in the end.

use std::collections::{HashMap, HashSet};
use std::fmt;

use serde_json::{Value, json};

use super::writers::{Version, Written, version};
use crate::support::servers::Cluster;

/// A failure names so many of each kind.
const EXAMPLES_MAX: usize = 5;

/// A message of the program, as it was found.
#[derive(Debug)]
pub struct Found {
    pub id: u128,
    pub document: String,
    pub version: Version,
}

/// What is wrong with a stream.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Documents whose last version is not there.
    pub lost: Vec<(String, Version)>,
    /// Versions that are there again, under the same message id or another.
    pub repeated: Vec<(String, Version)>,
    /// Messages of versions that nobody wrote.
    pub invented: Vec<(String, Version)>,
}

impl Verdict {
    pub fn is_clean(&self) -> bool {
        self.lost.is_empty() && self.repeated.is_empty() && self.invented.is_empty()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = [
            ("lost", &self.lost),
            ("repeated", &self.repeated),
            ("invented", &self.invented),
        ];
        for (kind, versions) in kinds {
            let some = &versions[..versions.len().min(EXAMPLES_MAX)];
            writeln!(f, "{kind} {}: {some:?}", versions.len())?;
        }
        Ok(())
    }
}

/// The last version of every document that must be there.
pub async fn last_versions(
    cluster: &Cluster,
    index: &str,
    written: &Written,
) -> HashMap<String, Version> {
    let mut versions = HashMap::new();
    let body = json!({"size": 5_000, "seq_no_primary_term": true, "_source": false});
    let path = format!("/{index}/_search?scroll=1m");
    let mut answer = cluster.call("POST", &path, body.to_string()).await.ok();
    while let Some(hits) = answer["hits"]["hits"].as_array()
        && !hits.is_empty()
    {
        let last = |hit: &Value| (hit["_id"].as_str().unwrap().to_owned(), version(hit));
        versions.extend(hits.iter().map(last));
        let next = json!({"scroll": "1m", "scroll_id": answer["_scroll_id"]}).to_string();
        answer = cluster.call("POST", "/_search/scroll", next).await.ok();
    }
    assert_eq!(
        answer["hits"]["total"]["value"],
        versions.len(),
        "a whole reading"
    );
    versions.retain(|document, _| !written.excused.contains(document));
    versions
}

/// Compares; superseded versions may be there or not.
pub fn compare(expected: &HashMap<String, Version>, found: &[Found], written: &Written) -> Verdict {
    let (mut ids, mut versions) = (HashSet::new(), HashSet::new());
    let mut verdict = Verdict::default();
    for message in found {
        let message_version = (message.document.clone(), message.version);
        if !written.versions.contains(&message_version) {
            verdict.invented.push(message_version.clone());
        }
        if !ids.insert(message.id) | !versions.insert(message_version.clone()) {
            verdict.repeated.push(message_version);
        }
    }
    let last = expected
        .iter()
        .map(|(document, version)| (document.clone(), *version));
    verdict.lost = last.filter(|last| !versions.contains(last)).collect();
    verdict
}
