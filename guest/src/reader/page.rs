//! One page: asked for, read, published, applied.

use super::ask::Fetched;
use super::budget::Left;
use super::{Ahead, Reader, not_begun};
use crate::cluster::answer::{self, Page};
use crate::cluster::failure::Failure;
use crate::cluster::shards::Slice;
use crate::error::Error;
use crate::host::Host;
use crate::message::message_id;
use crate::paging::context::Context;
use crate::paging::progress::{Arrived, Next, Pass, Seen, Settled};
use crate::paging::{Pagination, document_id, offset};
use crate::state::Reading;

impl<H: Host> Reader<'_, H> {
    /// One page, from its answer to its receipt. Returns how many documents were published.
    pub(super) fn page(
        &mut self,
        slice: usize,
        ahead: &mut Ahead<H::Fetch>,
        left: &mut Left,
    ) -> Result<u64, Failure> {
        let asked = match ahead.remove(&slice) {
            Some(asked) => asked,
            None => self.ask_next(slice)?,
        };
        let Fetched {
            answer,
            size,
            asked_ms,
        } = self.fetch_page(slice, asked)?;
        left.spend_page(answer.at_ms);
        let page = Page::parse(&answer.bytes)
            .inspect_err(|_| self.keep(slice, answer::context(&answer.bytes)))?;
        self.keep(slice, page.context.clone());
        self.check_window(&page)?;
        let mut seen = self.seen(&page)?;
        let is_last = self.cut_off(slice, &mut seen)?;
        // Where no range can be asked for there is no total, and a point in time if there is a hit.
        let is_empty = self.pass(slice)?.context.is_none() && page.hits.is_empty();
        let total = page.total.or(is_empty.then_some(0));
        let arrived = Arrived {
            hits: &seen,
            total,
            size,
            exact: self.in_scroll(slice),
            is_last,
        };
        let plan = self.progress(slice)?.plan(arrived);
        self.fit(slice, page.hits.len() as u64, answer.bytes.len() as u64)?;
        if plan.goes_on && !left.is_spent() {
            ahead.insert(slice, self.ask_page(slice, plan.read.clone())?);
        }
        let documents = self.deliver(&answer, &page, &plan, asked_ms)?;
        if let Next::Receipt(to) = self.apply(slice, arrived, &plan.publish)?
            && self.receipt(slice, &to, total)? != Settled::GoesOn
        {
            ahead.remove(&slice);
        }
        Ok(documents)
    }

    fn check_window(&self, page: &Page<'_>) -> Result<(), Error> {
        match (self.config.pagination, page.total) {
            (Pagination::Offset, Some(total)) => offset::check(total, self.config.edge_max),
            _ => Ok(()),
        }
    }

    fn seen(&mut self, page: &Page<'_>) -> Result<Vec<Seen>, Error> {
        let config = self.config;
        if page.hits.iter().any(|hit| hit.write.is_none()) {
            self.reading()?.selection.names_by(&config.content);
        }
        let hits = page.hits.iter().map(|hit| {
            Ok(Seen {
                key: hit.key.clone(),
                id: message_id(config, hit)?,
            })
        });
        hits.collect()
    }

    /// Where no range can be asked for, a page also has what is behind the end of the pass. True
    /// if it had some, which is left out.
    fn cut_off(&mut self, slice: usize, seen: &mut Vec<Seen>) -> Result<bool, Error> {
        if !document_id::has_no_ranges(self.config) {
            return Ok(false);
        }
        let end = self.pass(slice)?.end();
        let before = document_id::before(seen.iter().map(|seen| &seen.key), &end);
        let is_last = before < seen.len();
        seen.truncate(before);
        Ok(is_last)
    }

    /// Advances position, edge, watermark and counts together.
    fn apply(
        &mut self,
        slice: usize,
        page: Arrived<'_>,
        published: &[(usize, u128)],
    ) -> Result<Next, Error> {
        let edge_max = self.config.edge_max;
        let is_counted = self.config.pagination != Pagination::Offset;
        let Reading { unit, slices, .. } = self.reading()?;
        let gone = &slices.slices.get(slice).ok_or_else(not_begun)?.gone;
        let back = page
            .hits
            .iter()
            .filter(|seen| gone.holds(&seen.key, seen.id));
        let back: Vec<_> = back.map(|seen| seen.key.clone()).collect();
        let new = published.iter().filter_map(|(at, _)| page.hits.get(*at));
        let delivered = new.map(|seen| &seen.key).chain(&back);
        match is_counted {
            true => delivered.for_each(|key| slices.deliver(key, *unit)),
            false => slices.count_nothing(),
        }
        let progress = slices.slices.get_mut(slice).ok_or_else(not_begun)?;
        let next = progress.apply(page, edge_max);
        let offset = progress.pass.as_ref().map(|pass| pass.hits);
        slices.forget_minutes(*unit);
        let (unit, position) = (*unit, slices.position());
        if let Some(cycle) = &mut slices.cycle {
            cycle.documents += published.len() as u64;
        }
        self.state.note_position(position.as_ref(), unit);
        if self.config.pagination == Pagination::Offset {
            self.state.last_offset = offset;
        }
        Ok(next)
    }

    /// The newest id replaces the old one.
    pub(super) fn keep(&mut self, slice: usize, context: Option<Context>) {
        if let Some(Context::Scroll(id)) = &context {
            self.state.last_scroll_id = Some(id.clone());
        }
        let pass = self.progress(slice).map(|progress| progress.pass.as_mut());
        if let (Ok(Some(pass)), Some(context)) = (pass, context) {
            pass.context = Some(context);
        }
    }

    /// Whether its pages are those of a scroll.
    pub(super) fn in_scroll(&mut self, slice: usize) -> bool {
        self.pass(slice).is_ok_and(Pass::in_scroll)
    }

    /// Of which shards it is.
    pub(super) fn slice(&mut self, number: usize) -> Result<Slice, Error> {
        let of = self.slices()?.slices.len();
        let [number, of] = [number, of].map(|count| u32::try_from(count).unwrap_or(u32::MAX));
        Ok(self.config.slice.part(number, of))
    }

    pub(super) fn pass(&mut self, slice: usize) -> Result<&Pass, Error> {
        self.progress(slice)?.pass.as_ref().ok_or_else(not_begun)
    }
}
