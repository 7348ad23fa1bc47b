//! What reaches the cluster, and what the host keeps of its answers.

use super::{attacker, cluster, json, remedy, stopped, told};
use crate::support::sample;

#[tokio::test(flavor = "multi_thread")]
async fn no_request_leaves_its_grants_and_none_of_these_is_sent() {
    let cluster = cluster();
    let grant = "is not granted: if this component may do that, write http = [";
    let never = "is not granted, and no grant allows such a request";
    let rows = [
        ("DELETE", "/logs", "", "", grant),
        (
            "POST",
            "/_bulk",
            "",
            r#"{"delete":{"_index":"logs","_id":"d1"}}"#,
            grant,
        ),
        ("POST", "/logs/_bulk", "", "", grant),
        (
            "POST",
            "/logs/_delete_by_query",
            "",
            r#"{"query":{"match_all":{}}}"#,
            grant,
        ),
        ("GET", "/_security/user", "", "", grant),
        ("PUT", "/_cluster/settings", "", "{}", grant),
        ("GET", "/secrets/_search", "", "", grant),
        ("POST", "/logs,secrets/_search", "", "{}", grant),
        (
            "POST",
            "/_search",
            "",
            r#"{"query":{"match_all":{}}}"#,
            "without an index",
        ),
        (
            "POST",
            "/_search",
            "",
            r#"{"pit":{"id":"of somebody else"}}"#,
            "no answer to this source named",
        ),
        (
            "POST",
            "/_search/scroll",
            "",
            r#"{"scroll_id":"of somebody else"}"#,
            "no answer to this source named",
        ),
        (
            "DELETE",
            "/_search/scroll",
            "",
            r#"{"scroll_id":["_all"]}"#,
            "no answer to this source named",
        ),
        (
            "DELETE",
            "/_pit",
            "",
            r#"{"id":"of somebody else"}"#,
            "no answer to this source named",
        ),
        (
            "POST",
            "/logs/_search",
            "",
            r#"{"query":{"terms":{"f":{"index":"secrets","id":"1","path":"p"}}}}"#,
            "which may read another index",
        ),
        (
            "POST",
            "/logs/_search",
            "",
            r#"{"script_fields":{"a":{"script":"while(true){}"}}}"#,
            "which the cluster would run",
        ),
        (
            "POST",
            "/logs/_count",
            "",
            "query: {match_all: {}}",
            "no json",
        ),
        ("GET", "//elsewhere.example/x", "", "", never),
        (
            "GET",
            "http://elsewhere.example/logs/_search",
            "",
            "",
            never,
        ),
        ("GET", "@elsewhere.example/logs/_search", "", "", never),
        ("GET", "/logs/../secrets/_search", "", "", never),
        ("GET", "/..", "", "", never),
        ("GET", "/logs/%2e%2e/secrets/_search", "", "", never),
        ("GET", "/logs%2f..%2fsecrets/_search", "", "", never),
        ("GET", "/logs/_search\r\nx: y", "", "", never),
        ("GET", "/logs/_search?a\r\nx: y", "", "", never),
        ("GET", "/logs/_search?source={}", "", "", grant),
        ("GET", "/logs/_search?preference=a;source={}", "", "", never),
        (
            "GET",
            "/",
            "authorization",
            "Basic eDp5",
            "not a component's to set",
        ),
        (
            "GET",
            "/",
            "Host",
            "elsewhere.example",
            "not a component's to set",
        ),
        ("GET", "/", "x\r\ny", "z", "not a component's to set"),
        (
            "GET",
            "/",
            "Accept",
            "a\r\nauthorization: b",
            "no line of up to 1024",
        ),
        (
            "GET",
            "/",
            "content-type",
            "\u{1b}",
            "no line of up to 1024",
        ),
    ];
    for (method, path, header, text, words) in rows {
        cluster.clear_requests();
        let world = attacker(&cluster, "poll", "ask")
            .key("method", method)
            .raw("path", &json(path))
            .raw("header", &json(header))
            .raw("text", &json(text));
        let message = told(&world).await;
        assert!(
            message.contains("Denied(") && message.contains(words),
            "{path}: {message}"
        );
        assert_eq!(cluster.requests().len(), 0, "{method} {path}");
    }
    assert_eq!(cluster.count("logs"), 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_is_longer_than_a_server_would_read() {
    let cluster = cluster();
    let ask = || attacker(&cluster, "poll", "ask").key("method", "GET");
    let rows = [
        (
            ask()
                .key("path", "/logs/_search?routing=")
                .raw("bytes", "20000"),
            "its path is longer than 16384 bytes",
        ),
        (
            ask()
                .key("path", "/")
                .key("header", "accept")
                .raw("bytes", "2000"),
            "no line of up to 1024",
        ),
    ];
    for (world, words) in rows {
        cluster.clear_requests();
        let message = told(&world).await;
        assert!(message.contains(words), "{message}");
        assert_eq!(cluster.requests().len(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_has_each_of_its_headers_once() {
    let cluster = cluster();
    let rows = [
        (1, "answered with 200"),
        (2, "its header \\\"x-opaque-id\\\" is there twice"),
        (10_000, "it has 10000 headers, and 3 at most"),
    ];
    for (count, words) in rows {
        cluster.clear_requests();
        let world = attacker(&cluster, "poll", "headers")
            .key("header", "x-opaque-id")
            .raw("count", &count.to_string())
            .raw("bytes", "1000")
            .limits("guest_time = \"10s\"");
        let message = told(&world).await;
        assert!(message.contains(words), "{message}");
        assert_eq!(cluster.requests().is_empty(), count > 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_without_bound_end_with_requests() {
    let cluster = cluster();
    let world = attacker(&cluster, "poll", "outstanding")
        .key("path", "/logs/_search")
        .raw("count", "1000")
        .limits("requests = 8");
    let message = stopped(&world).await;
    let words = format!(
        "it has more than 8 requests under way at once: {}",
        remedy("requests")
    );
    assert!(message.contains(&words), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_kept_end_with_held_bytes_or_handles() {
    let cluster = sample::cluster(
        elasticsearch_source::mini_elasticsearch::Product::Elasticsearch,
        10_000,
    );
    let world = |path: &str, limits: &str| {
        attacker(&cluster, "poll", "bodies")
            .key("path", path)
            .raw("count", "100000")
            .key("max_response_bytes", "1MiB")
            .limits(limits)
    };
    let path = "/logs/_search";
    let rows = [
        (
            world(path, "held_bytes = \"1MiB\"\nhandles = 10000"),
            "it has the host hold more than 1MiB",
            "held_bytes",
        ),
        (
            world(path, "handles = 50"),
            "it holds on to more than 50 requests, bodies and publishes",
            "handles",
        ),
    ];
    for (world, words, key) in rows {
        let message = stopped(&world).await;
        assert!(
            message.contains(words) && message.contains(&remedy(key)),
            "{message}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn handles_that_are_dropped_forged_confused_or_used_twice_end_the_instance() {
    let cluster = cluster();
    let rows = [
        ("dropped", "handle"),
        ("forged", "handle"),
        ("confused", "handle"),
        ("twice", "a request was waited for twice"),
    ];
    for (attack, words) in rows {
        let message = stopped(&attacker(&cluster, "poll", attack)).await;
        assert!(message.contains(words), "{attack}: {message}");
    }
}
