//! One poll: fetch, publish, check, save, in the order in which nothing can be lost.
//!
//! ```text
//! fetch page -> plan -> publish ---acknowledged---> apply -> receipt? -> save
//!                 \-> fetch the next page meanwhile
//! ```
//!
//! State is changed after an acknowledgement only, and saved after it is changed. An error
//! at any arrow leaves what was true before it.

mod budget;
mod deliver;
mod receipt;

use crate::cluster::answer::Page;
use crate::cluster::client::Client;
use crate::cluster::failure::Failure;
use crate::cluster::query::Selection;
use crate::cluster::request::{Request, Search};
use crate::config::Config;
use crate::error::Error;
use crate::host::{Answer, Host, Level};
use crate::key::Key;
use crate::message::message_id;
use crate::output::Output;
use crate::paging::timestamp::{Arrived, Cycle, Next, Seen, Settled};
use crate::state::{Reading, State};

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
}

/// A poll's work.
pub struct Reader<'a, H: Host> {
    /// The cluster.
    pub client: Client<'a, H>,
    /// What to read.
    pub config: &'a Config,
    /// Documents before this time are old enough to be read, in milliseconds.
    pub until_ms: u64,
    /// What is known; changed page by page.
    pub state: &'a mut State,
    /// Where the output ends.
    pub output: &'a mut Output,
}

/// A page's request under way, and when it was made.
struct Asked<F> {
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
        let inherited = self.cycle().ok().map(|cycle| cycle.horizon);
        self.begin()?;
        let (mut done, mut left, mut reopens, mut next) =
            (Done::default(), Left::of(budget), 0, None);
        while self.cycle().is_ok() {
            if left.is_spent() {
                done.more = true;
                return Ok(done);
            }
            match self.page(&mut next, &mut left) {
                Ok(documents) => done.documents += documents,
                Err(Failure::ContextGone(reason)) if reopens < REOPENS_MAX => {
                    (reopens, next) = (reopens + 1, None);
                    self.reopen(reason)?;
                }
                Err(failure) => return Err(failure.into()),
            }
            save(self.client.host, self.state, self.client.now_ms)?;
        }
        // A cycle that an earlier poll began ends at an older horizon: one to this poll's follows.
        let horizon = self.horizon()?;
        done.more = inherited.is_some_and(|inherited| inherited < horizon);
        Ok(done)
    }

    /// Begins a cycle unless one is under way or there is nothing before the horizon.
    fn begin(&mut self) -> Result<(), Error> {
        if self.cycle().is_err() && !self.begin_cycle()? {
            self.state.count_cycle(0, self.client.now_ms);
        }
        Ok(())
    }

    /// A cycle to this run's horizon. False if there is nothing before it.
    fn begin_cycle(&mut self) -> Result<bool, Error> {
        self.check_crowd()?;
        let (horizon, size) = (self.horizon()?, self.config.batch_size);
        Ok(self.reading()?.progress.begin(horizon, size))
    }

    /// The point in time is gone: another begins at the segment's start.
    fn reopen(&mut self, reason: String) -> Result<(), Error> {
        self.client.host.log(
            Level::Warn,
            "the point in time is gone, reading goes on in a new one",
            &[("reason", reason)],
        );
        let documents = self.cycle().map_or(0, |cycle| cycle.documents);
        if let Some(pit) = self.reading()?.progress.abandon() {
            // Parts of it may be there still: those of indices that are not gone.
            self.client.close_pit(&pit);
        }
        self.begin_cycle()?;
        if let Some(cycle) = &mut self.reading()?.progress.cycle {
            cycle.documents = documents;
        }
        Ok(())
    }

    /// One page, from its answer to its receipt. Returns how many documents were published.
    fn page(
        &mut self,
        next: &mut Option<Asked<H::Fetch>>,
        left: &mut Left,
    ) -> Result<u64, Failure> {
        let Fetched {
            answer,
            size,
            asked_ms,
        } = match next.take() {
            Some(asked) => self.answer(asked)?,
            None => self.fetch_page()?,
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
        let plan = self.reading()?.progress.plan(arrived);
        if plan.goes_on && !left.is_spent() {
            *next = Some(self.ask_page(plan.after)?);
        }
        let documents = self.deliver(&answer, &page, &plan, asked_ms)?;
        let after = self.apply(arrived)?;
        if let Next::Receipt(to) = after
            && self.receipt(to, page.total)? != Settled::GoesOn
        {
            *next = None;
        }
        Ok(documents)
    }

    /// The first page of a cycle is a search of the index as it is. If it holds all that it
    /// counts, it is a snapshot by itself; if not, it is asked for again in a point in time.
    fn fetch_page(&mut self) -> Result<Fetched<H::Body>, Failure> {
        let after = self.cycle()?.after;
        let asked = self.ask_page(after)?;
        let fetched = self.answer(asked)?;
        if self.cycle()?.pit.is_some() {
            return Ok(fetched);
        }
        let page = Page::parse(&fetched.answer.bytes)?;
        if page.total == Some(page.hits.len() as u64) {
            return Ok(fetched);
        }
        let pit = self.client.open_pit(&self.config.index)?;
        self.cycle_mut()?.pit = Some(pit);
        let asked = self.ask_page(None)?;
        self.answer(asked)
    }

    fn ask_page(&mut self, after: Option<Key>) -> Result<Asked<H::Fetch>, Error> {
        let start = self.reading()?.progress.start;
        let cycle = self.cycle()?;
        let (size, count) = (cycle.size, cycle.total.is_none());
        let stretch = (cycle.from.unwrap_or(start), cycle.end());
        let request = self.search(stretch, after, size, count)?;
        Ok(Asked {
            fetch: self.client.host.fetch(&request),
            request,
            size,
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

    /// A search from one place to another, in the cycle's point in time.
    fn search(
        &mut self,
        (from, to): (Key, Key),
        after: Option<Key>,
        size: u64,
        count: bool,
    ) -> Result<Request, Error> {
        let (config, product) = (self.config, *self.client.product);
        let Reading { unit, progress, .. } = self.reading()?;
        let unit = *unit;
        let selection = Selection { config, unit };
        let pit = progress
            .cycle
            .as_ref()
            .and_then(|cycle| cycle.pit.as_deref());
        Ok(Request::search(&Search {
            selection,
            pit,
            from,
            to,
            after,
            size,
            count,
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

    /// Advances position, edge and watermark together.
    fn apply(&mut self, page: Arrived<'_>) -> Result<Next, Error> {
        let edge_max = self.config.edge_max;
        let Reading { unit, progress, .. } = self.reading()?;
        let next = progress.apply(page, edge_max);
        if let Some(watermark) = progress
            .position
            .map(|position| unit.to_iso(position.timestamp))
        {
            self.state.last_poll_timestamp = Some(watermark);
        }
        Ok(next)
    }

    /// Documents before this timestamp are old enough to be read.
    fn horizon(&mut self) -> Result<i64, Error> {
        let until_ms = self.until_ms;
        Ok(self.reading()?.unit.from_millis(until_ms))
    }

    /// The newest id of the point in time replaces the old one.
    fn keep_pit(&mut self, page: &Page<'_>) {
        if let (Ok(cycle), Some(pit)) = (self.cycle_mut(), &page.pit) {
            cycle.pit = Some(pit.clone().into_owned());
        }
    }

    fn cycle(&self) -> Result<&Cycle, Error> {
        self.state
            .reading
            .as_ref()
            .and_then(|reading| reading.progress.cycle.as_ref())
            .ok_or_else(not_begun)
    }

    fn cycle_mut(&mut self) -> Result<&mut Cycle, Error> {
        self.state
            .reading
            .as_mut()
            .and_then(|reading| reading.progress.cycle.as_mut())
            .ok_or_else(not_begun)
    }

    fn reading(&mut self) -> Result<&mut Reading, Error> {
        self.state.reading.as_mut().ok_or_else(not_begun)
    }
}

fn not_begun() -> Error {
    Error::permanent("a cycle was read before it had begun; this is a defect of the component")
}
