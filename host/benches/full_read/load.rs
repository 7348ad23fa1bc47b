//! The index that is read: loaded once, and quiet before anything is measured.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::Context as _;
use reqwest::Method;
use serde_json::{Value, json};

use crate::node::Node;
use crate::support::{Index, document, mappings};

const SHARDS: u32 = 5;
/// Documents in one request, about 2.5 MB.
const BULK: u64 = 5_000;
/// How often, and how many times, the node is asked whether it still merges.
const MERGES_INTERVAL: Duration = Duration::from_secs(1);
const MERGES_ASKED_MAX: u32 = 300;

/// Loads the index unless it is there with all its documents, and waits until nothing is
/// merged any more.
pub(crate) async fn load(node: &Node, index: &Index<'_>) -> anyhow::Result<()> {
    if count(node, index).await? != index.documents {
        create(node, index).await?;
        for first in (0..index.documents).step_by(BULK as usize) {
            let end = index.documents.min(first + BULK);
            insert(node, index, first..end).await?;
        }
    }
    let path = format!("/{}/_refresh", index.name);
    node.ask(Method::POST, &path, None).await?;
    let count = count(node, index).await?;
    anyhow::ensure!(count == index.documents, "{count} documents were loaded");
    await_merges(node, index).await
}

/// Of an index that is not there: none.
async fn count(node: &Node, index: &Index<'_>) -> anyhow::Result<u64> {
    let path = format!("/{}/_count?ignore_unavailable=true", index.name);
    let answer = node.json(Method::GET, &path, None).await?;
    let count = answer.get("count").and_then(Value::as_u64);
    count.context("no count")
}

async fn create(node: &Node, index: &Index<'_>) -> anyhow::Result<()> {
    let path = format!("/{}?ignore_unavailable=true", index.name);
    node.ask(Method::DELETE, &path, None).await?;
    let body = json!({
        "settings": {"number_of_shards": SHARDS, "number_of_replicas": 0},
        "mappings": mappings(),
    });
    let path = format!("/{}", index.name);
    node.json(Method::PUT, &path, Some(&body)).await?;
    Ok(())
}

async fn insert(
    node: &Node,
    index: &Index<'_>,
    numbers: std::ops::Range<u64>,
) -> anyhow::Result<()> {
    let mut lines = String::new();
    for number in numbers {
        let document = document(number);
        writeln!(lines, r#"{{"index":{{"_id":"d{number}"}}}}"#)?;
        writeln!(lines, "{document}")?;
    }
    let path = format!("/{}/_bulk?filter_path=errors", index.name);
    let answer = node
        .ask(Method::POST, &path, Some(lines.into_bytes()))
        .await?;
    let answer: Value = serde_json::from_slice(&answer)?;
    let refused = answer.get("errors") != Some(&Value::Bool(false));
    anyhow::ensure!(!refused, "the node refused documents");
    Ok(())
}

async fn await_merges(node: &Node, index: &Index<'_>) -> anyhow::Result<()> {
    let path = format!("/{}/_stats/merge", index.name);
    for _ in 0..MERGES_ASKED_MAX {
        let stats = node.json(Method::GET, &path, None).await?;
        let merges = stats.pointer("/_all/total/merges/current");
        if merges.and_then(Value::as_u64) == Some(0) {
            return Ok(());
        }
        tokio::time::sleep(MERGES_INTERVAL).await;
    }
    anyhow::bail!("the node is still merging after {MERGES_ASKED_MAX} s")
}
