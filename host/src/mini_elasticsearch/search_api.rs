//! The requests that read documents: search and count.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use serde_json::json;

use super::answer::{self, Frame};
use super::api::{Reply, Server};
use super::call::Call;
use super::cluster::Scroll;
use super::contexts::{NoContext, parse_keep_alive};
use super::error::{ApiError, Cause, ShardFailure};
use super::fault::Effect;
use super::search::{self, Mode, Page};
use super::search_request::{SearchRequest, json_object};
use super::view::View;

/// Answers a search, in a point in time or over an index expression.
pub(super) fn search(
    server: &Server,
    call: &Call,
    index: Option<&str>,
    effect: Option<&Effect>,
) -> Result<Reply, ApiError> {
    let begin = Instant::now();
    let request = SearchRequest::parse(&call.body, server.product)?;
    let scroll = call.params.get("scroll");
    request.validate(server.product, scroll.is_some())?;
    let (view, pit_id) = match &request.pit {
        Some(_) => {
            in_pit(server, call, index, &request, effect).map(|(view, id)| (view, Some(id)))?
        }
        None => {
            let mut cluster = server.cluster();
            let names = cluster.resolve(call.expression(index))?;
            (cluster.view_of(&names, &call.params), None)
        }
    };
    let mode = Mode {
        product: server.product,
        in_pit: pit_id.is_some(),
        allow_partial: call.params.flag("allow_partial_search_results", true),
        scrolled: scroll.map(|_| 0),
        lost_shard: lost_shard(effect),
    };
    let page = search::run(&view, &request, mode)?;
    let scroll_id = match scroll {
        None => None,
        Some(keep_alive) => {
            let keep_alive = parse_keep_alive(keep_alive, "scroll")?;
            let shards = view.shards();
            let scroll = Scroll {
                view,
                returned: page.positions.len(),
                request: request.clone(),
            };
            Some(server.cluster().scrolls.open(scroll, shards, keep_alive)?)
        }
    };
    let frame = Frame {
        pit_id: pit_id.as_deref(),
        scroll_id: scroll_id.as_deref(),
        took: begin.elapsed(),
        timed_out: false,
    };
    Ok(reply(page, &request, frame, effect))
}

fn in_pit(
    server: &Server,
    call: &Call,
    index: Option<&str>,
    request: &SearchRequest,
    effect: Option<&Effect>,
) -> Result<(Arc<View>, String), ApiError> {
    if index.is_some() {
        return Err(Cause::validation("[indices] cannot be used with point in time. Do not specify any index with point in time.").into());
    }
    if ["ignore_unavailable", "allow_no_indices", "expand_wildcards"]
        .iter()
        .any(|name| call.params.get(name).is_some())
    {
        return Err(Cause::validation("[indicesOptions] cannot be used with point in time").into());
    }
    let shards = ["routing", "preference"];
    if let Some(name) = shards.iter().find(|name| call.params.get(name).is_some()) {
        let reason = format!("[{name}] cannot be used with point in time");
        return Err(Cause::validation(&reason).into());
    }
    let Some(pit) = &request.pit else {
        return Err(no_context(NoContext::Malformed, "pit"));
    };
    let keep_alive = pit
        .keep_alive
        .as_deref()
        .map(|text| parse_keep_alive(text, "keep_alive"))
        .transpose()?;
    let mut cluster = server.cluster();
    if matches!(effect, Some(Effect::LoseContext)) {
        cluster
            .pits
            .close(&pit.id)
            .map_err(|gone| no_context(gone, &pit.id))?;
    }
    let (view, id) = cluster
        .pits
        .touch(&pit.id, keep_alive)
        .map_err(|gone| no_context(gone, &pit.id))?;
    Ok((Arc::clone(view), id))
}

pub(super) fn lost_shard(effect: Option<&Effect>) -> Option<usize> {
    match effect {
        Some(Effect::LoseShard(shard)) => Some(*shard),
        _ => None,
    }
}

/// The page as an answer, after what a fault does to it.
pub(super) fn reply(
    mut page: Page,
    request: &SearchRequest,
    mut frame: Frame<'_>,
    effect: Option<&Effect>,
) -> Reply {
    match effect {
        Some(Effect::TimeOut) => {
            frame.timed_out = true;
            page.positions.truncate(page.positions.len() / 2);
            page.total = page.positions.len();
        }
        Some(Effect::LoseHit(hit)) if *hit < page.positions.len() => {
            page.positions.remove(*hit);
        }
        _ => {}
    }
    Reply::bytes(200, Bytes::from(answer::write(&page, request, &frame)))
}

/// What is said when a context is gone, or never was.
pub(super) fn no_context(gone: NoContext, id: &str) -> ApiError {
    match gone {
        NoContext::Malformed => Cause::argument(format!("invalid id: [{id}]")).into(),
        NoContext::Gone(number) => {
            let cause = Cause::context_missing(number);
            ApiError::shards(
                &[ShardFailure {
                    shard: -1,
                    index: None,
                    shards: 1,
                    cause,
                }],
                true,
            )
        }
    }
}

/// Answers a count.
pub(super) fn count(
    server: &Server,
    call: &Call,
    index: Option<&str>,
    effect: Option<&Effect>,
) -> Result<Reply, ApiError> {
    let body = json_object(&call.body)?;
    if let Some(key) = body.keys().find(|key| *key != "query") {
        return Err(Cause::parsing(format!("request does not support [{key}]")).into());
    }
    let request = SearchRequest::parse(&call.body, server.product)?;
    let view = {
        let mut cluster = server.cluster();
        let names = cluster.resolve(call.expression(index))?;
        cluster.view_of(&names, &call.params)
    };
    let lost_shard = lost_shard(effect);
    let mode = Mode {
        product: server.product,
        in_pit: false,
        allow_partial: true,
        scrolled: None,
        lost_shard,
    };
    let page = search::count(&view, &request, mode)?;
    Ok(Reply::json(
        200,
        &json!({"count": page.total, "_shards": answer::shards(&page)}),
    ))
}
