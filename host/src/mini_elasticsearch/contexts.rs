//! What the server keeps between requests: points in time and scrolls, with expiry.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;

use super::Product;
use super::error::Cause;

/// `search.max_keep_alive`.
const KEEP_ALIVE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// How many shards may be held open, as each of them has a context of its own.
#[derive(Debug)]
pub(super) struct Most {
    shards: usize,
    kind: &'static str,
    what: &'static str,
    setting: &'static str,
}

/// Open contexts of one sort by number.
#[derive(Debug)]
pub(super) struct Contexts<T> {
    /// What an id begins with.
    prefix: &'static str,
    most: Option<Most>,
    open: BTreeMap<u64, Context<T>>,
    last: u64,
}

#[derive(Debug)]
struct Context<T> {
    value: T,
    shards: usize,
    keep_alive: Duration,
    expires: Instant,
    /// Grows with every use; ids change with it now and then.
    uses: u64,
}

/// An id that names no context now: malformed, or gone.
pub(super) enum NoContext {
    Malformed,
    Gone(u64),
}

impl Most {
    pub(super) fn of_scrolls(product: Product) -> Self {
        Self {
            shards: 500,
            kind: match product {
                Product::Elasticsearch => "too_many_scroll_contexts_exception",
                Product::OpenSearch => "rejected_execution_exception",
            },
            what: "scroll",
            setting: "search.max_open_scroll_context",
        }
    }

    /// Elasticsearch has as many as its memory holds.
    pub(super) fn of_pits(product: Product) -> Option<Self> {
        (product == Product::OpenSearch).then_some(Self {
            shards: 300,
            kind: "rejected_execution_exception",
            what: "Point In Time",
            setting: "search.max_open_pit_context",
        })
    }

    fn exceeded(&self) -> Cause {
        let Self {
            shards,
            kind,
            what,
            setting,
        } = self;
        let reason = format!(
            "Trying to create too many {what} contexts. Must be less than or equal to: [{shards}]. This limit can be set by changing the [{setting}] setting."
        );
        Cause::new(429, kind, reason)
    }
}

impl<T> Contexts<T> {
    pub(super) fn new(prefix: &'static str, most: Option<Most>) -> Self {
        Self {
            prefix,
            most,
            open: BTreeMap::new(),
            last: 0,
        }
    }

    /// Opens a context of so many shards and returns its id.
    pub(super) fn open(
        &mut self,
        value: T,
        shards: usize,
        keep_alive: Duration,
    ) -> Result<String, Cause> {
        self.expire();
        let held = || self.open.values().map(|context| context.shards);
        if let Some(most) = &self.most
            && held().sum::<usize>() + shards > most.shards
        {
            return Err(most.exceeded());
        }
        self.last += 1;
        let expires = Instant::now() + keep_alive;
        self.open.insert(
            self.last,
            Context {
                value,
                shards,
                keep_alive,
                expires,
                uses: 0,
            },
        );
        Ok(self.id(self.last, 0))
    }

    /// Uses a context, which extends its life, and returns it with the id to use next:
    /// another one at every third use.
    pub(super) fn touch(
        &mut self,
        id: &str,
        keep_alive: Option<Duration>,
    ) -> Result<(&mut T, String), NoContext> {
        self.expire();
        let number = self.number(id)?;
        let prefix = self.prefix;
        let context = self.open.get_mut(&number).ok_or(NoContext::Gone(number))?;
        context.keep_alive = keep_alive.unwrap_or(context.keep_alive);
        context.expires = Instant::now() + context.keep_alive;
        context.uses += 1;
        Ok((&mut context.value, encode(prefix, number, context.uses / 3)))
    }

    /// Closes a context and returns what it held, nothing if it was gone.
    pub(super) fn close(&mut self, id: &str) -> Result<Option<T>, NoContext> {
        self.expire();
        let number = self.number(id)?;
        Ok(self.open.remove(&number).map(|context| context.value))
    }

    /// Closes all and returns what they held.
    pub(super) fn close_all(&mut self) -> Vec<T> {
        std::mem::take(&mut self.open)
            .into_values()
            .map(|context| context.value)
            .collect()
    }

    pub(super) fn len(&mut self) -> usize {
        self.expire();
        self.open.len()
    }

    fn expire(&mut self) {
        let now = Instant::now();
        self.open.retain(|_, context| context.expires > now);
    }

    fn id(&self, number: u64, change: u64) -> String {
        encode(self.prefix, number, change)
    }

    fn number(&self, id: &str) -> Result<u64, NoContext> {
        let decoded = URL_SAFE
            .decode(id)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok());
        let number = decoded.as_deref().and_then(|text| {
            text.strip_prefix(self.prefix)?
                .split(':')
                .nth(1)?
                .parse()
                .ok()
        });
        number.ok_or(NoContext::Malformed)
    }
}

/// An id as long as those of the real servers, which name every shard.
fn encode(prefix: &str, number: u64, change: u64) -> String {
    URL_SAFE.encode(format!("{prefix}:{number}:{change}:{}", "mini ".repeat(40)))
}

/// Reads a time such as `30s`.
///
/// # Errors
///
/// An argument error that names the parameter.
pub(super) fn parse_time(text: &str, name: &str) -> Result<Duration, Cause> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => 0,
    };
    match number.parse::<u64>() {
        Ok(number) if millis > 0 => Ok(Duration::from_millis(number.saturating_mul(millis))),
        _ => Err(Cause::argument(format!(
            "failed to parse setting [{name}] with value [{text}] as a time value: unit is missing or unrecognized"
        ))),
    }
}

/// Reads a keep-alive, at most a day.
pub(super) fn parse_keep_alive(text: &str, name: &str) -> Result<Duration, Cause> {
    let keep_alive = parse_time(text, name)?;
    if keep_alive > KEEP_ALIVE_MAX {
        return Err(Cause::argument(format!(
            "Keep alive for request ({text}) is too large. It must be less than (1d). This limit can be set by changing the [search.max_keep_alive] cluster level setting."
        )));
    }
    Ok(keep_alive)
}
