//! The connection to Iggy as a configuration describes it: who signs in, what he may do, and
//! what happens while the server is away.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use elasticsearch_source::mini_elasticsearch::{MiniElasticsearch, Product};
use tokio::net::TcpListener;

use crate::support::iggy::{IggyStandIn, codes};
use crate::support::program;
use crate::support::sample::{self, insert};
use crate::support::world::World;

const DOCUMENTS: u64 = 20;

fn cluster() -> MiniElasticsearch {
    sample::cluster(Product::Elasticsearch, DOCUMENTS)
}

/// Signs in with these lines of `[iggy]`.
fn world(cluster: &MiniElasticsearch, server: &IggyStandIn, login: &str) -> World {
    let address = server.address();
    World::reading(cluster.url(), "logs").output(&format!(
        "[iggy]\naddress = \"{address}\"\n{login}\ntimeout = \"500ms\"\npublish_quiet = \"100ms\"\n"
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_sign_in_publishes() {
    let cluster = cluster();
    let folder = tempfile::tempdir().unwrap();
    let in_file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        format!("file:{}", path.display())
    };
    let (password, token) = ("p@ss:w/rd%40?&#\"\\'ü€😀", "iggypat-@:/%ü");
    let rows = [
        format!("username = \"jöe@host\"\npassword = {password:?}"),
        format!(
            "username = \"jöe@host\"\npassword = {:?}",
            in_file("password", password)
        ),
        format!("token = {token:?}"),
        format!("token = {:?}", in_file("token", &format!("{token}\n"))),
    ];
    for login in rows {
        let server = IggyStandIn::start().await;
        server.add_user("jöe@host", password, &[]);
        server.add_token(token, "jöe@host");
        let world = world(&cluster, &server, &login);
        assert_eq!(world.published_once().await, DOCUMENTS, "{login}");
        assert_eq!(server.messages("s", "t").len() as u64, DOCUMENTS, "{login}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_sign_in_is_named_without_the_secret() {
    let cluster = cluster();
    let server = IggyStandIn::start().await;
    let rows = [
        (
            "username = \"iggy\"\npassword = \"hunter2\"",
            "the password of \"iggy\": see [iggy] username and password",
        ),
        ("token = \"hunter2\"", "the token: see [iggy] token"),
    ];
    for (login, expected) in rows {
        let world = world(&cluster, &server, login);
        let (failure, summary) = world.once().await.unwrap_err();
        let text = failure.to_string();
        assert!(text.contains(expected), "{text}");
        assert!(text.contains(server.address()), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
        assert_eq!(summary.retries, 0, "nothing changes by itself");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_output_that_may_not_be_read_is_refused_before_the_first_publish() {
    let cluster = cluster();
    let server = IggyStandIn::start().await;
    server.add_user("joe", "secret", &[codes::POLL_MESSAGES_CODE]);
    let world = world(
        &cluster,
        &server,
        "username = \"joe\"\npassword = \"secret\"",
    );
    let (failure, _) = world.once().await.unwrap_err();
    let text = failure.to_string();
    for part in [
        "stream s, topic t",
        "\"joe\" lacks the permission poll_messages: grant it",
        "delivery = \"at_least_once\"",
    ] {
        assert!(text.contains(part), "{part:?} is missing: {text}");
    }
    assert_eq!(server.requests(codes::SEND_MESSAGES_CODE), 0);

    let repeating = world.toml().replace(
        "[sources.test]",
        "[sources.test]\ndelivery = \"at_least_once\"",
    );
    let finished = run_once(&world, &repeating).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert_eq!(server.messages("s", "t").len() as u64, DOCUMENTS);
}

async fn run_once(world: &World, toml: &str) -> program::Finished {
    let (folder, toml) = (world.folder().to_owned(), toml.to_owned());
    let run = move || {
        std::fs::write(folder.join("once.toml"), toml).unwrap();
        program::run(&folder, &["run", "once.toml", "--once"])
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_goes_away_is_asked_ever_more_slowly_and_found_again() {
    let cluster = cluster();
    let mut server = IggyStandIn::start().await;
    let login = "username = \"iggy\"\npassword = \"iggy\"";
    let world = world(&cluster, &server, login).key("polling_interval", "20ms");
    let config = world.config_file();
    let arguments = ["run", config.to_str().unwrap(), "--json"];
    let child = program::command(world.folder(), &arguments)
        .spawn()
        .unwrap();
    arrived(&server, DOCUMENTS).await;

    server.stop().await;
    insert(&cluster, DOCUMENTS..DOCUMENTS * 2);
    let asked = connections_refused(server.address(), Duration::from_secs(3)).await;
    assert!((2..=10).contains(&asked), "{asked} connections in 3 s");
    server.start_again().await;
    arrived(&server, DOCUMENTS * 2).await;

    program::terminate(&child);
    let finished = tokio::task::spawn_blocking(|| program::finish(child))
        .await
        .unwrap();
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert_eq!(server.messages("s", "t").len() as u64, DOCUMENTS * 2);
    let summary: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
    let source = &summary["sources"]["test"];
    assert_eq!(source["documents"], DOCUMENTS * 2, "{summary}");
    assert!(source["retries"].as_u64() >= Some(2), "{summary}");
    let lines = |text| {
        let lines = finished.stderr.lines();
        lines.filter(|line| line.contains(text)).collect::<Vec<_>>()
    };
    let (warned, went_on) = (lines("the source will try again"), lines("goes on"));
    assert_eq!(went_on.len(), 1, "{finished:?}");
    let address = format!("iggy at {}", server.address());
    assert!(
        !warned.is_empty() && warned.iter().all(|line| line.contains(&address)),
        "{warned:?}"
    );
}

/// Waits until the topic holds so many messages.
async fn arrived(server: &IggyStandIn, messages: u64) {
    let started = Instant::now();
    while (server.messages("s", "t").len() as u64) < messages {
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "waited in vain"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Takes the server's place for a while: closes what connects, and counts it.
async fn connections_refused(address: &str, time: Duration) -> usize {
    let listener = TcpListener::bind(address).await.unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let refuse = async {
        while listener.accept().await.is_ok() {
            count.fetch_add(1, Ordering::Relaxed);
        }
    };
    let _ = tokio::time::timeout(time, refuse).await;
    count.load(Ordering::Relaxed)
}
