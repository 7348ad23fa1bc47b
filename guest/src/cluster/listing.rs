//! Counting documents where no range of what orders them can be asked for: by listing their
//! ids, page by page, in a point in time.

#[cfg(test)]
mod tests;

use super::answer::Page;
use super::client::Client;
use super::failure::Failure;
use super::query::Selection;
use super::request::Request;
use super::search::Search;
use super::shards::Slice;
use crate::host::Host;
use crate::key::{Key, Point};
use crate::paging::context::{Begin, Context, Within};
use crate::paging::document_id::{self, before, larger_list};

/// What a list says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Listed {
    /// Documents from its beginning on and before its end.
    pub within: u64,
    /// Documents in all, wherever they stand.
    pub total: u64,
}

impl<H: Host> Client<'_, H> {
    /// How many documents stand at or after this value.
    pub fn count_since(
        &mut self,
        selection: Selection<'_>,
        slice: Slice,
        point: &Point,
    ) -> Result<u64, Failure> {
        if document_id::has_no_ranges(selection.config) {
            let from = Key::at(point.clone());
            return Ok(list(self, selection, slice, None, &from, None)?.within);
        }
        self.count(&Request::count(
            selection.config,
            slice,
            selection.since(point),
        ))
    }

    /// How many documents have no value to be ordered by.
    pub fn count_without_field(
        &mut self,
        selection: Selection<'_>,
        slice: Slice,
    ) -> Result<u64, Failure> {
        if selection.config.field().is_none() {
            return Ok(0);
        }
        let query = selection.without_timestamp();
        self.count(&Request::count(selection.config, slice, query))
    }
}

/// Lists what stands from one place on and before another, or to the end of all.
///
/// # Errors
/// What the cluster answers. The point in time is closed if it was opened here.
pub fn list<H: Host>(
    client: &mut Client<'_, H>,
    selection: Selection<'_>,
    slice: Slice,
    pit: Option<&str>,
    from: &Key,
    to: Option<&Key>,
) -> Result<Listed, Failure> {
    if let Some(pit) = pit {
        return list_in(client, selection, slice, pit, from, to);
    }
    let Some(pit) = client.open_pit(selection.config, slice)? else {
        return Ok(Listed::default());
    };
    let listed = list_in(client, selection, slice, &pit, from, to);
    client.close(&Context::Pit(pit));
    listed
}

fn list_in<H: Host>(
    client: &mut Client<'_, H>,
    selection: Selection<'_>,
    slice: Slice,
    pit: &str,
    from: &Key,
    to: Option<&Key>,
) -> Result<Listed, Failure> {
    let (mut listed, mut pit) = (Listed::default(), pit.to_owned());
    let mut begin = from.clone();
    // What fits the window of every matched index.
    let mut size = selection.config.batch_size;
    // What was listed and shares the place where the next page begins.
    let mut repeated = 0;
    loop {
        let request = Request::search(&Search {
            selection,
            within: Within::Pit(&pit),
            slice,
            from: Key::MIN,
            to: Key::MIN,
            begin: begin_at(&begin),
            size,
            count: listed.total == 0,
            contents: false,
            product: *client.product,
        });
        let answer = client.ask(&request)?;
        let page = Page::parse(&answer.bytes)?;
        if let Some(Context::Pit(newest)) = page.context {
            pit = newest;
        }
        listed.total = page.total.unwrap_or(listed.total);
        let hits = page.hits.len();
        let keys = page.hits.iter().map(|hit| &hit.key);
        let within = to.map_or(hits, |to| before(keys.clone(), to));
        let fresh = within.saturating_sub(repeated);
        listed.within += fresh as u64;
        let last = page.hits.last().map(|hit| &hit.key);
        if within < hits || (hits as u64) < size {
            return Ok(listed);
        }
        let Some(last) = last.filter(|_| fresh > 0) else {
            size = larger_list(size)?;
            continue;
        };
        repeated = keys.filter(|key| *key == last).count();
        begin = last.clone();
    }
}

fn begin_at(place: &Key) -> Begin {
    match *place == Key::MIN {
        true => Begin::First,
        false => Begin::At(place.clone()),
    }
}
