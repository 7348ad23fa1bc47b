//! How many documents stand between two places, as the cluster counts them.

use super::ask::Part;
use super::{Reader, not_begun};
use crate::cluster::answer::Page;
use crate::cluster::failure::Failure;
use crate::cluster::query::Selection;
use crate::cluster::request::Request;
use crate::cluster::shards::Slice;
use crate::cluster::{histogram, listing};
use crate::error::Error;
use crate::host::Host;
use crate::key::Key;
use crate::paging::context::{Begin, Context, Within};
use crate::paging::late::{Look, Looked};
use crate::paging::minutes::Counts;
use crate::paging::{Pagination, document_id, scroll};

impl<H: Host> Reader<'_, H> {
    /// What a pass has to have met before `to`: counted in what it reads, from the segment's
    /// start on. A scroll only counts itself at its end.
    pub(super) fn count_before(&mut self, slice: usize, to: &Key) -> Result<u64, Failure> {
        let is_scroll = self.config.pagination == Pagination::Scroll;
        let progress = self.progress(slice)?;
        let from = progress.start.clone();
        if is_scroll {
            let met = progress.edge.met_before(to);
            return match scroll::counted(self.pass(slice)?, met, to) {
                Some(counted) => Ok(counted),
                None => {
                    let shards = self.slice(slice)?;
                    self.count_between(shards, &from, to)
                }
            };
        }
        let pit = match self.pass(slice)?.context.clone() {
            Some(Context::Pit(pit)) => pit,
            _ => return Err(not_begun().into()),
        };
        if document_id::has_no_ranges(self.config) {
            let shards = self.slice(slice)?;
            return self
                .list(shards, Some(&pit), &from, Some(to))
                .map(|listed| listed.within);
        }
        let part = Part {
            slice,
            from,
            to: to.clone(),
            begin: Begin::First,
            size: 0,
            count: true,
        };
        let request = self.search(part, Within::Pit(&pit))?;
        let answer = self.client.ask(&request)?;
        let page = Page::parse(&answer.bytes)?;
        let context = page.context;
        self.keep(slice, context);
        page.total
            .ok_or_else(|| Error::transient("the cluster did not count exactly").into())
    }

    /// In the reach of the edge, and by the minute before it. What is no time is one minute.
    pub(super) fn count_behind(&mut self, look: &Look, each_from: i64) -> Result<Looked, Failure> {
        let (config, unit) = (self.config, self.reading()?.unit);
        if document_id::has_no_ranges(config) {
            let (from, to) = &look.reach;
            let listed = self.list(config.slice, None, &from.group(), None)?;
            let reach = self.list(config.slice, None, from, Some(to))?.within;
            let before = listed.total.saturating_sub(listed.within);
            let minutes = Counts::from_iter([(look.first, before)]);
            let reach = Counts::from_iter([(look.first, reach)]);
            return Ok(Looked { minutes, reach });
        }
        let selection = Selection { config, unit };
        let request = Request::look(selection, config.slice, look, each_from);
        let answer = self.client.ask(&request)?;
        histogram::parse(&answer.bytes)
    }

    /// In the index as it is.
    pub(super) fn count_between(
        &mut self,
        slice: Slice,
        from: &Key,
        to: &Key,
    ) -> Result<u64, Failure> {
        let (config, unit) = (self.config, self.reading()?.unit);
        if document_id::has_no_ranges(config) {
            return Ok(self.list(slice, None, from, Some(to))?.within);
        }
        let query = Selection { config, unit }.between(from, to);
        self.client.count(&Request::count(config, slice, query))
    }

    fn list(
        &mut self,
        slice: Slice,
        pit: Option<&str>,
        from: &Key,
        to: Option<&Key>,
    ) -> Result<listing::Listed, Failure> {
        let (config, unit) = (self.config, self.reading()?.unit);
        let selection = Selection { config, unit };
        listing::list(&mut self.client, selection, slice, pit, from, to)
    }
}
