use super::*;

const PIT: &str = r#"{"pit":{"id":"x"}}"#;

/// Reading of an index, in which "x" was opened.
fn reading() -> Grants {
    let grants = Grants::reading("logs-*");
    grants.contexts().remember(br#"{"id":"x"}"#);
    grants
}

#[test]
fn reading_the_configured_index_is_granted() {
    let grants = reading();
    let rows = [
        ("GET", "/", "{}"),
        (
            "POST",
            "/logs-*/_search?allow_partial_search_results=false",
            "{}",
        ),
        ("POST", "/logs-%2A/_search", "{}"),
        ("POST", "/_search?allow_partial_search_results=false", PIT),
        (
            "GET",
            "/_search/scroll",
            r#"{"scroll_id":"x","scroll":"1m"}"#,
        ),
        ("POST", "/_search/scroll", r#"{"scroll_id":"x"}"#),
        ("DELETE", "/_search/scroll", r#"{"scroll_id":["x"]}"#),
        ("POST", "/logs-*/_pit?keep_alive=5m", "{}"),
        (
            "POST",
            "/logs-*/_search/point_in_time?keep_alive=5m&allow_partial_pit_creation=false",
            "{}",
        ),
        (
            "POST",
            "/logs-*/_pit?keep_alive=5m&routing=a,b&preference=_shards:0,2%7C_local",
            "{}",
        ),
        ("DELETE", "/_pit", r#"{"id":"x"}"#),
        ("DELETE", "/_search/point_in_time", r#"{"pit_id":["x"]}"#),
        ("POST", "/logs-*/_count", "{}"),
        (
            "POST",
            "/logs-*/_count?routing=a%20b%3Bc&preference=_local",
            "{}",
        ),
        ("GET", "/logs-*/_field_caps?fields=%40timestamp", "{}"),
        (
            "GET",
            "/logs-*/_settings/index.refresh_interval?include_defaults=true&flat_settings=true",
            "{}",
        ),
    ];
    for (method, path, body) in rows {
        let allowed = grants.allow(method, path, Some(body.as_bytes()));
        assert!(allowed.is_ok(), "{method} {path}: {allowed:?}");
    }
}

#[test]
fn everything_else_is_denied() {
    let grants = reading();
    let rows = [
        ("DELETE", "/logs-*"),
        ("PUT", "/logs-*/_doc/1"),
        ("POST", "/_bulk"),
        ("POST", "/logs-*/_bulk"),
        ("POST", "/logs-*/_update_by_query"),
        ("POST", "/logs-*/_delete_by_query"),
        ("GET", "/_security/user"),
        ("GET", "/secrets/_search"),
        ("GET", "/logs-*,secrets/_search"),
        ("POST", "/secrets/_pit?keep_alive=1m"),
        ("POST", "/secrets/_search/point_in_time?keep_alive=1m"),
        ("POST", "/secrets/_count"),
        ("GET", "/secrets/_mapping"),
        ("GET", "/secrets/_settings"),
        ("GET", "/secrets/_field_caps?fields=x"),
        ("POST", "/logs-*x/_search"),
        (
            "POST",
            "/logs-*/_search?source={}&source_content_type=application/json",
        ),
        ("POST", "/logs-*/_search?preference=a;source={}"),
        ("POST", "/logs-*/_search?;source={}"),
        ("POST", "//logs-*/_search"),
        ("POST", "/logs-*//_search"),
        ("POST", "/logs-*/../secrets/_search"),
        ("POST", "/logs-*/%2e%2e/_search"),
        ("POST", "/secrets%2F_search"),
        ("POST", "/logs-*%2F..%2Fsecrets/_search"),
        ("POST", "/logs-*\\_search"),
        ("POST", "/logs-*/_search#x"),
        ("POST", "/logs-*/_search HTTP/1.1\r\nx: y"),
        ("POST", "/logs-*/_search?a=b\r\nx"),
        ("POST", "http://elsewhere/logs-*/_search"),
        ("POST", "logs-*/_search"),
        ("POST", ""),
        ("GET", "/logs-*/_search/%0d%0a"),
    ];
    for (method, path) in rows {
        let allowed = grants.allow(method, path, Some(PIT.as_bytes()));
        assert!(allowed.is_err(), "{method} {path}");
    }
}

#[test]
fn a_search_of_no_index_needs_a_point_in_time() {
    let grants = Grants::reading("logs-*");
    for body in [
        None,
        Some(&b"{}"[..]),
        Some(b"{\"query\":{\"pit\":{\"id\":\"x\"}}}"),
        Some(b"{\"pit\":{}}"),
    ] {
        let allowed = grants.allow("POST", "/_search", body);
        assert_eq!(allowed, Err(Denied::NoPointInTime), "{body:?}");
    }
}

#[test]
fn no_scroll_and_no_point_in_time_of_somebody_else_is_read_or_closed() {
    let rows = [
        ("POST", "/_search", r#"{"pit":{"id":"y"}}"#),
        ("POST", "/_search", r#"{"pit":{"id":""}}"#),
        ("POST", "/_search/scroll", r#"{"scroll_id":"y"}"#),
        (
            "POST",
            "/_search/scroll?scroll=1m",
            r#"{"scroll_id":["x","y"]}"#,
        ),
        ("DELETE", "/_search/scroll", r#"{"scroll_id":"_all"}"#),
        ("DELETE", "/_search/scroll", r#"{"scroll_id":["_all"]}"#),
        ("DELETE", "/_search/scroll", "{}"),
        ("DELETE", "/_pit", r#"{"id":"y"}"#),
        (
            "DELETE",
            "/_search/point_in_time",
            r#"{"pit_id":["x","_all"]}"#,
        ),
    ];
    for (method, path, body) in rows {
        let denied = reading().allow(method, path, Some(body.as_bytes()));
        assert_eq!(denied, Err(Denied::NotItsOwn), "{method} {path} {body}");
    }
}

#[test]
fn an_answer_that_opens_or_goes_on_is_looked_at_and_no_other() {
    let rows = [
        ("POST", "/logs-*/_search?scroll=1m", Granted::WithContext),
        ("POST", "/logs-*/_pit?keep_alive=1m", Granted::WithContext),
        (
            "POST",
            "/logs-*/_search/point_in_time?keep_alive=1m",
            Granted::WithContext,
        ),
        ("POST", "/_search", Granted::WithContext),
        ("POST", "/logs-*/_search", Granted::Plain),
        ("POST", "/logs-*/_count", Granted::Plain),
        ("GET", "/logs-*/_source/1", Granted::Plain),
    ];
    let shape = "GET /{index}/_source/*".parse().unwrap();
    let grants = reading().and(true, &[shape]);
    for (method, path, expected) in rows {
        let granted = grants.allow(method, path, Some(PIT.as_bytes()));
        assert_eq!(granted, Ok(expected), "{method} {path}");
    }
}

#[test]
fn a_body_that_looks_something_up_elsewhere_or_has_a_script_is_denied_unless_it_is_configured() {
    let rows = [
        (
            r#"{"query":{"terms":{"f":{"index":"secret","id":"1","path":"p"}}}}"#,
            "\"index\": \"secret\" in its body, which may read another index",
        ),
        (
            r#"{"query":{"script":{"script":"while(true){}"}}}"#,
            "\"script\": \"while(true){}\" in its body, which the cluster would run",
        ),
    ];
    for (body, words) in rows {
        let config = serde_json::from_str(body).unwrap();
        for endpoint in ["_search", "_count", "_pit"] {
            let path = format!("/logs-*/{endpoint}");
            let allow = |grants: Grants| grants.allow("POST", &path, Some(body.as_bytes()));
            let denied = allow(reading()).unwrap_err().to_string();
            assert!(denied.contains(words), "{denied}");
            assert!(allow(reading().configured(&config)).is_ok());
            let shape = format!("POST /{{index}}/{endpoint}").parse().unwrap();
            assert!(allow(reading().and(true, &[shape])).is_ok());
        }
    }
    let nothing = reading().allow("POST", "/logs-*/_search", Some(b"query: {}"));
    assert_eq!(nothing, Err(Denied::NoJson));
}

#[test]
fn a_body_that_is_too_large_to_be_looked_into_is_denied() {
    let grants = reading().and(true, &["POST /{index}/_doc".parse().unwrap()]);
    let body = |length: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(length - 8));
    let (fits, large) = (body(BODY_MAX), body(BODY_MAX + 1));
    let rows = [
        ("/logs-*/_search", &fits, Ok(Granted::Plain)),
        ("/logs-*/_search", &large, Err(Denied::TooLarge)),
        ("/_search/scroll", &large, Err(Denied::TooLarge)),
        ("/logs-*/_doc", &large, Ok(Granted::Plain)),
    ];
    for (path, body, expected) in rows {
        let granted = grants.allow("POST", path, Some(body.as_bytes()));
        assert_eq!(granted, expected, "{path} {}", body.len());
    }
}

#[test]
fn what_is_added_is_granted_and_nothing_beside_it() {
    let shapes = [
        "GET /_cat/indices?format",
        "HEAD /{index}/_doc/*",
        "POST /_search",
    ];
    let shapes = shapes.map(|shape| shape.parse().unwrap());
    let grants = Grants::reading("logs-*").and(true, &shapes);
    let rows = [
        ("GET", "/_cat/indices", true),
        ("GET", "/_cat/indices?format=json&filter_path=a", true),
        ("GET", "/_cat/indices?format=json&h=index", false),
        ("GET", "/_cat/indices?source={}", false),
        ("GET", "/_cat/indices/x", false),
        ("GET", "/_cat", false),
        ("GET", "/_cat/indices/", false),
        ("GET", "/_cat/%69ndices", true),
        ("GET", "/_cat/../_cat/indices", false),
        ("POST", "/_cat/indices", false),
        ("HEAD", "/logs-*/_doc/1", true),
        ("HEAD", "/logs-*/_doc/_bulk", false),
        ("HEAD", "/logs-*/_doc/", false),
        ("HEAD", "/secrets/_doc/1", false),
        ("HEAD", "/logs-*2/_doc/1", false),
        ("HEAD", "/logs-/_doc/1", false),
        ("HEAD", "/logs-*/_doc/1%2F..%2F2", false),
        ("GET", "/logs-*/_doc/1", false),
        ("POST", "/_search", true),
        ("POST", "/_search?index=secrets", false),
        ("GET", "/logs-*/_mapping", true),
    ];
    for (method, path, allowed) in rows {
        let granted = grants.allow(method, path, None);
        assert_eq!(granted.is_ok(), allowed, "{method} {path}: {granted:?}");
    }
    let nothing = Grants::reading("logs-*").and(false, &[]);
    for (method, path) in [("GET", "/"), ("POST", "/logs-*/_search")] {
        assert!(
            nothing.allow(method, path, None).is_err(),
            "{method} {path}"
        );
    }
}

#[test]
fn a_denial_names_the_grant_that_is_missing_and_that_grant_allows_it() {
    let rows = [
        (
            "GET",
            "/_cat/indices?format=json&h=i",
            "GET /_cat/indices?format&h",
        ),
        ("DELETE", "/logs-%2A", "DELETE /{index}"),
        ("GET", "/logs-*/_doc/a%20b", "GET /{index}/_doc/*"),
        ("GET", "/secrets/_search", "GET /secrets/_search"),
    ];
    for (method, path, shape) in rows {
        let reading = Grants::reading("logs-*");
        let shape: Shape = shape.parse().unwrap();
        let denied = reading.allow(method, path, None);
        assert_eq!(denied, Err(Denied::Missing(shape.clone())), "{path}");
        assert_eq!(
            reading.and(true, &[shape]).allow(method, path, None),
            Ok(Granted::Plain)
        );
    }
    for path in [
        "/a%20b/_search",
        "/a//b",
        "/a/../b",
        "/_cat?a=b c",
        "/_cat?a;b",
        "x",
    ] {
        let denied = Grants::reading("logs-*").allow("GET", path, None);
        assert_eq!(denied, Err(Denied::Strange), "{path}");
    }
}
