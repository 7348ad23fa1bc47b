//! One page: asked for, read, published, applied.

use std::collections::btree_map::Entry;

use super::budget::Left;
use super::{Ahead, Reader, not_begun};
use crate::cluster::answer::Page;
use crate::cluster::failure::Failure;
use crate::cluster::query::Selection;
use crate::cluster::request::{Request, Search};
use crate::error::Error;
use crate::host::{Answer, Host};
use crate::key::Key;
use crate::message::message_id;
use crate::paging::progress::{Arrived, Next, Pass, Seen, Settled};
use crate::state::Reading;

/// A page's request under way, and when it was made.
pub(super) struct Asked<F> {
    fetch: F,
    request: Request,
    size: u64,
    at_ms: u64,
}

/// A page that came.
struct Fetched<B> {
    answer: Answer<B>,
    size: u64,
    asked_ms: u64,
}

/// Which part of a slice to search.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub(super) slice: usize,
    pub(super) from: Key,
    pub(super) to: Key,
    pub(super) after: Option<Key>,
    pub(super) size: u64,
    pub(super) count: bool,
}

impl<H: Host> Reader<'_, H> {
    /// One page, from its answer to its receipt. Returns how many documents were published.
    pub(super) fn page(
        &mut self,
        slice: usize,
        ahead: &mut Ahead<H::Fetch>,
        left: &mut Left,
    ) -> Result<u64, Failure> {
        let Fetched {
            answer,
            size,
            asked_ms,
        } = match ahead.remove(&slice) {
            Some(asked) => self.answer(asked)?,
            None => self.fetch_page(slice)?,
        };
        left.spend_page(answer.at_ms);
        let page = Page::parse(&answer.bytes)?;
        self.keep_pit(&page);
        let seen = self.seen(&page);
        let arrived = Arrived {
            hits: &seen,
            total: page.total,
            size,
        };
        let plan = self.progress(slice)?.plan(arrived);
        if plan.goes_on && !left.is_spent() {
            ahead.insert(slice, self.ask_page(slice, plan.after)?);
        }
        let documents = self.deliver(&answer, &page, &plan, asked_ms)?;
        if let Next::Receipt(to) = self.apply(slice, arrived, &plan.publish)?
            && self.receipt(slice, to, page.total)? != Settled::GoesOn
        {
            ahead.remove(&slice);
        }
        Ok(documents)
    }

    /// Asks for a page of every slice that has none under way, where there are several.
    pub(super) fn ask_ahead(&mut self, ahead: &mut Ahead<H::Fetch>) -> Result<(), Failure> {
        if self.slices()?.slices.len() == 1 {
            return Ok(());
        }
        if self.cycle()?.pit.is_none() {
            self.open_pit()?;
        }
        for slice in self.unread()? {
            if let Entry::Vacant(free) = ahead.entry(slice) {
                let after = self.pass(slice)?.after;
                free.insert(self.ask_page(slice, after)?);
            }
        }
        Ok(())
    }

    /// The first page of a cycle is a search of the index as it is. If it holds all that it
    /// counts, it is a snapshot by itself; if not, it is asked for again in a point in time.
    fn fetch_page(&mut self, slice: usize) -> Result<Fetched<H::Body>, Failure> {
        let after = self.pass(slice)?.after;
        let asked = self.ask_page(slice, after)?;
        let fetched = self.answer(asked)?;
        if self.cycle()?.pit.is_some() {
            return Ok(fetched);
        }
        let page = Page::parse(&fetched.answer.bytes)?;
        if page.total == Some(page.hits.len() as u64) {
            return Ok(fetched);
        }
        self.open_pit()?;
        let asked = self.ask_page(slice, None)?;
        self.answer(asked)
    }

    fn open_pit(&mut self) -> Result<(), Failure> {
        let pit = self.client.open_pit(&self.config.index)?;
        self.cycle_mut()?.pit = Some(pit);
        Ok(())
    }

    fn ask_page(&mut self, slice: usize, after: Option<Key>) -> Result<Asked<H::Fetch>, Error> {
        let pass = self.pass(slice)?;
        let part = Part {
            slice,
            from: pass.from,
            to: pass.end(),
            after,
            size: pass.size,
            count: pass.total.is_none(),
        };
        let request = self.search(part)?;
        Ok(Asked {
            fetch: self.client.host.fetch(&request),
            request,
            size: part.size,
            at_ms: self.client.now_ms,
        })
    }

    fn answer(&mut self, asked: Asked<H::Fetch>) -> Result<Fetched<H::Body>, Failure> {
        let answer = self.client.answer(&asked.request, asked.fetch)?;
        Ok(Fetched {
            answer,
            size: asked.size,
            asked_ms: asked.at_ms,
        })
    }

    /// A search of a part of a slice, in the cycle's point in time.
    pub(super) fn search(&mut self, part: Part) -> Result<Request, Error> {
        let (config, product) = (self.config, *self.client.product);
        let Reading { unit, slices, .. } = self.reading()?;
        let selection = Selection {
            config,
            unit: *unit,
        };
        let cycle = slices.cycle.as_ref();
        Ok(Request::search(&Search {
            selection,
            pit: cycle.and_then(|cycle| cycle.pit.as_deref()),
            slice: (part.slice, slices.slices.len()),
            from: part.from,
            to: part.to,
            after: part.after,
            size: part.size,
            count: part.count,
            product,
        }))
    }

    fn seen(&self, page: &Page<'_>) -> Vec<Seen> {
        let namespace = &self.config.id_namespace;
        page.hits
            .iter()
            .map(|hit| Seen {
                key: hit.key,
                id: message_id(namespace, hit),
            })
            .collect()
    }

    /// Advances position, edge, watermark and counts together.
    fn apply(
        &mut self,
        slice: usize,
        page: Arrived<'_>,
        published: &[(usize, u128)],
    ) -> Result<Next, Error> {
        let edge_max = self.config.edge_max;
        let Reading { unit, slices, .. } = self.reading()?;
        for seen in published.iter().filter_map(|(at, _)| page.hits.get(*at)) {
            slices.deliver(seen.key, *unit);
        }
        let progress = slices.slices.get_mut(slice).ok_or_else(not_begun)?;
        let next = progress.apply(page, edge_max);
        let watermark = slices.position().map(|at| unit.to_iso(at.timestamp));
        if let Some(cycle) = &mut slices.cycle {
            cycle.documents += published.len() as u64;
        }
        if watermark.is_some() {
            self.state.last_poll_timestamp = watermark;
        }
        Ok(next)
    }

    /// The newest id of the point in time replaces the old one.
    pub(super) fn keep_pit(&mut self, page: &Page<'_>) {
        if let (Ok(cycle), Some(pit)) = (self.cycle_mut(), &page.pit) {
            cycle.pit = Some(pit.clone().into_owned());
        }
    }

    fn pass(&mut self, slice: usize) -> Result<&Pass, Error> {
        self.progress(slice)?.pass.as_ref().ok_or_else(not_begun)
    }
}
