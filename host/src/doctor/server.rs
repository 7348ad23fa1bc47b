//! Who answers, and whether all configured hosts are one cluster.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use super::asking::{Asked, Unknown};
use super::finding::{Finding, Topic::Server};

/// A search server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Product {
    /// Of Elastic.
    Elasticsearch,
    /// Of the OpenSearch project.
    OpenSearch,
}

/// The answer to `GET /`.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Root {
    cluster_uuid: Option<String>,
    version: Option<Version>,
    tagline: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct Version {
    number: String,
    distribution: Option<String>,
}

impl Product {
    fn name(self) -> &'static str {
        match self {
            Self::Elasticsearch => "elasticsearch",
            Self::OpenSearch => "opensearch",
        }
    }

    /// The first version that has points in time.
    fn least(self) -> (u64, u64) {
        match self {
            Self::Elasticsearch => (7, 10),
            Self::OpenSearch => (2, 4),
        }
    }
}

impl Root {
    /// Whose server it is; none of another one's.
    pub(super) fn product(&self) -> Option<Product> {
        match self.version.as_ref()?.distribution.as_deref() {
            None if self.is_disguised() => Some(Product::OpenSearch),
            None => Some(Product::Elasticsearch),
            Some("opensearch") => Some(Product::OpenSearch),
            Some(_) => None,
        }
    }

    /// Whether it is an OpenSearch that says for old clients that it is an Elasticsearch 7.10.2,
    /// and only in its tagline what it is.
    fn is_disguised(&self) -> bool {
        let says = |version: &Version| version.distribution.is_some();
        let tagline = self.tagline.as_deref().unwrap_or_default();
        !self.version.as_ref().is_some_and(says) && tagline.contains("OpenSearch")
    }

    /// The number of its version.
    pub(super) fn version(&self) -> Option<&str> {
        Some(&self.version.as_ref()?.number)
    }

    /// A server that has not joined its cluster yet says `_na_`.
    fn cluster(&self) -> Option<&str> {
        self.cluster_uuid.as_deref().filter(|uuid| *uuid != "_na_")
    }
}

/// Judges the first host that answered.
pub(super) fn judge(root: &Asked<Root>, addresses: &str) -> Finding {
    let root = match root {
        Ok(root) => root,
        Err(why) => {
            return Server.note(format!(
                "which server answers at {addresses} is not known: {}",
                why.why()
            ));
        }
    };
    let (Some(product), Some(version)) = (root.product(), root.version()) else {
        return Server.problem(format!(
            "what answers at {addresses} is neither elasticsearch nor opensearch: check \"url\""
        ));
    };
    let (name, (major, minor)) = (product.name(), product.least());
    if root.is_disguised() {
        return Server.ok(format!(
            "{name} answers at {addresses}, under the version {version} (compatibility.override_main_response_version)"
        ));
    }
    if parse(version).is_some_and(|version| version < (major, minor)) {
        return Server.problem(format!(
            "{name} {version} answers at {addresses}, which has no points in time: upgrade it to {major}.{minor} or later"
        ));
    }
    Server.ok(format!("{name} {version} answers at {addresses}"))
}

/// Major and minor number.
fn parse(version: &str) -> Option<(u64, u64)> {
    let mut numbers = version.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// Judges several hosts, each by what it says itself.
pub(super) fn judge_hosts(hosts: &[(String, Asked<Root>)]) -> Vec<Finding> {
    let clusters: Vec<_> = hosts
        .iter()
        .filter_map(|(url, root)| Some((url.as_str(), root.as_ref().ok()?.cluster()?)))
        .collect();
    let mut findings: Vec<_> = hosts.iter().filter_map(silent).collect();
    let is_other =
        |(_, cluster): &&(&str, &str)| clusters.first().is_some_and(|(_, first)| cluster != first);
    if clusters.iter().any(|host| is_other(&host)) {
        let named: Vec<_> = clusters
            .iter()
            .map(|(url, cluster)| format!("{url} to {cluster}"))
            .collect();
        findings.push(Server.problem(format!(
            "the hosts in \"url\" belong to different clusters, {}: keep those of one",
            named.join(", ")
        )));
    } else if clusters.len() == hosts.len() && !hosts.is_empty() {
        let count = hosts.len();
        findings.push(Server.ok(format!("all {count} hosts belong to the same cluster")));
    }
    findings
}

/// A host that does not say which cluster it belongs to.
fn silent((url, root): &(String, Asked<Root>)) -> Option<Finding> {
    match root {
        Err(Unknown::Unreachable(why)) => Some(Server.note(format!(
            "the host {url} gives no answer, the others are asked instead: {why}"
        ))),
        Err(why) => Some(Server.note(format!(
            "whether {url} belongs to the same cluster is not known: {}",
            why.why()
        ))),
        Ok(root) if root.cluster().is_none() => Some(Server.note(format!(
            "whether {url} belongs to the same cluster is not known: it does not name its own"
        ))),
        Ok(_) => None,
    }
}
