//! Opening and closing of points in time, in the way of each product.

use serde_json::{Value, json};

use super::Product;
use super::api::{Reply, Server};
use super::call::Call;
use super::contexts::parse_keep_alive;
use super::error::{ApiError, Cause};
use super::indexing::text;
use super::search_api::no_context;
use super::search_request::json_object;

/// Opens a point in time.
pub(super) fn open_pit(
    server: &Server,
    call: &Call,
    index: Option<&str>,
) -> Result<Reply, ApiError> {
    let missing = match server.product {
        Product::Elasticsearch => "[keep_alive] is not specified",
        Product::OpenSearch => "keep alive not specified",
    };
    let keep_alive = call
        .params
        .get("keep_alive")
        .ok_or_else(|| Cause::validation(missing))?;
    let keep_alive = parse_keep_alive(keep_alive, "keep_alive")?;
    let mut cluster = server.cluster();
    let names = cluster.resolve(call.expression(index))?;
    let view = cluster.view_of(&names, &call.params);
    let total = view.shards();
    let shards = json!({"total": total, "successful": total, "skipped": 0, "failed": 0});
    match server.product {
        Product::OpenSearch if total == 0 => Err(Cause::argument("invalid id: [null]").into()),
        Product::OpenSearch => {
            let id = cluster.pits.open(view, total, keep_alive)?;
            let now = crate::clock::now_ms();
            Ok(Reply::json(
                200,
                &json!({"pit_id": id, "_shards": shards, "creation_time": now}),
            ))
        }
        Product::Elasticsearch => {
            let id = cluster.pits.open(view, total, keep_alive)?;
            Ok(Reply::json(200, &json!({"id": id, "_shards": shards})))
        }
    }
}

/// Closes points in time.
pub(super) fn close_pit(server: &Server, call: &Call) -> Result<Reply, ApiError> {
    let body = json_object(&call.body)?;
    let mut cluster = server.cluster();
    let mut close = |id: &str| cluster.pits.close(id).map_err(|gone| no_context(gone, id));
    match server.product {
        Product::Elasticsearch => {
            let id = body.get("id").and_then(Value::as_str);
            let id = id.ok_or_else(|| Cause::argument("search context id is is not provided"))?;
            let freed = close(id)?;
            let (status, shards) = freed.map_or((404, 0), |view| (200, view.shards()));
            Ok(Reply::json(
                status,
                &json!({"succeeded": status == 200, "num_freed": shards}),
            ))
        }
        Product::OpenSearch => {
            let ids: Vec<String> = body
                .get("pit_id")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .map(text)
                .collect();
            if ids.is_empty() {
                return Err(Cause::validation("no pit ids specified").into());
            }
            ids.iter().try_for_each(|id| close(id).map(|_| ()))?;
            let pits: Vec<Value> = ids
                .iter()
                .map(|id| json!({"successful": true, "pit_id": id}))
                .collect();
            Ok(Reply::json(200, &json!({"pits": pits})))
        }
    }
}
