//! Writes the answer of a search by hand into one buffer, sources untouched.

use std::io::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use super::document::Document;
use super::fields;
use super::index::NO_SEQ_NO;
use super::search::Page;
use super::search_request::{SearchRequest, TrackTotal};

/// What belongs to an answer beside its page.
#[derive(Debug, Default)]
pub(super) struct Frame<'a> {
    pub(super) pit_id: Option<&'a str>,
    pub(super) scroll_id: Option<&'a str>,
    pub(super) took: Duration,
    pub(super) timed_out: bool,
}

/// The whole answer as JSON.
pub(super) fn write(page: &Page, request: &SearchRequest, frame: &Frame<'_>) -> Vec<u8> {
    let mut into = Vec::with_capacity(size(page));
    into.push(b'{');
    for (name, id) in [("_scroll_id", frame.scroll_id), ("pit_id", frame.pit_id)] {
        if let Some(id) = id {
            put(&mut into, format_args!("\"{name}\":\"{id}\","));
        }
    }
    put(
        &mut into,
        format_args!(
            "\"took\":{},\"timed_out\":{},",
            frame.took.as_millis(),
            frame.timed_out
        ),
    );
    put(
        &mut into,
        format_args!("\"_shards\":{},\"hits\":{{", shards(page)),
    );
    if let TrackTotal::UpTo(most) = request.total {
        let relation = if page.total > most { "gte" } else { "eq" };
        let value = page.total.min(most);
        put(
            &mut into,
            format_args!("\"total\":{{\"value\":{value},\"relation\":\"{relation}\"}},"),
        );
    }
    put(
        &mut into,
        format_args!("\"max_score\":{},\"hits\":[", max_score(page, request)),
    );
    for (number, position) in page.positions.iter().enumerate() {
        if number > 0 {
            into.push(b',');
        }
        hit(page, request, *position, &mut into);
    }
    into.extend_from_slice(b"]}");
    // As a server does that was asked for shards that are not there.
    if !page.aggregations.is_empty() && page.view.shards() > 0 {
        put(
            &mut into,
            format_args!(",\"aggregations\":{}", json!(page.aggregations)),
        );
    }
    into.push(b'}');
    into
}

/// The `_shards` of an answer.
pub(super) fn shards(page: &Page) -> Value {
    let total = page.view.shards();
    let failed: usize = page.failures.iter().map(|failure| failure.shards).sum();
    let mut shards = json!({"total": total, "successful": total - failed.min(total), "skipped": 0, "failed": failed});
    if let (false, Some(fields)) = (page.failures.is_empty(), shards.as_object_mut()) {
        fields.insert(
            "failures".into(),
            page.failures
                .iter()
                .map(super::error::ShardFailure::json)
                .collect(),
        );
    }
    shards
}

fn put(into: &mut Vec<u8>, arguments: std::fmt::Arguments<'_>) {
    // Writing to memory cannot fail.
    let _ = into.write_fmt(arguments);
}

fn quoted(into: &mut Vec<u8>, text: &str) {
    // Neither can this.
    let _ = serde_json::to_writer(into, text);
}

fn max_score(page: &Page, request: &SearchRequest) -> &'static str {
    match (
        page.view.shards(),
        page.positions.is_empty() || !request.sort.is_empty(),
    ) {
        (0, _) => "0.0",
        (_, true) => "null",
        (_, false) => "1.0",
    }
}

fn documents(page: &Page) -> impl Iterator<Item = &Document> {
    let order = page.order.as_deref();
    let places = page
        .positions
        .iter()
        .filter_map(move |position| order?.places.get(*position));
    places
        .filter_map(|place| page.view.document(*place))
        .map(|document| &**document)
}

/// About how many bytes the answer will have.
fn size(page: &Page) -> usize {
    1_024
        + documents(page)
            .map(|document| 300 + document.source.len())
            .sum::<usize>()
}

fn hit(page: &Page, request: &SearchRequest, position: usize, into: &mut Vec<u8>) {
    let place = page
        .order
        .as_ref()
        .and_then(|order| order.places.get(position))
        .copied();
    let found = place.and_then(|place| Some((place, page.view.entry(place)?)));
    let Some((place, (searcher, _, document))) = found else {
        return;
    };
    into.extend_from_slice(b"{\"_index\":");
    quoted(into, &document.index);
    into.extend_from_slice(b",\"_id\":");
    quoted(into, &document.id);
    if request.version {
        put(into, format_args!(",\"_version\":{}", document.version));
    }
    if request.seq_no_primary_term {
        let searcher = page.view.searchers.get(searcher);
        let (seq_no, term) = match searcher.is_none_or(|searcher| searcher.keeps.seq_nos) {
            true => (document.seq_no, 1),
            false => (NO_SEQ_NO, 0),
        };
        put(
            into,
            format_args!(",\"_seq_no\":{seq_no},\"_primary_term\":{term}"),
        );
    }
    put(
        into,
        format_args!(
            ",\"_score\":{}",
            if request.sort.is_empty() {
                "1.0"
            } else {
                "null"
            }
        ),
    );
    if let Some(routing) = &document.routing {
        into.extend_from_slice(b",\"_routing\":");
        quoted(into, routing);
    }
    if let Some(source) = request.source.of(&document.source) {
        into.extend_from_slice(b",\"_source\":");
        into.extend_from_slice(&source);
    }
    fields(page, request, searcher, document, into);
    if let (Some(order), false) = (&page.order, request.sort.is_empty()) {
        into.extend_from_slice(b",\"sort\":[");
        order.write_values(position, into);
        if page.with_shard_doc {
            put(into, format_args!(",{}", page.view.shard_doc(place)));
        }
        into.push(b']');
    }
    into.push(b'}');
}

fn fields(
    page: &Page,
    request: &SearchRequest,
    searcher: usize,
    document: &Document,
    into: &mut Vec<u8>,
) {
    let Some(searcher) = page.view.searchers.get(searcher) else {
        return;
    };
    let fields = fields::values(&request.fields, &searcher.mapping, document);
    if !fields.is_empty() {
        put(into, format_args!(",\"fields\":{}", json!(fields)));
    }
}
