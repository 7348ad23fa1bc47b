//! Finds the documents of one page in a view.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::Product;
use super::error::{ApiError, Cause, ShardFailure};
use super::order::Order;
use super::prepare::{Prepared, failures, prepare};
use super::search_request::SearchRequest;
use super::searcher::Searcher;
use super::view::View;

/// How a search is run, beyond what its body says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mode {
    pub(super) product: Product,
    pub(super) in_pit: bool,
    /// Whether an answer may lack the documents of shards that failed.
    pub(super) allow_partial: bool,
    /// How many hits of a scroll were returned before.
    pub(super) scrolled: Option<usize>,
    /// A shard that fails without the search failing, by its number in the view.
    pub(super) lost_shard: Option<usize>,
}

/// What a search found.
#[derive(Default)]
pub(super) struct Page {
    pub(super) view: Arc<View>,
    pub(super) order: Option<Arc<Order>>,
    /// The positions in the order of the hits of this page.
    pub(super) positions: Vec<usize>,
    pub(super) total: usize,
    pub(super) failures: Vec<ShardFailure>,
    pub(super) aggregations: Map<String, Value>,
    /// Whether the hits carry `_shard_doc` as one more sort value.
    pub(super) with_shard_doc: bool,
}

/// Runs a search over a view.
///
/// # Errors
///
/// What the real servers answer when all shards fail, or some where partial answers
/// are refused.
pub(super) fn run(view: &Arc<View>, request: &SearchRequest, mode: Mode) -> Result<Page, ApiError> {
    let mut prepared: Vec<_> = view
        .searchers
        .iter()
        .map(|searcher| prepare(searcher, request, mode))
        .collect();
    loop {
        let failures = failures(view, &prepared, mode)?;
        let search = Search {
            view,
            request,
            mode,
            prepared: &prepared,
        };
        match search.page(failures)? {
            Outcome::Page(page) => return Ok(page),
            // A matching document cannot be sorted, which its index learns only now.
            Outcome::Failed(searcher, cause) => match prepared.get_mut(searcher) {
                Some(slot) => *slot = Err(cause),
                None => return Err(cause.into()),
            },
        }
    }
}

/// How many documents match.
pub(super) fn count(
    view: &Arc<View>,
    request: &SearchRequest,
    mode: Mode,
) -> Result<Page, ApiError> {
    let request = SearchRequest {
        size: 0,
        from: 0,
        ..request.clone()
    };
    run(view, &request, mode)
}

enum Outcome {
    Page(Page),
    Failed(usize, Cause),
}

struct Search<'a> {
    view: &'a Arc<View>,
    request: &'a SearchRequest,
    mode: Mode,
    prepared: &'a [Result<Prepared, Cause>],
}

/// Where a page begins.
struct Start {
    offset: Offset,
    with_shard_doc: bool,
}

enum Offset {
    Hits(usize),
    /// After the last document with these sort values; among equals, after a place.
    After(Vec<i64>, Option<u32>),
}

impl Search<'_> {
    fn page(&self, mut failures: Vec<ShardFailure>) -> Result<Outcome, ApiError> {
        failures.extend(self.lost_shard());
        let view = Arc::clone(self.view);
        let mut page = Page {
            view,
            failures,
            aggregations: self.aggregate()?,
            ..Page::default()
        };
        if self.request.size == 0 {
            page.total = self.lists_left().map(|(_, places)| places.len()).sum();
            return Ok(Outcome::Page(page));
        }
        let order = self.order();
        if let Some(failed) = self.unsortable(&order) {
            return Ok(failed);
        }
        let start = self.start(&order)?;
        (page.positions, page.total) = self.select(&order, &start.offset);
        page.with_shard_doc = start.with_shard_doc;
        page.order = Some(order);
        Ok(Outcome::Page(page))
    }

    /// The places in their searcher of all documents that match.
    fn lists(&self) -> impl Iterator<Item = (usize, &Searcher, Vec<u32>)> {
        let ready = self.view.searchers.iter().zip(self.prepared).enumerate();
        let ready = ready.filter_map(|(number, (searcher, prepared))| {
            Some((number, searcher, prepared.as_ref().ok()?))
        });
        ready.map(|(number, searcher, prepared)| {
            let places = searcher.matching(&prepared.matcher);
            (number, &**searcher, places)
        })
    }

    /// The same, without the documents of a lost shard.
    fn lists_left(&self) -> impl Iterator<Item = (&Searcher, Vec<u32>)> {
        self.lists().map(|(number, searcher, mut places)| {
            if self.mode.lost_shard.is_some() {
                let base = self.view.base(number);
                places.retain(|place| !self.is_lost(base + place));
            }
            (searcher, places)
        })
    }

    fn is_lost(&self, place: u32) -> bool {
        self.mode
            .lost_shard
            .is_some_and(|lost| lost == self.view.shard_of(place))
    }

    /// What tells one combination of failed indices from another.
    fn mask(&self) -> String {
        self.prepared
            .iter()
            .map(|prepared| if prepared.is_ok() { '+' } else { '-' })
            .collect()
    }

    fn order(&self) -> Arc<Order> {
        let request = self.request;
        let key = format!("{}{}{}", self.mask(), request.sort_text, request.query_text);
        self.view.order(&key, || {
            let sources = self.prepared.iter();
            let sources: Vec<_> = sources
                .map(|prepared| prepared.as_ref().ok().map(|prepared| &*prepared.sources))
                .collect();
            let mut places = Vec::new();
            for (number, _, list) in self.lists() {
                let base = self.view.base(number);
                places.extend(list.iter().map(|place| base + place));
            }
            Order::new(self.view, &request.sort, &sources, &places)
        })
    }

    fn unsortable(&self, order: &Order) -> Option<Outcome> {
        let (place, millis) = order.out_of_range?;
        let searcher = self.view.shard(self.view.shard_of(place))?.searcher;
        let reason = match millis < 0 {
            true => format!(
                "milliSeconds [{millis}] are before the epoch in 1970 and cannot be converted to nanoseconds"
            ),
            false => format!(
                "milliSeconds [{millis}] are after 2262-04-11T23:47:16.854775807 and cannot be converted to nanoseconds"
            ),
        };
        Some(Outcome::Failed(searcher, Cause::argument(reason)))
    }

    fn start(&self, order: &Order) -> Result<Start, ApiError> {
        let sort = &self.request.sort;
        let explicit = sort.iter().any(|key| key.field == "_shard_doc");
        let implicit = self.mode.product == Product::Elasticsearch
            && self.mode.in_pit
            && !sort.is_empty()
            && !explicit;
        let Some(after) = &self.request.search_after else {
            let offset = Offset::Hits(self.mode.scrolled.unwrap_or(self.request.from));
            return Ok(Start {
                offset,
                with_shard_doc: implicit,
            });
        };
        if sort.is_empty() {
            return Err(self.all_failed(Cause::argument("Sort must contain at least one field.")));
        }
        let tie = match (
            after.len().checked_sub(sort.len()),
            after.last().and_then(Value::as_i64),
        ) {
            (Some(0), _) => None,
            (Some(1), Some(shard_doc)) if implicit => Some(self.view.place_of(shard_doc)),
            _ => {
                let reason = format!(
                    "search_after has {} value(s) but sort has {}.",
                    after.len(),
                    sort.len()
                );
                return Err(self.all_failed(Cause::argument(reason)));
            }
        };
        let values = order
            .read_after(sort, after)
            .map_err(|cause| self.all_failed(cause))?;
        Ok(Start {
            offset: Offset::After(values, tie),
            with_shard_doc: tie.is_some(),
        })
    }

    fn all_failed(&self, cause: Cause) -> ApiError {
        let index = self
            .view
            .searchers
            .first()
            .map(|searcher| Arc::clone(&searcher.index));
        ApiError::shards(
            &[ShardFailure {
                shard: 0,
                index,
                shards: self.view.shards(),
                cause,
            }],
            true,
        )
    }

    /// The positions of the page's hits, and how many documents match in all.
    fn select(&self, order: &Order, offset: &Offset) -> (Vec<usize>, usize) {
        let begin = match offset {
            Offset::Hits(count) => *count,
            Offset::After(values, tie) => order.after(values, *tie),
        };
        let (size, all) = (self.request.size, order.places.len());
        if self.mode.lost_shard.is_none() {
            return ((begin..all).take(size).collect(), all);
        }
        let left = |position: &usize| {
            let place = order.places.get(*position);
            place.is_some_and(|place| !self.is_lost(*place))
        };
        let total = (0..all).filter(left).count();
        ((begin..all).filter(left).take(size).collect(), total)
    }

    fn lost_shard(&self) -> Option<ShardFailure> {
        let shard = self.view.shard(self.mode.lost_shard?)?;
        let index = self
            .view
            .searchers
            .get(shard.searcher)
            .map(|searcher| Arc::clone(&searcher.index));
        let cause = Cause::new(
            503,
            "no_shard_available_action_exception",
            "shard has no active copy",
        );
        Some(ShardFailure {
            shard: i64::try_from(shard.shard).unwrap_or(-1),
            index,
            shards: 1,
            cause,
        })
    }

    fn aggregate(&self) -> Result<Map<String, Value>, ApiError> {
        if self.request.aggregations.is_empty() {
            return Ok(Map::new());
        }
        let found: Vec<_> = self.lists_left().collect();
        let results = self.request.aggregations.iter();
        let results: Result<Map<String, Value>, Cause> = results
            .map(|(name, aggregation)| {
                Ok((name.clone(), aggregation.run(&found, self.mode.product)?))
            })
            .collect();
        Ok(results?)
    }
}
