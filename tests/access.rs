//! Every way into a cluster: credentials, TLS, several hosts, a proxy, headers; and no secret of
//! them anywhere else.

mod guest_memory;
mod headers;
mod hosts;
mod secrets;
mod secured;
mod tls;

use elasticsearch_source::mini_elasticsearch::{
    Credentials, Effect, Fault, MiniElasticsearch, Product, Recorded,
};

use crate::support::sample;
use crate::support::world::World;

/// How many documents there are to read.
const DOCUMENTS: u64 = 20;

fn cluster() -> MiniElasticsearch {
    sample::cluster(Product::Elasticsearch, DOCUMENTS)
}

/// Its only documents, once each.
fn assert_all_there(world: &World) {
    world.assert_holds_exactly(sample::ids(0..DOCUMENTS));
}

/// A header of a request; empty where it has none.
fn header<'a>(request: &'a Recorded, name: &str) -> &'a str {
    let value = request.headers.get(name);
    value.map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn who_may_come_in_reads_with_every_kind_of_credentials() {
    let encoded = "aWQ6a2V5"; // id:key
    let rows = [
        (
            Credentials::basic("reader", "sesame: öffne dich"),
            "username = 'reader'\npassword = 'sesame: öffne dich'",
        ),
        (Credentials::api_key(encoded), "api_key = 'id:key'"),
        (Credentials::api_key(encoded), "api_key = 'aWQ6a2V5'"),
        (Credentials::token("AAEA-_.~+/="), "token = 'AAEA-_.~+/='"),
    ];
    let cluster = cluster();
    for (admitted, keys) in rows {
        cluster.admit(Some(admitted));
        let world = World::reading(cluster.url(), "logs").lines(keys);
        assert_eq!(world.published_once().await, DOCUMENTS, "{keys}");
        cluster.admit(Some(Credentials::token("another")));
        let (failure, _) = world.once().await.unwrap_err();
        let message = failure.to_string();
        let remedy = "check \"username\" and \"password\", \"api_key\", \"token\" or \"aws\"";
        assert!(
            message.contains("401") && message.contains(remedy),
            "{message}"
        );
    }
}

#[tokio::test]
async fn a_secret_that_is_replaced_in_its_file_is_taken_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    let path = file.display();
    type Admit = fn(&str) -> Credentials;
    let rows: [(&str, Admit); 3] = [
        ("username = 'reader'\npassword", |secret| {
            Credentials::basic("reader", secret)
        }),
        ("api_key", Credentials::api_key),
        ("token", Credentials::token),
    ];
    for (key, admit) in rows {
        let cluster = cluster();
        std::fs::write(&file, "old\n").unwrap();
        cluster.admit(Some(admit("old")));
        let world = World::reading(cluster.url(), "logs").lines(&format!("{key} = 'file:{path}'"));
        let source = world.source().await.unwrap();
        assert_eq!(World::run_once(&source).await.unwrap().documents, DOCUMENTS);
        cluster.admit(Some(admit("new")));
        let refused = World::run_once(&source).await.unwrap_err();
        assert!(
            refused.0.to_string().contains("401"),
            "{key}: {}",
            refused.0
        );
        std::fs::write(&file, "new\n").unwrap();
        sample::insert(&cluster, DOCUMENTS..DOCUMENTS + 1);
        assert_eq!(
            World::run_once(&source).await.unwrap().documents,
            1,
            "{key}"
        );
    }
}

#[tokio::test]
async fn every_request_is_signed_for_aws() {
    let cluster = cluster();
    let aws = "aws = { region = 'eu-central-1', access_key_id = 'AKIDEXAMPLE', secret_access_key = 'hunter2', session_token = 'lent' }";
    let world = World::reading(cluster.url(), "logs").lines(aws);
    assert_eq!(world.published_once().await, DOCUMENTS);
    let requests = cluster.requests();
    assert!(requests.len() > 2, "{requests:?}");
    for request in &requests {
        let authorization = header(request, "authorization");
        for part in [
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/",
            "/eu-central-1/es/aws4_request, SignedHeaders=",
            "host;x-amz-content-sha256;x-amz-date;x-amz-security-token, Signature=",
        ] {
            assert!(authorization.contains(part), "{part}: {authorization}");
        }
        assert_eq!(header(request, "x-amz-security-token"), "lent");
        assert_eq!(
            header(request, "x-amz-date").len(),
            "20260102T030405Z".len()
        );
        assert_eq!(header(request, "x-amz-content-sha256").len(), 64);
    }
}

#[tokio::test]
async fn requests_take_the_proxy_that_is_configured_and_no_other() {
    // A server that is asked as a proxy answers itself.
    let proxy = cluster();
    let address = proxy.url().replace("http://", "http://user:hunter2@");
    let world = World::reading("http://cluster.invalid:9200", "logs").key("proxy", &address);
    assert_eq!(world.published_once().await, DOCUMENTS);
    for request in proxy.requests() {
        assert_eq!(header(&request, "host"), "cluster.invalid:9200");
        // user:hunter2
        let expected = "Basic dXNlcjpodW50ZXIy";
        assert_eq!(header(&request, "proxy-authorization"), expected);
    }
    let world = World::reading("http://cluster.invalid:9200", "logs").key("proxy", &address);
    let wants_credentials = Effect::Respond {
        status: 407,
        headers: Vec::new(),
        body: "hunter2 is wrong".to_owned(),
    };
    proxy.inject(Fault::new(wants_credentials).times(100));
    let (failure, _) = world.once().await.unwrap_err();
    let message = failure.to_string();
    assert!(
        message.contains("set user and password in \"proxy\""),
        "{message}"
    );
    assert!(!message.contains("hunter2"), "{message}");
}
