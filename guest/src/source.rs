//! The life of a source: open, poll, backlog, close.
//!
//! `open` asks nothing of the cluster, so that a configuration can be checked without one;
//! the first poll learns what it needs to know.

mod learn;

use crate::cluster::client::Client;
use crate::cluster::product::Product;
use crate::cluster::query::Selection;
use crate::config::Config;
use crate::error::Error;
use crate::host::{Host, Level};
use crate::key::Point;
use crate::message::id_prefix;
use crate::output::Output;
use crate::paging::Pagination;
use crate::paging::context::Context;
use crate::reader::{Budget, Done, Reader};
use crate::saves::Saves;
use crate::state::{Mark, State};
use crate::time::Unit;

/// After so many failed polls in a row, the point in time is given up.
const FAILURES_MAX: u32 = 3;
/// Without `auto_save_interval`, a long poll saves this often.
const SAVE_EVERY_MS: u64 = 1_000;

/// An open source.
pub struct Source<H: Host> {
    host: H,
    config: Config,
    state: State,
    saves: Saves<H::Save>,
    product: Option<Product>,
    /// What is read and since when it may be, once that is known.
    learned: Option<Learned>,
    /// The time that the first poll was told; none before it.
    first_poll_ms: Option<u64>,
    /// The latest time that the host told.
    now_ms: u64,
    /// Polls that failed in a row.
    failures: u32,
    output: Output,
    /// Hits in a page, as far as they fit.
    page_size: u64,
    /// Scrolls that a run left behind which did not end cleanly.
    stale: Vec<Context>,
}

/// What the cluster said of the configured index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Learned {
    unit: Unit,
    /// How long a document is given to become visible.
    settle_ms: u64,
    /// When that was asked, in milliseconds.
    at_ms: u64,
}

/// What matches and was not delivered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// At or after the horizon.
    pub beyond_horizon: u64,
    /// Without a value in the timestamp field.
    pub without_timestamp: u64,
}

impl<H: Host> Source<H> {
    /// Reads the configuration and the state, and tells the publisher where it ends. Before
    /// anything is published, the saved state says where every destination began, and that
    /// a run is under way.
    ///
    /// # Errors
    /// The configuration's, the state's or the publisher's.
    pub fn open(mut host: H, config: &str, now_ms: u64) -> Result<Self, Error> {
        let config = Config::parse(config)?;
        let saved = host.load()?;
        let mut state = saved
            .as_ref()
            .map(|saved| State::parse(&saved.data, saved.format))
            .transpose()?
            .unwrap_or_default();
        state.check(&config)?;
        let is_first = state.output.is_none();
        state.start(config.start, now_ms);
        let found = host.resume(state.saved_output(), id_prefix(&config.id_namespace))?;
        let (output, joined) = Output::resumed(&mut state, found, now_ms);
        let stale = state.give_up_contexts(config.pagination);
        let page_size = config.batch_size;
        let saves = Saves::following(saved, &state, now_ms);
        let mut source = Self {
            host,
            config,
            state,
            saves,
            product: None,
            learned: None,
            first_poll_ms: None,
            now_ms,
            failures: 0,
            output,
            page_size,
            stale,
        };
        if !is_first {
            source.report_joined(&joined);
        }
        if is_first || source.state.settled || !joined.is_empty() {
            source.state.settled = false;
            source.save()?;
        }
        Ok(source)
    }

    fn report_joined(&mut self, joined: &[Mark]) {
        for mark in joined {
            let fields = [
                ("stream", mark.stream.clone()),
                ("topic", mark.topic.clone()),
            ];
            self.host.log(
                Level::Warn,
                "a destination that joins gets what is published from now on",
                &fields,
            );
        }
    }

    /// Reads until it has caught up or the budget is spent.
    ///
    /// # Errors
    /// See [`Error`]. Whatever was acknowledged before stays acknowledged.
    pub fn poll(&mut self, now_ms: u64, budget: Budget) -> Result<Done, Error> {
        self.now_ms = self.now_ms.max(now_ms);
        let outcome = self
            .save_again()
            .and_then(|()| self.learn_and_read(now_ms, budget));
        match &outcome {
            Ok(_) => self.failures = 0,
            Err(error) => self.note_failure(error),
        }
        let interval_ms = self.config.auto_save_interval_ms.unwrap_or(0);
        let due = self
            .saves
            .is_due(&self.config, &self.state, self.now_ms, interval_ms);
        let saved = if due {
            self.save()
        } else {
            self.saves.finish(&mut self.host)
        };
        let done = outcome?;
        saved.map(|()| done)
    }

    fn save_again(&mut self) -> Result<(), Error> {
        if self.saves.failed() {
            self.save()
        } else {
            Ok(())
        }
    }

    fn learn_and_read(&mut self, now_ms: u64, budget: Budget) -> Result<Done, Error> {
        let stale = std::mem::take(&mut self.stale);
        self.let_go(stale);
        let Some(Learned { settle_ms, .. }) = self.learn()? else {
            return Ok(Done::default());
        };
        let (config, saves) = (&self.config, &mut self.saves);
        let client = Client {
            host: &mut self.host,
            product: &mut self.product,
            now_ms: self.now_ms,
        };
        let mut reader = Reader {
            client,
            config,
            poll_ms: now_ms,
            first_poll_ms: *self.first_poll_ms.get_or_insert(now_ms),
            settle_ms,
            state: &mut self.state,
            output: &mut self.output,
            page_size: &mut self.page_size,
        };
        let done = reader.read(budget, |host, state, now_ms| {
            let interval_ms = config.auto_save_interval_ms.unwrap_or(SAVE_EVERY_MS);
            saves.after_page(host, config, state, now_ms, interval_ms)
        });
        self.now_ms = reader.client.now_ms;
        done
    }

    /// A point in time that only fails, as its node is gone, is given up after a while; a scroll
    /// at once, as nobody knows how far it has moved on.
    fn note_failure(&mut self, error: &Error) {
        self.state.count_error(error);
        self.failures += 1;
        let is_scroll = self.config.pagination == Pagination::Scroll;
        if is_scroll || self.failures.is_multiple_of(FAILURES_MAX) {
            let contexts = self.abandon();
            self.let_go(contexts);
        }
    }

    /// The next cycle begins in new contexts.
    fn abandon(&mut self) -> Vec<Context> {
        let reading = self.state.reading.as_mut();
        reading.map_or_else(Vec::new, |reading| reading.slices.abandon())
    }

    fn let_go(&mut self, contexts: Vec<Context>) {
        let mut client = Client {
            host: &mut self.host,
            product: &mut self.product,
            now_ms: self.now_ms,
        };
        contexts.iter().for_each(|context| client.close(context));
    }

    /// Counts what matches and is not delivered at this time.
    ///
    /// # Errors
    /// What the cluster answers.
    pub fn backlog(&mut self, now_ms: u64) -> Result<Backlog, Error> {
        let Some(Learned {
            unit, settle_ms, ..
        }) = self.learn()?
        else {
            return Ok(Backlog::default());
        };
        if unit == Unit::Sequence {
            return Ok(Backlog::default());
        }
        let mut client = Client {
            host: &mut self.host,
            product: &mut self.product,
            now_ms: self.now_ms.max(now_ms),
        };
        let (config, reading) = (&self.config, self.state.reading.as_ref());
        let selection = Selection { config, unit };
        let sightings = reading.map(|reading| &reading.slices.sightings);
        let seen = sightings.filter(|_| unit.grows());
        let until_ms = now_ms.saturating_sub(settle_ms);
        let horizon = match seen.map(|seen| seen.horizon(now_ms, client.now_ms, settle_ms, 0)) {
            Some(seen) => seen.last.map_or(Point::MIN, |last| last.next()),
            None => unit.from_millis(until_ms).into(),
        };
        Ok(Backlog {
            beyond_horizon: client.count_since(selection, config.slice, &horizon)?,
            without_timestamp: client.count_without_field(selection, config.slice)?,
        })
    }

    /// Saves what is not saved yet and closes the point in time; another instance goes on at
    /// the segment's start. A scroll stays, as no call is under way: another instance goes on in
    /// it, unless it expires before.
    ///
    /// # Errors
    /// The store's.
    pub fn close(&mut self) -> Result<(), Error> {
        let contexts = match self.config.pagination {
            Pagination::Scroll => Vec::new(),
            _ => self.abandon(),
        };
        self.state.settled = self.output.is_settled();
        let saved = self.save();
        // A cluster that does not answer must not keep the state from being saved.
        self.let_go(contexts);
        saved
    }

    fn save(&mut self) -> Result<(), Error> {
        self.saves
            .begin(&mut self.host, &self.config, &self.state, self.now_ms)?;
        self.saves.finish(&mut self.host)
    }
}
