//! Why a store did not do what it was asked, by what the caller can do.

use std::fmt;
use std::io;
use std::path::Path;

use anyhow::anyhow;

use crate::io_remedy::remedy;

use super::STATE_MAX;

/// Each one names the place and the remedy.
#[derive(Debug)]
pub enum StoreError {
    /// Somebody else holds or has changed the state; this source must stop.
    Conflict(anyhow::Error),
    /// The store did not answer, or has no room; the same call may work later.
    Unavailable(anyhow::Error),
    /// What is stored is no state; it stays as it is until somebody looks at it.
    Corrupt(anyhow::Error),
    /// The call can never work as it is.
    Invalid(anyhow::Error),
}

impl StoreError {
    /// The cause, with all that led to it.
    pub fn cause(&self) -> &anyhow::Error {
        match self {
            Self::Conflict(cause)
            | Self::Unavailable(cause)
            | Self::Corrupt(cause)
            | Self::Invalid(cause) => cause,
        }
    }

    /// The same, and what that means.
    pub(crate) fn context(self, what: &'static str) -> Self {
        match self {
            Self::Conflict(cause) => Self::Conflict(cause.context(what)),
            Self::Unavailable(cause) => Self::Unavailable(cause.context(what)),
            Self::Corrupt(cause) => Self::Corrupt(cause.context(what)),
            Self::Invalid(cause) => Self::Invalid(cause.context(what)),
        }
    }

    /// Something is at this place that can not be a state.
    pub(super) fn corrupt(place: &str, why: impl fmt::Display) -> Self {
        Self::Corrupt(anyhow!(
            "{place} holds no readable state ({why}): restore a backup with `state import --force`, or remove it with `state reset --yes`, which reads everything again"
        ))
    }

    /// Something is at this place that is larger than any state.
    pub(super) fn too_large(place: &str) -> Self {
        Self::corrupt(place, format!("it is larger than {STATE_MAX} bytes"))
    }

    /// Somebody else was faster; `None` is that there is no state.
    pub(super) fn conflict(place: &str, stored: Option<&str>, expected: Option<&str>) -> Self {
        let show = |revision: Option<&str>| match revision {
            Some(revision) => format!("revision {}", revision.get(..12).unwrap_or(revision)),
            None => "no state".to_owned(),
        };
        let (stored, expected) = (show(stored), show(expected));
        Self::Conflict(anyhow!(
            "{place} has {stored} where {expected} was expected, so somebody else changed it: see that one process uses it, then start again"
        ))
    }

    /// Who holds the lease meets a state of somebody else's, or none.
    pub(super) fn set_back(place: &str, is_there: bool) -> Self {
        Self::Conflict(match is_there {
            true => anyhow!(
                "{place} is not what this process saved last, though its lease was not taken: the store has lost saves that it had acknowledged, as a redis does that crashes with appendfsync everysec or fails over to a replica that lags behind, or somebody changed it by hand; start again, which goes on from what is there and publishes nothing twice, as the output is read from its position on"
            ),
            false => anyhow!(
                "{place} is gone, though its lease was not taken: the store has lost it, or somebody removed it by hand; restore a backup with `state import` before starting again, as everything is read and delivered again without one"
            ),
        })
    }

    /// Somebody else holds this state.
    pub(super) fn held(place: &str, holder: impl fmt::Display) -> Self {
        Self::Conflict(anyhow!(
            "the state is in use, its lease {place} is held by {holder}: stop that process, choose another state_id, or stand by with on_conflict = \"wait\""
        ))
    }

    /// What the operating system refused, and what to do about it.
    pub(super) fn io(action: &str, path: &Path, cause: io::Error) -> Self {
        use io::ErrorKind::{AlreadyExists, InvalidFilename, IsADirectory, NotADirectory};
        let kind = cause.kind();
        let remedy = remedy(kind, "base_path");
        let cause =
            anyhow::Error::new(cause).context(format!("{action} {}: {remedy}", path.display()));
        match kind {
            AlreadyExists | NotADirectory | IsADirectory | InvalidFilename => Self::Invalid(cause),
            _ => Self::Unavailable(cause),
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.cause())
    }
}

/// Its message holds all causes, so it names none as its source.
impl std::error::Error for StoreError {}
