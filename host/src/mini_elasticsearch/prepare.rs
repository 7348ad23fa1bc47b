//! Makes a search ready for every index, and collects what cannot be made ready.

use std::sync::Arc;

use super::Product;
use super::compile::matcher;
use super::error::{ApiError, Cause, ShardFailure};
use super::matcher::Matcher;
use super::search::Mode;
use super::search_request::SearchRequest;
use super::searcher::Searcher;
use super::sort_value::Source;
use super::view::View;

/// The query and the sort, ready for one index.
pub(super) struct Prepared {
    pub(super) matcher: Matcher,
    pub(super) sources: Vec<Source>,
}

/// Makes a search ready for one index.
///
/// # Errors
///
/// What the shards of the index would fail with.
pub(super) fn prepare(
    searcher: &Searcher,
    request: &SearchRequest,
    mode: Mode,
) -> Result<Prepared, Cause> {
    let (window, end) = (
        searcher.keeps.window,
        request.from.saturating_add(request.size),
    );
    if end > window {
        return Err(Cause::argument(match mode.scrolled {
            None => format!(
                "Result window is too large, from + size must be less than or equal to: [{window}] but was [{end}]. See the scroll api for a more efficient way to request large data sets. This limit can be set by changing the [index.max_result_window] index level setting."
            ),
            Some(_) => format!(
                "Batch size is too large, size must be less than or equal to: [{window}] but was [{end}]. Scroll batch sizes cost as much memory as result windows so they are controlled by the [index.max_result_window] index level setting."
            ),
        }));
    }
    let sources = request
        .sort
        .iter()
        .map(|key| Source::new(key, searcher, mode.product))
        .collect::<Result<_, _>>()?;
    if request
        .aggregations
        .iter()
        .any(|(_, aggregation)| aggregation.is_of("_seq_no"))
    {
        searcher.check_seq_nos()?;
    }
    let mut fields = request.fields.iter();
    fields.try_for_each(|field| field.check(&searcher.mapping))?;
    let numbers_are_millis = mode.product == Product::Elasticsearch;
    Ok(Prepared {
        matcher: matcher(&request.query, searcher, numbers_are_millis)?,
        sources,
    })
}

/// The indices that failed, unless that makes the whole search fail.
pub(super) fn failures(
    view: &View,
    prepared: &[Result<Prepared, Cause>],
    mode: Mode,
) -> Result<Vec<ShardFailure>, ApiError> {
    let failure = |(searcher, result): (&Arc<Searcher>, &Result<Prepared, Cause>)| {
        let cause = result.as_ref().err()?.clone();
        Some(ShardFailure {
            shard: 0,
            index: Some(Arc::clone(&searcher.index)),
            shards: searcher.shards.len(),
            cause,
        })
    };
    let failures: Vec<_> = view
        .searchers
        .iter()
        .zip(prepared)
        .filter_map(failure)
        .collect();
    let all = failures.len() == prepared.len();
    if !failures.is_empty() && (all || !mode.allow_partial) {
        return Err(ApiError::shards(&failures, all));
    }
    Ok(failures)
}
