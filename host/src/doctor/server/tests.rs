//! How servers and hosts are judged.

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
            r#"{"version":{"number":"7.10.2"},"tagline":"You Know, for Search"}"#,
            Level::Ok,
            "elasticsearch 7.10.2 answers at u",
        ),
        (
            r#"{"version":{"number":"7.10.2"},"tagline":"The OpenSearch Project: https://opensearch.org/"}"#,
            Level::Ok,
            "opensearch answers at u, under the version 7.10.2 (compatibility.override_main_response_version)",
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
fn a_server_is_known_by_its_distribution_or_by_its_tagline() {
    let opensearch = "The OpenSearch Project: https://opensearch.org/";
    let rows = [
        (None, opensearch, Some(Product::OpenSearch)),
        (None, "You Know, for Search", Some(Product::Elasticsearch)),
        (None, "", Some(Product::Elasticsearch)),
        (Some("opensearch"), opensearch, Some(Product::OpenSearch)),
        (Some("other"), opensearch, None),
    ];
    for (distribution, tagline, product) in rows {
        let version = serde_json::json!({"number": "7.10.2", "distribution": distribution});
        let said = serde_json::json!({"version": version, "tagline": tagline}).to_string();
        assert_eq!(root(&said).unwrap().product(), product, "{said}");
    }
}

#[test]
fn hosts_of_another_cluster_are_named() {
    let uuid = |uuid: &str| root(&format!(r#"{{"cluster_uuid":"{uuid}"}}"#));
    let lost = || Err(Unknown::Unreachable("refused".to_owned()));
    let rows = [
        (vec![], vec![]),
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
