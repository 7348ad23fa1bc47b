//! The next pages of scrolls, and their end.

use std::time::Instant;

use serde_json::{Value, json};

use super::answer::Frame;
use super::api::{Reply, Server};
use super::call::Call;
use super::contexts::{NoContext, parse_keep_alive};
use super::error::{ApiError, Cause};
use super::fault::Effect;
use super::indexing::text;
use super::search::{self, Mode};
use super::search_api::{lost_shard, no_context, reply};
use super::search_request::json_object;

/// Answers the next page of a scroll, or closes scrolls.
pub(super) fn scroll(
    server: &Server,
    call: &Call,
    effect: Option<&Effect>,
) -> Result<Reply, ApiError> {
    let body = json_object(&call.body)?;
    let ids: Vec<String> = match (body.get("scroll_id"), call.params.get("scroll_id")) {
        (Some(Value::Array(ids)), _) => ids.iter().map(text).collect(),
        (Some(id), _) => vec![text(id)],
        (None, id) => id.map(str::to_owned).into_iter().collect(),
    };
    if call.method == "DELETE" {
        return close_scrolls(server, &ids);
    }
    let id = ids
        .first()
        .ok_or_else(|| Cause::validation("scrollId is missing"))?;
    let keep_alive = body
        .get("scroll")
        .map(text)
        .or_else(|| call.params.get("scroll").map(str::to_owned));
    let keep_alive = keep_alive
        .map(|text| parse_keep_alive(&text, "scroll"))
        .transpose()?;
    let begin = Instant::now();
    let gone = |gone| match gone {
        NoContext::Malformed => Cause::argument("Cannot parse scroll id").into(),
        gone @ NoContext::Gone(_) => no_context(gone, id),
    };
    let mut cluster = server.cluster();
    if matches!(effect, Some(Effect::LoseContext)) {
        cluster.scrolls.close(id).map_err(gone)?;
    }
    let (scroll, next_id) = cluster.scrolls.touch(id, keep_alive).map_err(gone)?;
    let (product, lost_shard) = (server.product, lost_shard(effect));
    let mode = Mode {
        product,
        in_pit: false,
        allow_partial: true,
        scrolled: Some(scroll.returned),
        lost_shard,
    };
    let page = search::run(&scroll.view, &scroll.request, mode)?;
    scroll.returned += page.positions.len();
    let frame = Frame {
        scroll_id: Some(&next_id),
        took: begin.elapsed(),
        ..Frame::default()
    };
    Ok(reply(page, &scroll.request, frame, effect))
}

fn close_scrolls(server: &Server, ids: &[String]) -> Result<Reply, ApiError> {
    if ids.is_empty() {
        return Err(Cause::validation("no scroll ids specified").into());
    }
    let mut freed = 0;
    for id in ids {
        let closed = server.cluster().scrolls.close(id);
        let closed = closed.map_err(|_| Cause::argument("Cannot parse scroll id"))?;
        freed += closed.map_or(0, |scroll| scroll.view.shards());
    }
    Ok(Reply::json(
        if freed == 0 { 404 } else { 200 },
        &json!({"succeeded": true, "num_freed": freed}),
    ))
}

/// Closes all scrolls.
pub(super) fn close_all_scrolls(server: &Server) -> Reply {
    let freed: usize = server
        .cluster()
        .scrolls
        .close_all()
        .iter()
        .map(|scroll| scroll.view.shards())
        .sum();
    Reply::json(200, &json!({"succeeded": true, "num_freed": freed}))
}
