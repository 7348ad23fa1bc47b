//! One request at a time to the cluster, and the answers that are more than pages.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::cluster::answer::Page;
use crate::cluster::failure::{Failure, Shards, check};
use crate::cluster::product::Product;
use crate::cluster::request::Request;
use crate::cluster::shards::Slice;
use crate::config::Config;
use crate::error::Error;
use crate::host::{Answer, Host, Level};
use crate::paging::context::Context;

/// The cluster, with the time of its last answer.
pub struct Client<'a, H: Host> {
    /// The capabilities.
    pub host: &'a mut H,
    /// Which server it is, as far as known; learned from what it understands.
    pub product: &'a mut Option<Product>,
    /// The time of the last answer, in milliseconds since the epoch. A clock can be set back,
    /// so that what waits for a time to pass asks how far apart two are, whichever way.
    pub now_ms: u64,
}

#[derive(Deserialize)]
struct Count {
    count: u64,
    _shards: Shards,
}

#[derive(Deserialize)]
struct OpenedPit {
    #[serde(alias = "pit_id")]
    id: String,
}

/// What OpenSearch says when no shard is there of which to open a point in time.
const NO_SHARD: &str = "invalid id: [null]";

impl<H: Host> Client<'_, H> {
    /// One request and its answer of status 200.
    pub fn ask(&mut self, request: &Request) -> Result<Answer<H::Body>, Failure> {
        let fetch = self.host.fetch(request);
        self.answer(request, fetch)
    }

    /// Waits for a request that was submitted before.
    pub fn answer(
        &mut self,
        request: &Request,
        fetch: H::Fetch,
    ) -> Result<Answer<H::Body>, Failure> {
        let answer = self.host.fetched(fetch)?;
        self.now_ms = answer.at_ms;
        check(request, &answer)?;
        Ok(answer)
    }

    /// Asks for a count.
    pub fn count(&mut self, request: &Request) -> Result<u64, Failure> {
        let answer = self.ask(request)?;
        if request.is_search() {
            let total = Page::parse(&answer.bytes)?.total;
            return total
                .ok_or_else(|| Error::transient("the cluster did not count exactly").into());
        }
        let count: Count = read(request, &answer.bytes)?;
        count._shards.complete()?;
        Ok(count.count)
    }

    /// Opens a point in time; a server that could not be told apart is asked both ways. None where
    /// there is no shard, of which OpenSearch opens none.
    pub fn open_pit(&mut self, config: &Config, slice: Slice) -> Result<Option<String>, Failure> {
        let mut product = self.product.unwrap_or(Product::Elasticsearch);
        let mut request = Request::open_pit(product, config, slice);
        let answer = match self.ask(&request) {
            Err(Failure::UnknownPath(_)) if self.product.is_none() => {
                product = product.other();
                request = Request::open_pit(product, config, slice);
                self.ask(&request)
            }
            answer => answer,
        };
        let answer = match answer {
            Err(Failure::UnknownPath(error)) if error.to_string().contains(NO_SHARD) => {
                return Ok(None);
            }
            answer => answer?,
        };
        *self.product = Some(product);
        Ok(Some(read::<OpenedPit>(&request, &answer.bytes)?.id))
    }

    /// Lets go of what the cluster keeps. A failure costs a context until it expires, no more.
    pub fn close(&mut self, context: &Context) {
        let request = match (context, *self.product) {
            (Context::Scroll(id), _) => Request::close_scroll(id),
            (Context::Pit(id), Some(product)) => Request::close_pit(product, id),
            (Context::Pit(_), None) => return,
        };
        let reason = match self.ask(&request) {
            Ok(_) | Err(Failure::ContextGone(_) | Failure::UnknownPath(_)) => return,
            Err(failure) => Error::from(failure).to_string(),
        };
        self.host.log(
            Level::Warn,
            "what the cluster keeps for reading could not be closed and will expire",
            &[("what", context.name().to_owned()), ("reason", reason)],
        );
    }
}

fn read<T: DeserializeOwned>(request: &Request, bytes: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(bytes).map_err(|e| {
        Error::transient(format!(
            "the cluster's answer to {} can not be read: {e}",
            request.path
        ))
    })
}
