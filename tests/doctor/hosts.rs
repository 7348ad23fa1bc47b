//! Several hosts in `url`: whether they are one cluster.

use elasticsearch_source::doctor::Level;
use elasticsearch_source::mini_elasticsearch::{MiniElasticsearch, Options, Product};

use super::{assert_found, examine};
use crate::support::authority::{Authority, TlsFront};
use crate::support::sample;
use crate::support::world::World;

/// Nobody listens there.
const NOBODY: &str = "http://127.0.0.1:9";

fn reading(hosts: &[&str]) -> World {
    World::reading(NOBODY, sample::INDEX).raw("url", &format!("{hosts:?}"))
}

#[tokio::test]
async fn hosts_are_one_cluster_or_named_as_others() {
    let cluster = sample::cluster(Product::Elasticsearch, 7);
    let other = MiniElasticsearch::start(Options {
        cluster_uuid: "another".to_owned(),
        ..Options::default()
    })
    .unwrap();
    let again = cluster.url().replace("127.0.0.1", "localhost");
    let one = examine(&reading(&[cluster.url(), &again])).await;
    assert!(one.healthy, "{one:#?}");
    assert_found(&one, Level::Ok, "all 2 hosts belong to the same cluster");
    let two = examine(&reading(&[cluster.url(), other.url()])).await;
    assert!(!two.healthy, "{two:#?}");
    let named = format!("belong to different clusters, {}/ to ", cluster.url());
    assert_found(&two, Level::Problem, &named);
    assert_found(&two, Level::Problem, &format!("{}/ to ", other.url()));
}

#[tokio::test]
async fn a_host_that_is_down_is_worth_a_note_while_another_answers() {
    let cluster = sample::cluster(Product::OpenSearch, 7);
    let examination = examine(&reading(&[NOBODY, cluster.url()])).await;
    assert!(examination.healthy, "{examination:#?}");
    assert_found(
        &examination,
        Level::Note,
        "the host http://127.0.0.1:9/ gives no answer",
    );
    assert_eq!(examination.figures.documents, Some(7));
}

#[tokio::test]
async fn a_cluster_that_does_not_answer_is_the_only_problem() {
    let examination = examine(&reading(&[NOBODY])).await;
    let [finding] = &examination.findings[..] else {
        panic!("{examination:#?}")
    };
    assert_eq!(finding.level, Level::Problem);
    assert!(
        finding
            .message
            .contains("is the cluster running, and \"url\" right?"),
        "{finding:?}"
    );
}

#[tokio::test]
async fn a_certificate_that_nobody_verifies_is_worth_a_note() {
    let cluster = sample::cluster(Product::Elasticsearch, 7);
    let authority = Authority::new("ours");
    let front = TlsFront::to(cluster.url(), authority.acceptor("localhost")).await;
    let reading = |tls: &str| reading(&[&front.url("localhost")]).lines(tls);
    let trusting = examine(&reading("tls = { danger_accept_invalid_certs = true }")).await;
    assert!(trusting.healthy, "{trusting:#?}");
    assert_found(&trusting, Level::Note, "certificates are not verified");
    let careful = examine(&reading("")).await;
    assert_found(
        &careful,
        Level::Problem,
        "from no authority that is trusted",
    );
}
