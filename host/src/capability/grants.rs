//! Which requests a component may make: by method, the shape of the path, its query.
//!
//! Only reading the configured index is granted. Small and pure, so that a reviewer can
//! read it whole; what is not listed is denied.

/// The requests that one source may make.
#[derive(Debug, Clone)]
pub struct Grants {
    index: String,
}

/// Query parameters that only shape how an answer is read. `source` is not among them: it
/// would carry a body past the checks.
const PARAMETERS: [&str; 16] = [
    "allow_no_indices",
    "allow_partial_pit_creation",
    "allow_partial_search_results",
    "expand_wildcards",
    "fields",
    "filter_path",
    "flat_settings",
    "ignore_unavailable",
    "include_defaults",
    "include_unmapped",
    "keep_alive",
    "preference",
    "request_cache",
    "routing",
    "scroll",
    "track_total_hits",
];

impl Grants {
    /// Reading of an index expression, as it is configured.
    pub fn reading(index: impl Into<String>) -> Self {
        Self {
            index: index.into(),
        }
    }

    /// Whether the request may be sent. A search that names no index reads what its point
    /// in time holds, and must have one.
    pub fn allow(&self, method: &str, path: &str, body: Option<&[u8]>) -> bool {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let Some(segments) = segments(path) else {
            return false;
        };
        let segments: Vec<_> = segments.iter().map(String::as_str).collect();
        query_is_known(query)
            && self.allows_path(method, &segments)
            && (segments != ["_search"] || names_pit(body))
    }

    fn allows_path(&self, method: &str, segments: &[&str]) -> bool {
        match (method, segments) {
            ("GET", [""]) => true,
            ("GET" | "POST", ["_search"] | ["_search", "scroll"]) => true,
            ("DELETE", ["_pit"] | ["_search", "point_in_time" | "scroll"]) => true,
            ("GET" | "POST", [index, "_search" | "_count" | "_field_caps"]) => *index == self.index,
            ("POST", [index, "_pit"] | [index, "_search", "point_in_time"]) => *index == self.index,
            ("GET", [index, "_mapping" | "_settings"] | [index, "_settings", _]) => {
                *index == self.index
            }
            ("GET", [index, "_mapping", "field", _]) => *index == self.index,
            _ => false,
        }
    }
}

/// The decoded segments of a path that means the same to every server and proxy.
fn segments(path: &str) -> Option<Vec<String>> {
    let path = path.strip_prefix('/')?;
    let printable = path
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'#' | b';'));
    let segments = path.split('/').map(decode).collect::<Option<Vec<_>>>()?;
    let plain = |segment: &String| {
        !matches!(segment.as_str(), "." | "..") && !segment.contains(['/', '\\', '%', '?', '#'])
    };
    (printable && segments.iter().all(plain)).then_some(segments)
}

fn decode(segment: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(segment.len());
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => hex(bytes.next()?)? << 4 | hex(bytes.next()?)?,
            other => other,
        });
    }
    String::from_utf8(decoded)
        .ok()
        .filter(|text| !text.contains(char::is_control))
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

fn query_is_known(query: &str) -> bool {
    let plain = query
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'#');
    let mut names = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split('=').next().unwrap_or(pair));
    plain && names.all(|name| PARAMETERS.contains(&name))
}

fn names_pit(body: Option<&[u8]>) -> bool {
    #[derive(serde::Deserialize)]
    struct Search {
        pit: Pit,
    }
    #[derive(serde::Deserialize)]
    struct Pit {
        id: String,
    }
    body.and_then(|body| serde_json::from_slice::<Search>(body).ok())
        .is_some_and(|search| !search.pit.id.is_empty())
}

#[cfg(test)]
mod tests {
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
            ("POST", "/logs-*/_count?routing=a%20b&preference=_local"),
            ("GET", "/logs-*/_field_caps?fields=%40timestamp"),
            (
                "GET",
                "/logs-*/_settings/index.refresh_interval?include_defaults=true&flat_settings=true",
            ),
        ];
        for (method, path) in rows {
            assert!(grants.allow(method, path, Some(PIT)), "{method} {path}");
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
            assert!(!grants.allow(method, path, Some(PIT)), "{method} {path}");
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
            assert!(!grants.allow("POST", "/_search", body), "{body:?}");
        }
    }
}
