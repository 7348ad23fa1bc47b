//! Iggy behind TLS, with an authority that the test makes up.

use std::time::Duration;

use elasticsearch_source::publisher::destination::{Committed, Destination, Wanted};
use elasticsearch_source::publisher::iggy::{IggyConfig, TlsConfig};

use super::backends::{config, iggy};
use super::messages;
use crate::support::authority::Authority;
use crate::support::iggy::IggyStandIn;

/// The name that the server's certificate is for.
const NAME: &str = "iggy.example";

fn trusting(authority: &Authority, domain: Option<&str>) -> Option<TlsConfig> {
    Some(TlsConfig {
        ca_file: Some(authority.file().display().to_string()),
        domain: domain.map(str::to_owned),
    })
}

fn with_tls(server: &IggyStandIn, tls: Option<TlsConfig>) -> IggyConfig {
    IggyConfig {
        tls,
        timeout: Duration::from_secs(2),
        ..config(server.address())
    }
}

#[tokio::test]
async fn a_server_of_the_right_authority_and_name_is_written_to_and_read() {
    let authority = Authority::new("ours");
    let server = IggyStandIn::start_with_tls(authority.acceptor(NAME)).await;
    let config = with_tls(&server, trusting(&authority, Some(NAME)));
    let mut destination = iggy(config, "s", "t").unwrap();
    destination.append(&messages(1..4)).await.unwrap();
    let tail = destination.read(&Wanted::default()).await.unwrap();
    assert_eq!(
        (tail.ids, server.ids("s", "t")),
        (vec![1, 2, 3], vec![1, 2, 3])
    );
}

#[tokio::test]
async fn what_the_two_sides_disagree_on_is_named_with_its_remedy() {
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let secure = IggyStandIn::start_with_tls(ours.acceptor(NAME)).await;
    let plain = IggyStandIn::start().await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let missing = Some(TlsConfig {
        ca_file: Some("/absent/ca.pem".to_owned()),
        domain: Some(NAME.to_owned()),
    });
    let public = Some(TlsConfig {
        ca_file: None,
        domain: Some(NAME.to_owned()),
    });
    let unreachable = IggyConfig {
        address: "127.0.0.1:9".to_owned(),
        ..with_tls(&plain, trusting(&ours, Some(NAME)))
    };
    let unanswered = IggyConfig {
        address: silent.local_addr().unwrap().to_string(),
        timeout: Duration::from_millis(200),
        ..with_tls(&plain, trusting(&ours, Some(NAME)))
    };
    let other_file = other.file().display().to_string();
    let rows = [
        (
            "another authority",
            with_tls(&secure, trusting(&other, Some(NAME))),
            false,
            vec!["from no authority in", &other_file, "ca_file in [iggy.tls]"],
        ),
        (
            "a private authority and no ca_file",
            with_tls(&secure, public),
            false,
            vec!["the public list", "ca_file in [iggy.tls]"],
        ),
        (
            "no domain",
            with_tls(&secure, trusting(&ours, None)),
            false,
            vec![
                "another name",
                "set domain in [iggy.tls]",
                "127.0.0.1",
                NAME,
            ],
        ),
        (
            "another domain",
            with_tls(&secure, trusting(&ours, Some("other.example"))),
            false,
            vec!["set domain in [iggy.tls]", "other.example", NAME],
        ),
        (
            "a domain that is no name",
            with_tls(&secure, trusting(&ours, Some("a b"))),
            false,
            vec!["domain in [iggy.tls]"],
        ),
        (
            "no such file",
            with_tls(&secure, missing),
            false,
            vec!["/absent/ca.pem", "[iggy.tls]"],
        ),
        (
            "no [iggy.tls]",
            with_tls(&secure, None),
            false,
            vec!["the server speaks TLS", "enabled = true in [iggy.tls]"],
        ),
        (
            "a server without TLS",
            with_tls(&plain, trusting(&ours, Some(NAME))),
            true,
            vec!["does not speak TLS", "enabled = false in [iggy.tls]"],
        ),
        (
            "a server that says nothing",
            unanswered,
            true,
            vec!["does not speak TLS", "no answer within 200ms"],
        ),
        (
            "no server",
            unreachable,
            true,
            vec!["is the server running? see [iggy] address"],
        ),
    ];
    for (what, config, transient, parts) in rows {
        let expected = [vec!["cannot connect to iggy at", &config.address], parts].concat();
        let mut destination = iggy(config.clone(), "s", "t").unwrap();
        let error = destination.append(&messages(1..2)).await.unwrap_err();
        assert_eq!(
            (error.transient, &error.committed),
            (transient, &Committed::Nothing),
            "{what}: {error}"
        );
        for part in expected {
            assert!(
                error.to_string().contains(part),
                "{what}: {part:?} is missing: {error}"
            );
        }
    }
}
