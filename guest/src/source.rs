//! The life of a source: open, poll, backlog, close.
//!
//! `open` asks nothing of the cluster, so that a configuration can be checked without one;
//! the first poll learns what it needs to know.

use crate::cluster::client::Client;
use crate::cluster::facts::{Mapping, SETTLE_UNKNOWN_MS, settle_ms};
use crate::cluster::failure::Failure;
use crate::cluster::product::Product;
use crate::cluster::query::Selection;
use crate::cluster::request::Request;
use crate::config::Config;
use crate::error::Error;
use crate::host::{Host, Level};
use crate::reader::{Budget, Done, Reader};
use crate::state::{FORMAT, State};
use crate::time::Unit;

/// Without `auto_save_interval`, a long poll saves this often.
const SAVE_EVERY_MS: u64 = 1_000;

/// An open source.
pub struct Source<H: Host> {
    host: H,
    config: Config,
    state: State,
    saves: Saves,
    product: Option<Product>,
    /// How long a document is given to become visible, once that is known.
    settle_ms: Option<u64>,
}

/// What was saved, and when.
#[derive(Debug, Default)]
struct Saves {
    revision: Option<String>,
    at_ms: u64,
    documents: u64,
    /// The last save failed: the next poll begins with it, and publishes nothing before.
    failed: bool,
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
    /// Reads the configuration and the state, and tells the publisher where it ends. A new
    /// state is saved before anything is published, so that a crash finds out what was.
    ///
    /// # Errors
    /// The configuration's, the state's or the publisher's.
    pub fn open(mut host: H, config: &str, now_ms: u64) -> Result<Self, Error> {
        let config = Config::parse(config)?;
        let saved = host.load()?;
        let state = saved
            .as_ref()
            .map(|saved| State::parse(&saved.data, saved.format))
            .transpose()?
            .unwrap_or_default();
        let revision = saved.map(|saved| saved.revision);
        let position = host.resume(state.output.as_deref())?;
        let saves = Saves {
            revision,
            at_ms: now_ms,
            documents: state.total_documents_fetched,
            failed: false,
        };
        let mut source = Self {
            host,
            config,
            state,
            saves,
            product: None,
            settle_ms: None,
        };
        if source.state.output.is_none() {
            source.state.output = Some(position);
            source.save(now_ms)?;
        }
        Ok(source)
    }

    /// Reads until it has caught up or the budget is spent.
    ///
    /// # Errors
    /// See [`Error`]. Whatever was acknowledged before stays acknowledged.
    pub fn poll(&mut self, now_ms: u64, budget: Budget) -> Result<Done, Error> {
        let outcome = self
            .save_again(now_ms)
            .and_then(|()| self.learn_and_read(now_ms, budget));
        if let Err(error) = &outcome {
            self.state.count_error(error);
        }
        let saved = if self.save_is_due(now_ms) {
            self.save(now_ms)
        } else {
            Ok(())
        };
        let done = outcome?;
        saved.map(|()| done)
    }

    fn save_again(&mut self, now_ms: u64) -> Result<(), Error> {
        if self.saves.failed {
            self.save(now_ms)?;
        }
        Ok(())
    }

    fn learn_and_read(&mut self, now_ms: u64, budget: Budget) -> Result<Done, Error> {
        if self.learn(now_ms)? {
            return self.read(now_ms, budget);
        }
        Ok(Done::default())
    }

    fn read(&mut self, now_ms: u64, budget: Budget) -> Result<Done, Error> {
        let (config, saves) = (&self.config, &mut self.saves);
        let client = Client {
            host: &mut self.host,
            product: &mut self.product,
            now_ms,
        };
        let settle_ms = self.settle_ms.unwrap_or(SETTLE_UNKNOWN_MS);
        let mut reader = Reader {
            client,
            config,
            settle_ms,
            state: &mut self.state,
        };
        reader.read(budget, |host, state, now_ms| {
            let interval_ms = config.auto_save_interval_ms.unwrap_or(SAVE_EVERY_MS);
            if saves.is_due(config, state, now_ms, interval_ms) {
                saves.save(host, config, state, now_ms)
            } else {
                Ok(())
            }
        })
    }

    /// Learns product, unit and settle time, once. False while no index maps the field and
    /// none holds a document.
    fn learn(&mut self, now_ms: u64) -> Result<bool, Error> {
        if self.settle_ms.is_some() {
            return Ok(true);
        }
        let config = &self.config;
        let mut client = Client {
            host: &mut self.host,
            product: &mut self.product,
            now_ms,
        };
        if client.product.is_none() {
            *client.product = detect(&mut client)?;
        }
        let Some(unit) = unit(&mut client, config)? else {
            return Ok(false);
        };
        let settle_ms = match config.settle_ms {
            Some(settle_ms) => settle_ms,
            None => settle(&mut client, config)?,
        };
        let unit = self.state.reading(unit)?.unit;
        let fields = [
            ("field", config.timestamp_field.clone()),
            ("unit", format!("{unit:?}").to_lowercase()),
            ("settle_ms", settle_ms.to_string()),
        ];
        self.host.log(Level::Info, "reading by timestamp", &fields);
        self.settle_ms = Some(settle_ms);
        Ok(true)
    }

    /// Counts what matches and is not delivered at this time.
    ///
    /// # Errors
    /// What the cluster answers.
    pub fn backlog(&mut self, now_ms: u64) -> Result<Backlog, Error> {
        if !self.learn(now_ms)? {
            return Ok(Backlog::default());
        }
        let unit = self.state.reading(Unit::Ms)?.unit;
        let selection = Selection {
            config: &self.config,
            unit,
        };
        let horizon_ms = now_ms.saturating_sub(self.settle_ms.unwrap_or(SETTLE_UNKNOWN_MS));
        let horizon = unit.from_millis(i64::try_from(horizon_ms).unwrap_or(i64::MAX));
        let mut client = Client {
            host: &mut self.host,
            product: &mut self.product,
            now_ms,
        };
        let mut count = |query| client.count(&Request::count(&self.config.index, query));
        Ok(Backlog {
            beyond_horizon: count(selection.since(horizon))?,
            without_timestamp: count(selection.without_timestamp())?,
        })
    }

    /// Saves what is not saved yet and closes the point in time; another instance goes on at
    /// the segment's start.
    ///
    /// # Errors
    /// The store's.
    pub fn close(&mut self, now_ms: u64) -> Result<(), Error> {
        let pit = self
            .state
            .reading
            .as_mut()
            .and_then(|reading| reading.progress.abandon());
        if let Some(pit) = pit {
            Client {
                host: &mut self.host,
                product: &mut self.product,
                now_ms,
            }
            .close_pit(&pit);
        }
        self.save(now_ms)
    }

    /// Without an interval, every poll ends with a save; one that has just failed waits for
    /// the next poll.
    fn save_is_due(&self, now_ms: u64) -> bool {
        let interval_ms = self.config.auto_save_interval_ms.unwrap_or(0);
        !self.saves.failed
            && self
                .saves
                .is_due(&self.config, &self.state, now_ms, interval_ms)
    }

    fn save(&mut self, now_ms: u64) -> Result<(), Error> {
        self.saves
            .save(&mut self.host, &self.config, &self.state, now_ms)
    }
}

impl Saves {
    /// Whether enough time has passed, or enough messages wait.
    fn is_due(&self, config: &Config, state: &State, now_ms: u64, interval_ms: u64) -> bool {
        let unsaved = state.total_documents_fetched.saturating_sub(self.documents);
        now_ms.saturating_sub(self.at_ms) >= interval_ms
            || unsaved + config.batch_size > config.unsaved_max
    }

    fn save<H: Host>(
        &mut self,
        host: &mut H,
        config: &Config,
        state: &State,
        now_ms: u64,
    ) -> Result<(), Error> {
        let data = state.to_json(config.tracked_fields.as_deref())?;
        self.failed = true;
        let revision = host.save(data, FORMAT, self.revision.as_deref())?;
        let documents = state.total_documents_fetched;
        *self = Self {
            revision: Some(revision),
            at_ms: now_ms,
            documents,
            failed: false,
        };
        Ok(())
    }
}

/// Asks the cluster what it is. A restricted user may not ask, which is no error.
fn detect<H: Host>(client: &mut Client<'_, H>) -> Result<Option<Product>, Error> {
    let fetch = client.host.fetch(&Request::root());
    let answer = client.host.fetched(fetch)?;
    Ok(Product::detect(
        answer.header("x-elastic-product"),
        &answer.bytes,
    ))
}

/// The unit of the field. None while it is mapped nowhere and nothing is there to read.
fn unit<H: Host>(client: &mut Client<'_, H>, config: &Config) -> Result<Option<Unit>, Error> {
    let answer = client.ask(&Request::field_caps(&config.index, &config.timestamp_field))?;
    if let Mapping::Dates(unit) = Mapping::parse(config, &answer.bytes)? {
        return Ok(Some(unit));
    }
    let documents = client.count(&Request::count_all(&config.index))?;
    let (field, index) = (&config.timestamp_field, &config.index);
    if documents > 0 {
        return Err(Error::permanent(format!(
            "timestamp_field {field:?} is mapped in no index of {index:?}, though {documents} documents are there; check the field's name, or map it as a date"
        )));
    }
    client.host.log(
        Level::Info,
        "no document to read yet",
        &[("index", index.clone()), ("field", field.clone())],
    );
    Ok(None)
}

fn settle<H: Host>(client: &mut Client<'_, H>, config: &Config) -> Result<u64, Error> {
    let known = match client.ask(&Request::refresh_interval(&config.index)) {
        Ok(answer) => settle_ms(&answer.bytes),
        Err(Failure::Error(Error::Permanent(_)) | Failure::UnknownPath(_)) => None,
        Err(failure) => return Err(failure.into()),
    };
    Ok(known.unwrap_or_else(|| {
        let fields = [
            ("settle_ms", SETTLE_UNKNOWN_MS.to_string()),
            (
                "remedy",
                "allow view_index_metadata, or set \"settle\"".to_owned(),
            ),
        ];
        client
            .host
            .log(Level::Warn, "the refresh interval can not be read", &fields);
        SETTLE_UNKNOWN_MS
    }))
}
