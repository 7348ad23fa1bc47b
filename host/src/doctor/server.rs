//! Who answers, and whether all configured hosts are one cluster.

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
            None => Some(Product::Elasticsearch),
            Some("opensearch") => Some(Product::OpenSearch),
            Some(_) => None,
        }
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
    } else if clusters.len() == hosts.len() {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Level;
    use crate::doctor::finding::tests::assert_said;

    fn root(json: &str) -> Asked<Root> {
        Ok(serde_json::from_str(json).unwrap())
    }

    #[test]
    fn a_server_is_judged_by_product_and_version() {
        let rows = [
            (
                r#"{"version":{"number":"8.19.21"}}"#,
                Level::Ok,
                "elasticsearch 8.19.21 answers at u",
            ),
            (
                r#"{"version":{"number":"2.19.6","distribution":"opensearch"}}"#,
                Level::Ok,
                "opensearch 2.19.6",
            ),
            (
                r#"{"version":{"number":"7.9.3"}}"#,
                Level::Problem,
                "7.10 or later",
            ),
            (
                r#"{"version":{"number":"2.3.0","distribution":"opensearch"}}"#,
                Level::Problem,
                "2.4 or later",
            ),
            (
                r#"{"version":{"number":"1","distribution":"other"}}"#,
                Level::Problem,
                "check \"url\"",
            ),
            ("{}", Level::Problem, "check \"url\""),
        ];
        for (json, level, part) in rows {
            let finding = judge(&root(json), "u");
            assert_eq!(finding.level, level, "{json}");
            assert!(finding.message.contains(part), "{}", finding.message);
        }
        let refused = judge(&Err(Unknown::Refused), "u");
        assert_eq!(refused.level, Level::Note);
    }

    #[test]
    fn hosts_of_another_cluster_are_named() {
        let uuid = |uuid: &str| root(&format!(r#"{{"cluster_uuid":"{uuid}"}}"#));
        let lost = || Err(Unknown::Unreachable("refused".to_owned()));
        let rows = [
            (vec![uuid("x"), uuid("x")], vec![(Level::Ok, "all 2 hosts")]),
            (
                vec![uuid("x"), uuid("y")],
                vec![(Level::Problem, "h0 to x, h1 to y")],
            ),
            (
                vec![uuid("x"), lost()],
                vec![(Level::Note, "h1 gives no answer")],
            ),
            (
                vec![uuid("x"), Err(Unknown::Refused), uuid("y")],
                vec![
                    (Level::Note, "h1 belongs"),
                    (Level::Problem, "h0 to x, h2 to y"),
                ],
            ),
            (
                vec![uuid("x"), uuid("_na_")],
                vec![(Level::Note, "h1 belongs")],
            ),
        ];
        for (roots, expected) in rows {
            let hosts = roots.into_iter().enumerate();
            let hosts: Vec<_> = hosts.map(|(n, root)| (format!("h{n}"), root)).collect();
            let findings = judge_hosts(&hosts);
            assert_said(&findings, &expected);
        }
    }
}
