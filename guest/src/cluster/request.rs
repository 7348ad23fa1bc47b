//! Every request that the source makes: reading, and nothing else.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::cluster::path::{encode, shards};
use crate::cluster::product::Product;
use crate::cluster::query::Selection;
use crate::cluster::search::Search;
use crate::cluster::shards::Slice;
use crate::config::Config;
use crate::key::Key;
use crate::paging::context::Within;
use crate::paging::late::Look;

/// How long a point in time outlives the last request that used it.
const KEEP_ALIVE: &str = "5m";
/// What the minutes of the reach begin with.
pub(super) const REACH: &str = "r";
/// An answer has the part of every shard, or it is an error.
const WHOLE: &str = "allow_partial_search_results=false";

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

    /// Whether it searches, and is answered by a page.
    pub fn is_search(&self) -> bool {
        self.path.contains("/_search?")
    }

    /// Which server is it?
    pub fn root() -> Self {
        Self::get("/".to_owned())
    }

    /// How are these fields mapped, and the objects they lie in?
    pub fn field_caps<'a>(index: &str, fields: impl IntoIterator<Item = &'a str>) -> Self {
        let with_parents = |field: &'a str| {
            let ends = field.match_indices('.').map(|(at, _)| at);
            ends.chain([field.len()]).filter_map(|end| field.get(..end))
        };
        let fields: BTreeSet<_> = fields.into_iter().flat_map(with_parents).collect();
        let fields: Vec<_> = fields.into_iter().map(encode).collect();
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

    /// How many documents does this select? Where the query may name fields that the cluster
    /// computes it is a search, as `_count` knows none.
    pub fn count(config: &Config, slice: Slice, query: Value) -> Self {
        if config.runtime_mappings.is_some() {
            let body = json!({"size": 0, "track_total_hits": true, "query": query});
            return Self::searching(config, slice, Within::Index, body);
        }
        let shards = shards(config, slice).replacen('&', "?", 1);
        Self::post(
            format!("/{}/_count{shards}", encode(&config.index)),
            json!({"query": query}),
        )
    }

    /// A search with the fields that the source defines, in a point in time or in the shards
    /// that are asked.
    fn searching(config: &Config, slice: Slice, within: Within<'_>, mut body: Value) -> Self {
        if let Some(mappings) = &config.runtime_mappings {
            set(&mut body, "runtime_mappings", mappings.clone());
        }
        let shards = format!(
            "/{}/_search?{WHOLE}{}",
            encode(&config.index),
            shards(config, slice)
        );
        let path = match within {
            Within::Index => shards,
            Within::NewScroll => format!("{shards}&scroll={}ms", config.scroll_timeout_ms),
            Within::Pit(id) => {
                set(
                    &mut body,
                    "pit",
                    json!({"id": id, "keep_alive": KEEP_ALIVE}),
                );
                format!("/_search?{WHOLE}")
            }
        };
        Self::post(path, body)
    }

    /// Opens a point in time, of the shards that are asked.
    pub fn open_pit(product: Product, config: &Config, slice: Slice) -> Self {
        let (index, shards) = (encode(&config.index), shards(config, slice));
        let path = match product {
            Product::Elasticsearch => format!("/{index}/_pit?keep_alive={KEEP_ALIVE}{shards}"),
            Product::OpenSearch => {
                format!(
                    "/{index}/_search/point_in_time?keep_alive={KEEP_ALIVE}&allow_partial_pit_creation=false{shards}"
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
        Self::searching(
            search.selection.config,
            search.slice,
            search.within,
            search.body(),
        )
    }

    /// The next page of a scroll, which moves on, whether the answer arrives or not.
    pub fn next_of_scroll(id: &str, config: &Config) -> Self {
        let keep = format!("{}ms", config.scroll_timeout_ms);
        Self::post(
            "/_search/scroll".to_owned(),
            json!({"scroll": keep, "scroll_id": id}),
        )
    }

    /// Closes a scroll.
    pub fn close_scroll(id: &str) -> Self {
        Self {
            method: Method::Delete,
            path: "/_search/scroll".to_owned(),
            body: Some(json!({"scroll_id": [id]})),
        }
    }

    /// Which value is the largest?
    pub fn largest(selection: Selection<'_>, slice: Slice) -> Self {
        let order = |field: &str, kind: &str| match field.starts_with('_') {
            true => json!({field: "desc"}),
            // Of several values the smallest counts, as in pages.
            false => json!({field: {"order": "desc", "mode": "min", "unmapped_type": kind}}),
        };
        let config = selection.config;
        let kind = selection.unit.unmapped_type();
        let body = json!({
            "size": 1,
            "track_total_hits": false,
            "query": selection.all(),
            "sort": [order(config.order(), kind), order(config.tiebreaker(), "long")],
            "seq_no_primary_term": true,
            "_source": false,
        });
        Self::searching(config, slice, Within::Index, body)
    }

    /// How many documents are there in the reach of the edge, and in each minute before it? All
    /// minutes before `each_from` are counted as one, which is the first. Each document has one
    /// `_index`, while a `doc_count` is larger where one stands for several (`_doc_count`).
    pub fn look(selection: Selection<'_>, slice: Slice, look: &Look, each_from: i64) -> Self {
        let unit = selection.unit;
        let (begin, end) = &look.reach;
        let before = (Key::at(look.from.clone()), begin.group());
        let first = unit.minute(&look.from);
        let minutes = by_minute(selection, &before, (first, each_from), "");
        let reach = by_minute(selection, &look.reach, (look.first, look.each_from), REACH);
        let filters: Map<_, _> = minutes.into_iter().chain(reach).collect();
        let body = json!({
            "size": 0,
            "track_total_hits": false,
            "query": selection.between(&before.0, end.max(begin)),
            "aggs": {"minutes": {
                "filters": {"filters": filters},
                "aggs": {"documents": {"value_count": {"field": "_index"}}},
            }},
        });
        Self::searching(selection.config, slice, Within::Index, body)
    }
}

/// A filter for each minute between two places, and one for all before `each_from`, by its name.
fn by_minute(
    selection: Selection<'_>,
    (from, to): &(Key, Key),
    (first, each_from): (i64, i64),
    prefix: &str,
) -> Vec<(String, Value)> {
    let unit = selection.unit;
    let last = unit.minute(&to.point);
    let each_from = each_from.clamp(first.saturating_add(1), last.max(first).saturating_add(1));
    let begin = |minute| Key::at(unit.begin_of_minute(minute)).max(from.clone());
    let begins = std::iter::once((first, from.clone()));
    let begins = begins.chain((each_from..=last).map(|minute| (minute, begin(minute))));
    let begins: Vec<_> = begins.filter(|(_, begin)| begin < to).collect();
    let ends = begins.iter().skip(1).map(|(_, begin)| begin).chain([to]);
    let minutes = begins.iter().zip(ends);
    let minutes = minutes.map(|((minute, begin), end)| {
        let name = format!("{prefix}{minute}");
        (name, selection.within(begin, end))
    });
    minutes.collect()
}

pub(super) fn set(object: &mut Value, key: &str, value: Value) {
    if let Value::Object(keys) = object {
        keys.insert(key.to_owned(), value);
    }
}
