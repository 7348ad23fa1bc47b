//! Every request that the source makes: reading, and nothing else.

use serde_json::{Value, json};

use crate::cluster::product::Product;
use crate::cluster::query::Selection;
use crate::key::Key;

/// How long a point in time outlives the last request that used it.
const KEEP_ALIVE: &str = "5m";

/// HTTP methods in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Read.
    Get,
    /// Search.
    Post,
    /// Close a point in time.
    Delete,
}

/// A request to the configured cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path below the cluster's address, with its query.
    pub path: String,
    /// The JSON body, if any.
    pub body: Option<Value>,
}

impl Request {
    fn get(path: String) -> Self {
        Self {
            method: Method::Get,
            path,
            body: None,
        }
    }

    fn post(path: String, body: Value) -> Self {
        Self {
            method: Method::Post,
            path,
            body: Some(body),
        }
    }

    /// Whether it searches a point in time: then no index is named.
    pub fn in_pit(&self) -> bool {
        self.path.starts_with("/_search?")
    }

    /// Which server is it?
    pub fn root() -> Self {
        Self::get("/".to_owned())
    }

    /// How is this field mapped, and the objects it lies in?
    pub fn field_caps(index: &str, field: &str) -> Self {
        let parents = field
            .match_indices('.')
            .filter_map(|(at, _)| field.get(..at));
        let fields: Vec<_> = parents.chain([field]).map(encode).collect();
        Self::get(format!(
            "/{}/_field_caps?fields={}",
            encode(index),
            fields.join(",")
        ))
    }

    /// How often do the indices refresh?
    pub fn refresh_interval(index: &str) -> Self {
        let index = encode(index);
        Self::get(format!(
            "/{index}/_settings/index.refresh_interval?include_defaults=true&flat_settings=true"
        ))
    }

    /// How many documents does the index hold?
    pub fn count_all(index: &str) -> Self {
        Self::post(
            format!("/{}/_count", encode(index)),
            json!({"query": {"match_all": {}}}),
        )
    }

    /// How many documents does this select?
    pub fn count(index: &str, query: Value) -> Self {
        Self::post(
            format!("/{}/_count", encode(index)),
            json!({"query": query}),
        )
    }

    /// Opens a point in time.
    pub fn open_pit(product: Product, index: &str) -> Self {
        let index = encode(index);
        let path = match product {
            Product::Elasticsearch => format!("/{index}/_pit?keep_alive={KEEP_ALIVE}"),
            Product::OpenSearch => {
                format!(
                    "/{index}/_search/point_in_time?keep_alive={KEEP_ALIVE}&allow_partial_pit_creation=false"
                )
            }
        };
        Self {
            method: Method::Post,
            path,
            body: None,
        }
    }

    /// Closes a point in time.
    pub fn close_pit(product: Product, pit: &str) -> Self {
        let (path, body) = match product {
            Product::Elasticsearch => ("/_pit", json!({"id": pit})),
            Product::OpenSearch => ("/_search/point_in_time", json!({"pit_id": [pit]})),
        };
        Self {
            method: Method::Delete,
            path: path.to_owned(),
            body: Some(body),
        }
    }

    /// A page, or with `size: 0` a count of the same point in time.
    pub fn search(search: &Search<'_>) -> Self {
        let path = match search.pit {
            Some(_) => "/_search?allow_partial_search_results=false".to_owned(),
            None => {
                let index = encode(&search.selection.config.index);
                format!("/{index}/_search?allow_partial_search_results=false")
            }
        };
        Self::post(path, search.body())
    }
}

/// One search.
#[derive(Debug, Clone)]
pub struct Search<'a> {
    /// What to read.
    pub selection: Selection<'a>,
    /// None: of the index as it is now.
    pub pit: Option<&'a str>,
    /// Where the segment begins.
    pub from: Key,
    /// Where it ends.
    pub to: Key,
    /// The page before this one ended here; its edge is asked for again.
    pub after: Option<Key>,
    /// Hits in the page; 0 for a count.
    pub size: u64,
    /// Whether the total is wanted, which costs on every page.
    pub count: bool,
    /// OpenSearch needs a workaround; what is not known to be Elasticsearch gets it too.
    pub product: Option<Product>,
}

impl Search<'_> {
    fn body(&self) -> Value {
        let mut body = json!({
            "size": self.size,
            "track_total_hits": self.count,
            "query": self.selection.between(self.from, self.to),
        });
        if let Some(pit) = self.pit {
            set(
                &mut body,
                "pit",
                json!({"id": pit, "keep_alive": KEEP_ALIVE}),
            );
        }
        if self.size > 0 {
            set(
                &mut body,
                "sort",
                json!([self.timestamp_sort(), {"_seq_no": "asc"}]),
            );
            set(&mut body, "seq_no_primary_term", json!(true));
        }
        if let Some(Key { timestamp, seq_no }) = self.after {
            // One less: documents of other shards may share the last place of a page.
            set(&mut body, "search_after", json!([timestamp, seq_no - 1]));
        }
        body
    }

    /// `numeric_type` fixes the unit, whatever an index that joins the pattern maps.
    ///
    /// `missing` does nothing for documents that have the field, and only such are
    /// selected. But it keeps OpenSearch (2.19, 3.6, 3.8) from skipping documents of
    /// dense `date_nanos` timestamps over several shards.
    fn timestamp_sort(&self) -> Value {
        let unit = self.selection.unit;
        let mut order =
            json!({"order": "asc", "unmapped_type": "date", "numeric_type": unit.numeric_type()});
        if self.product != Some(Product::Elasticsearch) {
            set(&mut order, "missing", json!("_first"));
        }
        json!({&self.selection.config.timestamp_field: order})
    }
}

fn set(object: &mut Value, key: &str, value: Value) {
    if let Value::Object(keys) = object {
        keys.insert(key.to_owned(), value);
    }
}

/// Percent-encodes what may not stand in a path as it is; index expressions with date
/// math (`<logs-{now/d}>`) need it.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z'
            | b'A'..=b'Z'
            | b'0'..=b'9'
            | b'-'
            | b'_'
            | b'.'
            | b'*'
            | b','
            | b'@'
            | b':' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}
