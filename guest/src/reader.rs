//! One poll: fetch, publish, check, save, in the order in which nothing can be lost.
//!
//! ```text
//! fetch page -> plan -> publish ---acknowledged---> apply -> receipt? -> save
//!                 \-> fetch the next page meanwhile
//! ```
//!
//! State is changed after an acknowledgement only, and saved after it is changed. An error
//! at any arrow leaves what was true before it.

mod ask;
mod begin;
mod budget;
mod count;
mod deliver;
mod horizon;
mod page;
mod receipt;
mod size;

use std::collections::BTreeMap;

use crate::cluster::client::Client;
use crate::cluster::failure::Failure;
use crate::config::Config;
use crate::error::Error;
use crate::host::{Host, Level};
use crate::output::Output;
use crate::paging::Pagination;
use crate::paging::progress::Progress;
use crate::paging::slices::{Cycle, Slices};
use crate::state::{Reading, State};

use ask::Asked;
pub use budget::Budget;
use budget::Left;

/// How often one poll opens a new point in time for one that is gone.
const REOPENS_MAX: u32 = 3;

/// What a poll did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Done {
    /// Documents published.
    pub documents: u64,
    /// The cycle is not over.
    pub more: bool,
    /// When there will be more, in milliseconds from now, where that is known.
    pub wait_ms: Option<u64>,
}

/// A poll's work.
pub struct Reader<'a, H: Host> {
    /// The cluster.
    pub client: Client<'a, H>,
    /// What to read.
    pub config: &'a Config,
    /// The time that the poll was told, in milliseconds.
    pub poll_ms: u64,
    /// The time that the first poll of this instance was told, in milliseconds.
    pub first_poll_ms: u64,
    /// How long a document is given to become visible, in milliseconds.
    pub settle_ms: u64,
    /// What is known; changed page by page.
    pub state: &'a mut State,
    /// Where the output ends.
    pub output: &'a mut Output,
    /// Hits in a page, as far as they fit; at most the configured ones.
    pub page_size: &'a mut u64,
}

/// The requests for pages under way, by slice.
type Ahead<F> = BTreeMap<usize, Asked<F>>;

impl<H: Host> Reader<'_, H> {
    /// Reads until the cycle is over or the budget is spent. `save` is called after every
    /// page.
    ///
    /// # Errors
    /// What the cluster, the publisher or the save answered; the state stays at the last
    /// acknowledged page.
    pub fn read(
        &mut self,
        budget: Budget,
        mut save: impl FnMut(&mut H, &State, u64) -> Result<(), Error>,
    ) -> Result<Done, Error> {
        self.begin()?;
        let (mut done, mut left, mut reopens) = (Done::default(), Left::of(budget), 0);
        let (mut ahead, mut last) = (Ahead::new(), None);
        while let Ok(cycle) = self.cycle() {
            last = Some((cycle.until_ms, cycle.looked));
            for slice in self.unread()? {
                if left.is_spent() && !self.must_go_on(&ahead) {
                    done.more = true;
                    return Ok(done);
                }
                let read = self
                    .ask_ahead(&mut ahead, &left)
                    .and_then(|()| self.page(slice, &mut ahead, &mut left));
                match read {
                    Ok(documents) => done.documents += documents,
                    Err(Failure::ContextGone(reason)) if reopens < REOPENS_MAX => {
                        reopens += 1;
                        ahead.remove(&slice);
                        self.reopen(slice, reason)?;
                    }
                    Err(Failure::TooLarge(error)) => self.shrink(slice, &mut ahead, error)?,
                    Err(failure) => return Err(failure.into()),
                }
                save(self.client.host, self.state, self.client.now_ms)?;
            }
        }
        // A cycle that an earlier poll began offers what was there then, and one that went on from
        // different places knows of no late documents: another one follows.
        let (goal_ms, comparable) = (self.goal_ms()?, self.slices()?.is_comparable());
        let another =
            |(until_ms, looked): (u64, bool)| Some(until_ms) < goal_ms || (comparable && !looked);
        done.more = last.is_some_and(another);
        done.wait_ms = self.horizon()?.and_then(|horizon| horizon.wait_ms);
        Ok(done)
    }

    /// A page of a scroll that is under way can not be left behind.
    fn must_go_on(&self, ahead: &Ahead<H::Fetch>) -> bool {
        self.config.pagination == Pagination::Scroll && !ahead.is_empty()
    }

    /// What the cluster kept for a slice is gone: another begins at the segment's start.
    fn reopen(&mut self, slice: usize, reason: String) -> Result<(), Error> {
        self.client.host.log(
            Level::Warn,
            "what the cluster kept for reading is gone, reading goes on in a new point in time or scroll",
            &[("reason", reason)],
        );
        let size = *self.page_size;
        if let Some(context) = self.progress(slice)?.reopen(size) {
            // Parts of it may be there still: those of indices that are not gone.
            self.client.close(&context);
        }
        Ok(())
    }

    /// The slices that are not read to the horizon.
    fn unread(&mut self) -> Result<Vec<usize>, Error> {
        let slices = self.slices()?.slices.iter().enumerate();
        let unread = slices.filter(|(_, slice)| slice.pass.is_some());
        Ok(unread.map(|(number, _)| number).collect())
    }

    fn cycle(&self) -> Result<&Cycle, Error> {
        let reading = self.state.reading.as_ref();
        let cycle = reading.and_then(|reading| reading.slices.cycle.as_ref());
        cycle.ok_or_else(not_begun)
    }

    fn cycle_mut(&mut self) -> Result<&mut Cycle, Error> {
        self.slices()?.cycle.as_mut().ok_or_else(not_begun)
    }

    fn progress(&mut self, slice: usize) -> Result<&mut Progress, Error> {
        let slices = &mut self.slices()?.slices;
        slices.get_mut(slice).ok_or_else(not_begun)
    }

    fn slices(&mut self) -> Result<&mut Slices, Error> {
        Ok(&mut self.reading()?.slices)
    }

    fn reading(&mut self) -> Result<&mut Reading, Error> {
        self.state.reading.as_mut().ok_or_else(not_begun)
    }
}

fn not_begun() -> Error {
    Error::permanent("a cycle was read before it had begun; this is a defect of the component")
}
