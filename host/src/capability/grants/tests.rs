use super::*;

const PIT: &[u8] = br#"{"pit":{"id":"x"}}"#;

#[test]
fn reading_the_configured_index_is_granted() {
    let grants = Grants::reading("logs-*");
    let rows = [
        ("GET", "/"),
        ("POST", "/logs-*/_search?allow_partial_search_results=false"),
        ("POST", "/logs-%2A/_search"),
        ("POST", "/_search?allow_partial_search_results=false"),
        ("POST", "/logs-*/_pit?keep_alive=5m"),
        (
            "POST",
            "/logs-*/_search/point_in_time?keep_alive=5m&allow_partial_pit_creation=false",
        ),
        (
            "POST",
            "/logs-*/_pit?keep_alive=5m&routing=a,b&preference=_shards:0,2%7C_local",
        ),
        ("DELETE", "/_pit"),
        ("DELETE", "/_search/point_in_time"),
        ("POST", "/logs-*/_count"),
        ("POST", "/logs-*/_count?routing=a%20b%3Bc&preference=_local"),
        ("GET", "/logs-*/_field_caps?fields=%40timestamp"),
        (
            "GET",
            "/logs-*/_settings/index.refresh_interval?include_defaults=true&flat_settings=true",
        ),
    ];
    for (method, path) in rows {
        let allowed = grants.allow(method, path, Some(PIT));
        assert_eq!(allowed, Ok(()), "{method} {path}");
    }
}

#[test]
fn everything_else_is_denied() {
    let grants = Grants::reading("logs-*");
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
        let allowed = grants.allow(method, path, Some(PIT));
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
        Some(b"{\"pit\":{\"id\":\"\"}}"),
    ] {
        let allowed = grants.allow("POST", "/_search", body);
        assert_eq!(allowed, Err(Denied::NoPointInTime), "{body:?}");
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
            Ok(())
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
