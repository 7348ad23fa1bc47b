//! One page: asked for, read, published, applied.

use std::collections::btree_map::Entry;

use super::budget::Left;
use super::{Ahead, Reader, not_begun};
use crate::cluster::answer::{self, Page};
use crate::cluster::failure::Failure;
use crate::cluster::query::Selection;
use crate::cluster::request::{Request, Search};
use crate::cluster::shards::Slice;
use crate::error::Error;
use crate::host::{Answer, Host};
use crate::key::Key;
use crate::message::message_id;
use crate::paging::context::{Begin, Context, Within};
use crate::paging::progress::{Arrived, Next, Pass, Seen, Settled};
use crate::paging::{Pagination, Read, document_id, offset};
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
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) slice: usize,
    pub(super) from: Key,
    pub(super) to: Key,
    pub(super) begin: Begin,
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
        let total = page
            .total
            .filter(|_| !document_id::has_no_ranges(self.config));
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

    /// Asks for a page of every slice that has none under way, where there are several.
    pub(super) fn ask_ahead(
        &mut self,
        ahead: &mut Ahead<H::Fetch>,
        left: &Left,
    ) -> Result<(), Failure> {
        if self.slices()?.slices.len() == 1 || left.is_spent() {
            return Ok(());
        }
        for slice in self.unread()? {
            if let Entry::Vacant(free) = ahead.entry(slice) {
                free.insert(self.ask_next(slice)?);
            }
        }
        Ok(())
    }

    fn ask_next(&mut self, slice: usize) -> Result<Asked<H::Fetch>, Error> {
        let read = self.pass(slice)?.read();
        self.ask_page(slice, read)
    }

    /// The first page of a pass is a search of the index as it is. If it holds all that it
    /// counts, it is a snapshot by itself; if not, it is asked for again in what keeps one.
    fn fetch_page(
        &mut self,
        slice: usize,
        asked: Asked<H::Fetch>,
    ) -> Result<Fetched<H::Body>, Failure> {
        let fetched = self.answer(asked)?;
        if self.pass(slice)?.context.is_some() {
            return Ok(fetched);
        }
        let page = Page::parse(&fetched.answer.bytes)?;
        let is_whole = page.total == Some(page.hits.len() as u64);
        if is_whole && !document_id::has_no_ranges(self.config) {
            return Ok(fetched);
        }
        let asked = if self.config.pagination == Pagination::Scroll {
            self.ask(slice, Within::NewScroll, Begin::First)?
        } else {
            let shards = self.slice(slice)?;
            let pit = self.client.open_pit(self.config, shards)?;
            self.keep(slice, Some(Context::Pit(pit)));
            self.ask_page(slice, Read::NOTHING)?
        };
        self.answer(asked)
    }

    fn ask_page(&mut self, slice: usize, read: Read) -> Result<Asked<H::Fetch>, Error> {
        match self.pass(slice)?.context.clone() {
            Some(Context::Scroll(id)) => {
                let request = Request::next_of_scroll(&id, self.config);
                let size = self.pass(slice)?.size;
                Ok(self.send(request, size))
            }
            Some(Context::Pit(pit)) => {
                let begin = self.config.pagination.begin(read);
                self.ask(slice, Within::Pit(&pit), begin)
            }
            None => self.ask(slice, Within::Index, Begin::First),
        }
    }

    fn ask(
        &mut self,
        slice: usize,
        within: Within<'_>,
        begin: Begin,
    ) -> Result<Asked<H::Fetch>, Error> {
        let has_no_ranges = document_id::has_no_ranges(self.config);
        let pass = self.pass(slice)?;
        let begin = match begin {
            Begin::First if has_no_ranges && pass.from != Key::MIN => Begin::At(pass.from.clone()),
            begin => begin,
        };
        let size = match begin {
            Begin::Hit(hits) => offset::size(pass.size, hits),
            Begin::First | Begin::At(_) => pass.size,
        };
        let part = Part {
            slice,
            from: pass.from.clone(),
            to: pass.end(),
            begin,
            size,
            count: pass.total.is_none(),
        };
        let request = self.search(part, within)?;
        Ok(self.send(request, size))
    }

    fn send(&mut self, request: Request, size: u64) -> Asked<H::Fetch> {
        Asked {
            fetch: self.client.host.fetch(&request),
            request,
            size,
            at_ms: self.client.now_ms,
        }
    }

    fn answer(&mut self, asked: Asked<H::Fetch>) -> Result<Fetched<H::Body>, Failure> {
        let answer = self.client.answer(&asked.request, asked.fetch)?;
        Ok(Fetched {
            answer,
            size: asked.size,
            asked_ms: asked.at_ms,
        })
    }

    /// A search of a part of a slice.
    pub(super) fn search(&mut self, part: Part, within: Within<'_>) -> Result<Request, Error> {
        let (config, product) = (self.config, *self.client.product);
        let unit = self.reading()?.unit;
        Ok(Request::search(&Search {
            selection: Selection { config, unit },
            within,
            slice: self.slice(part.slice)?,
            from: part.from,
            to: part.to,
            begin: part.begin,
            size: part.size,
            count: part.count,
            contents: true,
            product,
        }))
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
        let Reading { unit, slices, .. } = self.reading()?;
        for seen in published.iter().filter_map(|(at, _)| page.hits.get(*at)) {
            slices.deliver(&seen.key, *unit);
        }
        let progress = slices.slices.get_mut(slice).ok_or_else(not_begun)?;
        let next = progress.apply(page, edge_max);
        let offset = progress.pass.as_ref().map(|pass| pass.hits);
        let position = slices.position().filter(|_| unit.is_time());
        let watermark = position.map(|at| unit.describe(&at.point));
        if let Some(cycle) = &mut slices.cycle {
            cycle.documents += published.len() as u64;
        }
        if watermark.is_some() {
            self.state.last_poll_timestamp = watermark;
        }
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
        let context = self.pass(slice).map(|pass| pass.context.as_ref());
        matches!(context, Ok(Some(Context::Scroll(_))))
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
