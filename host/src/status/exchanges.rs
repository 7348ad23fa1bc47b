//! What became of versions of a component that were to take the place of the one that runs.

use std::time::Duration;

use crate::component::Digest;
use crate::hot_swap::Version;

/// The exchanges of one source since it was started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exchanges {
    /// What runs, once it has described itself.
    pub running: Option<Version>,
    /// How often another version was opened in the place of the one before.
    pub count: u64,
    /// How long nothing could be polled during the last of them.
    pub last_pause: Option<Duration>,
    /// How the last attempt went.
    pub last: Option<Outcome>,
}

/// How an attempt to exchange a component went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The one that ran goes on.
    Refused {
        /// What was refused, if it could be read.
        sha256: Option<Digest>,
        /// Why.
        reason: String,
    },
    /// It runs, and the one before comes back if it fails.
    OnProbation,
    /// It runs for good.
    Kept,
    /// It was on probation when the one before was put into its place, which runs again.
    PutBack,
    /// It failed on probation, and the one before runs again.
    TakenBack {
        /// What failed.
        version: Version,
        /// How.
        reason: String,
    },
}
