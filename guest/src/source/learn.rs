//! What a source asks its cluster before it reads: which server it is, how the field is
//! mapped, how often the indices refresh.

#[cfg(test)]
mod tests;

use super::{Learned, Source};
use crate::cluster::client::Client;
use crate::cluster::facts::{Mapping, SETTLE_UNKNOWN_MS, settle_ms};
use crate::cluster::failure::Failure;
use crate::cluster::product::Product;
use crate::cluster::request::Request;
use crate::cluster::tiebreaker;
use crate::config::Config;
use crate::error::Error;
use crate::host::{Host, Level};
use crate::paging::Pagination;
use crate::time::Unit;

/// How long what was learned holds, in milliseconds.
const LEARN_EVERY_MS: u64 = 5 * 60_000;

impl<H: Host> Source<H> {
    /// Asks now and then, between cycles: an index that joins a pattern may be mapped, or refresh,
    /// in another way. How it is mapped is asked before each cycle until something was delivered,
    /// as the unit follows it so long. None while no index maps the field and none holds a document.
    pub(super) fn learn(&mut self) -> Result<Option<Learned>, Error> {
        let in_cycle = self
            .state
            .reading
            .as_ref()
            .is_some_and(|reading| reading.slices.cycle.is_some());
        let now_ms = self.now_ms;
        let is_recent = |learned: &Learned| now_ms.abs_diff(learned.at_ms) < LEARN_EVERY_MS;
        let recent = self.learned.filter(is_recent);
        let holds = in_cycle || (recent.is_some() && self.state.position().is_some());
        if self.learned.is_some() && holds {
            return Ok(self.learned);
        }
        let config = &self.config;
        let mut client = Client {
            host: &mut self.host,
            product: &mut self.product,
            now_ms: self.now_ms,
        };
        if client.product.is_none() {
            *client.product = detect(&mut client)?;
        }
        let has_begun = self.state.reading.is_some();
        let Some(unit) = unit(&mut client, config, has_begun)? else {
            return Ok(None);
        };
        let (settle_ms, at_ms) = match recent {
            Some(recent) => (recent.settle_ms, recent.at_ms),
            None => (settle(&mut client, config, unit)?, now_ms),
        };
        let given_up = self.state.follow(&self.config, unit);
        self.let_go(given_up);
        // A state keeps the unit of its keys, whichever kind of date an index that joined maps.
        let unit = self.state.reading(&self.config, unit)?.unit;
        let learned = Learned {
            unit,
            settle_ms,
            at_ms,
        };
        self.note(learned);
        self.learned = Some(learned);
        Ok(self.learned)
    }

    fn note(&mut self, learned: Learned) {
        let Learned {
            unit, settle_ms, ..
        } = learned;
        if self
            .learned
            .is_some_and(|before| before.unit == unit && before.settle_ms == settle_ms)
        {
            return;
        }
        let fields = [
            ("field", self.config.order().to_owned()),
            ("unit", unit.name().to_owned()),
            ("settle_ms", settle_ms.to_string()),
        ];
        self.host.log(Level::Info, "reading in order", &fields);
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

/// The unit of the timestamp field, if ties can be broken as well. None while nothing is there to
/// read and one of the two fields is mapped nowhere. Without a field, a source that has begun has
/// found documents before and is not asked again.
fn unit<H: Host>(
    client: &mut Client<'_, H>,
    config: &Config,
    has_begun: bool,
) -> Result<Option<Unit>, Error> {
    let Some(field) = config.field() else {
        let by_id = config.pagination == Pagination::DocumentId;
        let unit = if by_id { Unit::Text } else { Unit::Sequence };
        let is_there = has_begun || documents(client, config, config.order())? > 0;
        return Ok(is_there.then_some(unit));
    };
    let fields = [Some(field), config.tiebreaker_field.as_deref()];
    let fields = fields.into_iter().flatten();
    let answer = client.ask(&Request::field_caps(&config.index, fields))?;
    let (key, field, remedy) = match Mapping::parse(config, &answer.bytes)? {
        Mapping::Nowhere if config.pagination == Pagination::DocumentId => {
            ("id_field", field, "keyword or long")
        }
        Mapping::Nowhere => ("timestamp_field", field, "a date"),
        Mapping::Sorted(unit) if tiebreaker::is_mapped(config, &answer.bytes)? => {
            return Ok(Some(unit));
        }
        Mapping::Sorted(_) => ("tiebreaker_field", config.tiebreaker(), "long"),
    };
    let documents = documents(client, config, field)?;
    let index = &config.index;
    if documents > 0 {
        return Err(Error::permanent(format!(
            "{key} {field:?} is mapped in no index of {index:?}, though {documents} documents are there; check the field's name, or map it as {remedy}"
        )));
    }
    Ok(None)
}

/// How many documents the indices hold, whatever is in them; none are worth a line of the log.
fn documents<H: Host>(
    client: &mut Client<'_, H>,
    config: &Config,
    field: &str,
) -> Result<u64, Error> {
    let documents = client.count(&Request::count_all(&config.index))?;
    if documents == 0 {
        let fields = [("index", config.index.clone()), ("field", field.to_owned())];
        client
            .host
            .log(Level::Info, "no document to read yet", &fields);
    }
    Ok(documents)
}

/// How long a document is given: as configured, or derived from the refresh interval.
fn settle<H: Host>(client: &mut Client<'_, H>, config: &Config, unit: Unit) -> Result<u64, Error> {
    match config.settle_ms {
        Some(settle_ms) => Ok(settle_ms),
        None if unit == Unit::Sequence => Ok(0),
        None => derived_settle(client, config),
    }
}

/// Derived from the refresh interval where that can be read.
fn derived_settle<H: Host>(client: &mut Client<'_, H>, config: &Config) -> Result<u64, Error> {
    let known = match client.ask(&Request::refresh_interval(&config.index)) {
        Ok(answer) => settle_ms(&answer.bytes),
        Err(
            Failure::Error(Error::Permanent(_))
            | Failure::TooLarge(Error::TooLarge(_))
            | Failure::UnknownPath(_),
        ) => None,
        Err(failure) => return Err(failure.into()),
    };
    Ok(known.unwrap_or_else(|| {
        let remedy = "set \"settle\" to the time until a document is visible".to_owned();
        let fields = [
            ("settle_ms", SETTLE_UNKNOWN_MS.to_string()),
            ("remedy", remedy),
        ];
        client.host.log(
            Level::Warn,
            "the refresh interval can not be read, or an index refreshes only on demand",
            &fields,
        );
        SETTLE_UNKNOWN_MS
    }))
}
