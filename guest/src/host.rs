//! The capabilities as a trait, so that the core runs natively in tests.

#[cfg(test)]
pub(crate) mod scripted;

use crate::cluster::request::Request;
use crate::error::Error;
use crate::message::Message;
use crate::state::{Mark, Stretch};

/// A complete answer of the cluster.
#[derive(Debug)]
pub struct Answer<B> {
    /// The HTTP status.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The bytes, copied into the guest.
    pub bytes: Vec<u8>,
    /// The host's own copy, of which payloads are spans.
    pub body: B,
    /// When it was complete, in milliseconds since the epoch.
    pub at_ms: u64,
}

impl<B> Answer<B> {
    /// The first header of this name, given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }
}

/// What came of a publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Where every destination ends now.
    pub position: Vec<Mark>,
    /// Messages that some destination refused, and that a dead letter stands for.
    pub dead_lettered: u32,
    /// Messages that were found there and not published again since.
    pub unclaimed: u64,
    /// When it was acknowledged, in milliseconds since the epoch.
    pub at_ms: u64,
}

/// What a resume found in the output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where every destination ends.
    pub ends: Vec<Mark>,
    /// Messages that may be of this source and that the state does not cover.
    pub unclaimed: u64,
}

/// What a saved state says of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SavedOutput<'a> {
    /// Where it ended.
    pub position: &'a [Mark],
    /// What may stand before that without being covered.
    pub uncovered: &'a [Stretch],
    /// Nothing can be under way any more.
    pub settled: bool,
}

/// What was saved before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// A JSON object.
    pub data: Vec<u8>,
    /// The version of its format.
    pub format: u32,
    /// What the next save must follow.
    pub revision: String,
}

/// How important a line of the log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// For whoever looks closely.
    Debug,
    /// For operators.
    Info,
    /// Something needs attention soon.
    Warn,
    /// Something is wrong now.
    Error,
}

/// What the host offers. Submitting starts the work; the matching wait takes its outcome,
/// so that a fetch, a publish and a save can be under way together.
pub trait Host {
    /// The host's copy of an answer's bytes.
    type Body;
    /// A request under way; dropping it abandons it.
    type Fetch;
    /// A publish under way; dropping it does not stop it.
    type Publish;
    /// A save under way; dropping it does not stop it.
    type Save;

    /// Starts a request.
    fn fetch(&mut self, request: &Request) -> Self::Fetch;
    /// Waits for its answer, whatever its status.
    fn fetched(&mut self, fetch: Self::Fetch) -> Result<Answer<Self::Body>, Error>;
    /// Starts publishing spans of a body.
    fn publish(&mut self, body: &Self::Body, messages: Vec<Message>) -> Self::Publish;
    /// Waits for the acknowledgement.
    fn published(&mut self, publish: Self::Publish) -> Result<Published, Error>;
    /// Tells the publisher what a saved state says of the output, and what every id begins
    /// with.
    fn resume(&mut self, saved: Option<SavedOutput<'_>>, id_prefix: u16) -> Result<Found, Error>;
    /// Where the output ends now.
    fn ends(&mut self) -> Result<Vec<Mark>, Error>;
    /// What was found in the output and not published again never will be.
    fn forget_unclaimed(&mut self);
    /// Loads the state.
    fn load(&mut self) -> Result<Option<Saved>, Error>;
    /// Starts to save the state, on top of this revision.
    fn save(&mut self, data: Vec<u8>, format: u32, expected: Option<&str>) -> Self::Save;
    /// Waits until it is durable, and returns its revision.
    fn saved(&mut self, save: Self::Save) -> Result<String, Error>;
    /// Writes a line for the operator.
    fn log(&mut self, level: Level, message: &str, fields: &[(&str, String)]);
}
