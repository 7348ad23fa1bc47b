//! Why a call of the source failed, by what its caller can do.

use std::fmt;

/// The error of every export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// May work later, not before the given number of milliseconds if given.
    Transient {
        /// What happened, and where.
        message: String,
        /// The server's own wish.
        retry_after_ms: Option<u64>,
    },
    /// Stays until somebody changes something; the message says what.
    Permanent(String),
    /// The cluster's answer is larger than what may be carried; with a smaller page it may not
    /// be. Permanent where no smaller page can be asked for; the message says what helps.
    TooLarge(String),
    /// A key of the configuration, as a dotted path, and what is wrong with it.
    InvalidConfig {
        /// The dotted path of the key.
        key: String,
        /// What is wrong, and what would be right.
        message: String,
    },
    /// Another writer has saved this state.
    Conflict(String),
}

impl Error {
    /// A transient error without a wish when to come back.
    pub fn transient(message: impl Into<String>) -> Self {
        Self::Transient {
            message: message.into(),
            retry_after_ms: None,
        }
    }

    /// A permanent error.
    pub fn permanent(message: impl Into<String>) -> Self {
        Self::Permanent(message.into())
    }

    /// A wrong value of a key.
    pub fn config(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self::InvalidConfig {
            key: key.into(),
            message: message.into(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transient { message, .. }
            | Self::Permanent(message)
            | Self::TooLarge(message)
            | Self::Conflict(message) => f.write_str(message),
            Self::InvalidConfig { key, message } => write!(f, "{key}: {message}"),
        }
    }
}
