//! Why a call failed, by what the caller can do.

use std::fmt;
use std::time::Duration;

use crate::assembly::explain;
use crate::config;
use crate::instance::Failure;
use crate::state_store::StoreError;

/// Why a call failed. Its message names the thing, the place and the remedy, with all causes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    message: String,
}

/// What the caller can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Make the calls in another order.
    Order,
    /// Make the same call again, later.
    Transient {
        /// Not earlier than that, if the cluster asked for it.
        retry_after: Option<Duration>,
    },
    /// End whoever else uses the state.
    Conflict,
    /// Change what the message names: the configuration, the cluster, or the state.
    Permanent,
}

impl Error {
    pub(super) fn order(message: String) -> Self {
        let kind = ErrorKind::Order;
        Self { kind, message }
    }

    pub(super) fn permanent(message: String) -> Self {
        let kind = ErrorKind::Permanent;
        Self { kind, message }
    }

    /// A component's; a wrong key is named with its place.
    pub(super) fn of(source: &config::Source, failure: Failure) -> Self {
        let kind = match &failure {
            Failure::Transient { retry_after_ms, .. } => ErrorKind::Transient {
                retry_after: retry_after_ms.map(Duration::from_millis),
            },
            Failure::Trapped(_) => ErrorKind::Transient { retry_after: None },
            Failure::Conflict(_) => ErrorKind::Conflict,
            Failure::Permanent(_) | Failure::InvalidConfig { .. } => ErrorKind::Permanent,
        };
        let message = explain(source, &failure);
        Self { kind, message }
    }

    /// What the caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Its message holds all causes, so it names none as its source.
impl std::error::Error for Error {}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let message = error.to_string();
        let kind = match error {
            StoreError::Conflict(_) => ErrorKind::Conflict,
            StoreError::Unavailable(_) => ErrorKind::Transient { retry_after: None },
            StoreError::Corrupt(_) | StoreError::Invalid(_) => ErrorKind::Permanent,
        };
        Self { kind, message }
    }
}

/// What could not be put together: a store's error is one, all else stays as it is.
impl From<anyhow::Error> for Error {
    fn from(error: anyhow::Error) -> Self {
        match error.downcast::<StoreError>() {
            Ok(error) => error.into(),
            Err(error) => Self::permanent(format!("{error:#}")),
        }
    }
}
