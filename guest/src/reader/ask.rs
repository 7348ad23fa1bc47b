//! Asking for pages: of the index as it is, in a point in time, in a scroll.

use std::collections::btree_map::Entry;

use super::budget::Left;
use super::{Ahead, Reader};
use crate::cluster::answer::Page;
use crate::cluster::failure::Failure;
use crate::cluster::query::Selection;
use crate::cluster::request::Request;
use crate::cluster::search::Search;
use crate::error::Error;
use crate::host::{Answer, Host};
use crate::key::Key;
use crate::paging::context::{Begin, Context, Within};
use crate::paging::{Pagination, Read, document_id, offset};

/// A page's request under way, and when it was made.
pub(super) struct Asked<F> {
    fetch: F,
    request: Request,
    size: u64,
    at_ms: u64,
}

/// A page that came.
pub(super) struct Fetched<B> {
    pub(super) answer: Answer<B>,
    pub(super) size: u64,
    pub(super) asked_ms: u64,
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

    pub(super) fn ask_next(&mut self, slice: usize) -> Result<Asked<H::Fetch>, Error> {
        let read = self.pass(slice)?.read();
        self.ask_page(slice, read)
    }

    /// The first page of a pass is a search of the index as it is. If it holds all that it
    /// counts, it is a snapshot by itself; if not, it is asked for again in what keeps one.
    pub(super) fn fetch_page(
        &mut self,
        slice: usize,
        asked: Asked<H::Fetch>,
    ) -> Result<Fetched<H::Body>, Failure> {
        let fetched = self.answer(asked)?;
        if self.pass(slice)?.context.is_some() {
            return Ok(fetched);
        }
        let page = Page::parse(&fetched.answer.bytes)?;
        let is_whole = match document_id::has_no_ranges(self.config) {
            true => page.hits.is_empty(),
            false => page.total == Some(page.hits.len() as u64),
        };
        if is_whole {
            return Ok(fetched);
        }
        let asked = if self.config.pagination == Pagination::Scroll {
            self.ask(slice, Within::NewScroll, Begin::First)?
        } else {
            let shards = self.slice(slice)?;
            let Some(pit) = self.client.open_pit(self.config, shards)? else {
                return Err(gone().into());
            };
            self.keep(slice, Some(Context::Pit(pit)));
            self.ask_page(slice, Read::NOTHING)?
        };
        self.answer(asked)
    }

    pub(super) fn ask_page(&mut self, slice: usize, read: Read) -> Result<Asked<H::Fetch>, Error> {
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
            count: pass.total.is_none() && !has_no_ranges,
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
}

fn gone() -> Error {
    Error::transient("an index went while it was searched")
}
