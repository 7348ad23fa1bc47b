//! What the connector is compared with: a client that downloads the same pages, of the same
//! point in time, in the same order, its slices side by side, and drops them. It looks for
//! nothing but the place where a page ends, as the next one begins there.

use std::sync::Arc;

use anyhow::Context as _;
use bytes::Bytes;
use reqwest::Method;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::node::Node;
use crate::support::report::{Run, Stopwatch};
use crate::support::{Case, Index};

const FIELD: &str = "@timestamp";
/// After every document, as the connector's horizon is.
const HORIZON: &str = "2026-06-01T00:00:00Z";
/// What stands before the place of a hit, its last key.
const SORT: &[u8] = br#""sort":["#;

/// Downloads the whole index.
pub(crate) async fn download(index: &Index<'_>, case: &Case) -> anyhow::Result<Run> {
    let node = Arc::new(Node::at(index.url)?);
    let stopwatch = Stopwatch::start()?;
    let path = format!("/{}/_pit?keep_alive=5m", index.name);
    let pit = node.json(Method::POST, &path, None).await?;
    let pit = pit.get("id").context("no point in time")?;
    let mut slices = JoinSet::new();
    for slice in 0..case.slices {
        slices.spawn(download_slice(
            Arc::clone(&node),
            Search::first(pit, slice, case),
        ));
    }
    let mut documents = 0;
    while let Some(downloaded) = slices.join_next().await {
        documents += downloaded??;
    }
    let body = json!({"id": pit});
    node.json(Method::DELETE, "/_pit", Some(&body)).await?;
    let run = stopwatch.stop(documents)?;
    anyhow::ensure!(documents == index.documents, "{documents} downloaded");
    Ok(run)
}

/// Page by page until one is empty; all before it are full but the last. Returns how many
/// documents the first one counted, once there were pages for all of them.
async fn download_slice(node: Arc<Node>, mut search: Search) -> anyhow::Result<u64> {
    let mut page = search.ask(&node).await?;
    let first: Value = serde_json::from_slice(&page)?;
    search.track_total_hits = false;
    let mut pages = 0;
    while let Some(end) = end_of(&page)? {
        pages += 1;
        search.search_after = Some(end);
        page = search.ask(&node).await?;
    }
    let total = first.pointer("/hits/total/value").and_then(Value::as_u64);
    let (total, size) = (total.context("no total")?, search.size);
    anyhow::ensure!(
        pages == total.div_ceil(size),
        "{pages} pages of {size} for {total} documents"
    );
    Ok(total)
}

/// The connector's search.
#[derive(Serialize)]
struct Search {
    size: u64,
    track_total_hits: bool,
    query: Value,
    pit: Value,
    sort: Value,
    seq_no_primary_term: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    slice: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    search_after: Option<Value>,
}

impl Search {
    /// For the first page of a slice, which counts its documents.
    fn first(pit: &Value, slice: u32, case: &Case) -> Self {
        let range = json!({"lt": HORIZON, "format": "strict_date_optional_time_nanos"});
        let filter = json!([
            {"match_all": {}},
            {"exists": {"field": FIELD}},
            {"range": {FIELD: range}},
        ]);
        let order = json!({"order": "asc", "unmapped_type": "date", "numeric_type": "date"});
        Self {
            size: case.page_size,
            track_total_hits: true,
            query: json!({"bool": {"filter": filter}}),
            pit: json!({"id": pit, "keep_alive": "5m"}),
            sort: json!([{FIELD: order}, {"_seq_no": "asc"}]),
            seq_no_primary_term: true,
            slice: (case.slices > 1)
                .then(|| json!({"id": slice, "max": case.slices, "field": FIELD})),
            search_after: None,
        }
    }

    async fn ask(&self, node: &Node) -> anyhow::Result<Bytes> {
        let path = "/_search?allow_partial_search_results=false";
        let body = serde_json::to_vec(self)?;
        node.ask(Method::POST, path, Some(body)).await
    }
}

/// The place of the last hit, found from behind; none where there is no hit.
fn end_of(page: &[u8]) -> anyhow::Result<Option<Value>> {
    let at = page.windows(SORT.len()).rposition(|bytes| bytes == SORT);
    // With the bracket that opens the array.
    let array = at.and_then(|at| page.get(at + SORT.len() - 1..));
    let mut values = array.map(|array| serde_json::Deserializer::from_slice(array).into_iter());
    Ok(values.as_mut().and_then(Iterator::next).transpose()?)
}
