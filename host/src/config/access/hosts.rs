//! `url` and `cloud_id`: where a cluster is.

use reqwest::Url;

use super::cloud_id;
use crate::config::section::Section;
use crate::config::tree::{Node, Value};
use crate::config::value::text;

/// The keys that say where a cluster is.
pub(in crate::config) const KEYS: [&str; 2] = ["url", "cloud_id"];

/// The most addresses of one cluster.
const HOSTS_MAX: usize = 64;

pub(super) fn read(config: &Section<'_>) -> Option<Vec<Url>> {
    let has = |key: &str| config.section(key).exists();
    if has("url") && has("cloud_id") {
        config.refuse(
            "cloud_id",
            "stands beside url, and is one: keep one of them",
        );
        return None;
    }
    if has("cloud_id") {
        return config.optional("cloud_id", |node| Ok(vec![cloud_id::decode(&text(node)?)?]));
    }
    config.required("url", "url = \"http://localhost:9200\"", hosts)
}

/// One address, or a list of them.
fn hosts(node: &Node) -> Result<Vec<Url>, String> {
    let Value::List(nodes) = &node.value else {
        return Ok(vec![host(node)?]);
    };
    if nodes.is_empty() || nodes.len() > HOSTS_MAX {
        return Err(format!("is a list of 1 to {HOSTS_MAX} urls"));
    }
    let mut hosts = Vec::with_capacity(nodes.len());
    for (number, node) in (1..).zip(nodes) {
        let host = host(node).map_err(|message| format!("number {number} {message}"))?;
        if hosts.contains(&host) {
            return Err(format!(
                "number {number} stands there twice: name a host once"
            ));
        }
        hosts.push(host);
    }
    Ok(hosts)
}

/// The text is not repeated in messages, as it may hold a password.
fn host(node: &Node) -> Result<Url, String> {
    let url = Url::parse(&text(node)?)
        .map_err(|e| format!("is no url ({e}): write one like \"http://localhost:9200\""))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("begins with http:// or https://".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "holds credentials: take them out and set the keys username and password beside it"
                .to_owned(),
        );
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("has a query or a fragment: leave out what begins with ? or #".to_owned());
    }
    Ok(url)
}
