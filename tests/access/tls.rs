//! A cluster behind TLS, with an authority that the test makes up.

use super::{DOCUMENTS, assert_all_there, cluster};
use crate::support::authority::{Authority, TlsFront};
use crate::support::program;
use crate::support::world::World;

/// The name that certificates are for.
const NAME: &str = "localhost";

fn trusting(url: &str, authority: &Authority, more: &str) -> World {
    let file = authority.file();
    let tls = format!("{{ ca_file = '{}'{more} }}", file.display());
    World::reading(url, "logs").raw("tls", &tls)
}

fn identity(authority: &Authority) -> String {
    let [certificate, key] = authority.identity("reader");
    format!(
        ", certificate_file = '{}', key_file = '{}'",
        certificate.display(),
        key.display()
    )
}

#[tokio::test]
async fn a_cluster_of_the_right_authority_and_name_is_read() {
    let (cluster, authority) = (cluster(), Authority::new("ours"));
    let front = TlsFront::to(cluster.url(), authority.acceptor(NAME)).await;
    let wary = TlsFront::to(cluster.url(), authority.wary_acceptor(NAME)).await;
    let danger = "{ danger_accept_invalid_certs = true }";
    for world in [
        trusting(&front.url(NAME), &authority, ""),
        trusting(&wary.url(NAME), &authority, &identity(&authority)),
        World::reading(&front.url("127.0.0.1"), "logs").raw("tls", danger),
    ] {
        assert_eq!(world.published_once().await, DOCUMENTS);
        assert_all_there(&world);
    }
}

#[tokio::test]
async fn what_the_two_sides_disagree_on_is_named_with_its_remedy() {
    let (cluster, ours, other) = (cluster(), Authority::new("ours"), Authority::new("other"));
    let front = TlsFront::to(cluster.url(), ours.acceptor(NAME)).await;
    let wary = TlsFront::to(cluster.url(), ours.wary_acceptor(NAME)).await;
    let by_name = front.url(NAME);
    let plain = cluster.url().replace("http://", "https://");
    let rows = [
        (
            "another authority",
            trusting(&by_name, &other, ""),
            "with ca_file in \"tls\"",
        ),
        (
            "no ca_file",
            World::reading(&by_name, "logs"),
            "with ca_file in \"tls\"",
        ),
        (
            "another name",
            trusting(&front.url("127.0.0.1"), &ours, ""),
            "write a name that it is for in \"url\"",
        ),
        (
            "no TLS",
            trusting(&plain, &ours, ""),
            "does the server speak TLS?",
        ),
        (
            "no certificate",
            trusting(&wary.url(NAME), &ours, ""),
            "set certificate_file and key_file in \"tls\"",
        ),
        (
            "another's certificate",
            trusting(&wary.url(NAME), &ours, &identity(&other)),
            "check certificate_file and key_file in \"tls\"",
        ),
    ];
    for (what, world, part) in rows {
        let (failure, _) = world.once().await.unwrap_err();
        let message = failure.to_string();
        assert!(
            message.contains(part) && message.contains("https://"),
            "{what}: {message}"
        );
        assert!(world.delivered().is_empty(), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_does_not_verify_is_warned_at_every_start() {
    let (cluster, authority) = (cluster(), Authority::new("ours"));
    let front = TlsFront::to(cluster.url(), authority.acceptor(NAME)).await;
    let danger = "{ danger_accept_invalid_certs = true }";
    let world = World::reading(&front.url(NAME), "logs").raw("tls", danger);
    tokio::task::spawn_blocking(move || {
        let config = world.config_file();
        for _ in 0..2 {
            let run = ["run", config.to_str().unwrap(), "--once"];
            let finished = program::run(world.folder(), &run);
            assert_eq!(finished.code, Some(0), "{finished:?}");
            let warnings = finished
                .stderr
                .matches("CERTIFICATES ARE NOT VERIFIED")
                .count();
            assert_eq!(warnings, 1, "{}", finished.stderr);
        }
    })
    .await
    .unwrap();
}

#[test]
fn a_key_that_does_not_belong_to_its_certificate_is_found_by_a_check() {
    let authority = Authority::new("ours");
    let [certificate, _] = authority.identity("one");
    let [_, key] = authority.identity("other");
    let tls = format!(
        "{{ certificate_file = '{}', key_file = '{}' }}",
        certificate.display(),
        key.display()
    );
    let world = World::reading("https://localhost", "logs").raw("tls", &tls);
    let config = world.config_file();
    let finished = program::run(world.folder(), &["check", config.to_str().unwrap()]);
    assert_eq!(finished.code, Some(2), "{finished:?}");
    assert!(
        finished.stderr.contains("does the key in") && finished.stderr.contains("other.key"),
        "{}",
        finished.stderr
    );
}
