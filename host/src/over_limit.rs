//! A limit of a source that its component went beyond.

use std::fmt;

/// What the component did, and the key of `[sources.NAME.limits]` that does not allow it. It
/// ends the instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OverLimit {
    /// The key.
    pub(crate) key: &'static str,
    /// What was too much, with the figure that is allowed.
    pub(crate) what: String,
}

impl OverLimit {
    pub(crate) fn new(key: &'static str, what: impl Into<String>) -> Self {
        Self {
            key,
            what: what.into(),
        }
    }

    /// The same for people, who know the source by its name.
    pub(crate) fn of(&self, source: &str) -> String {
        let Self { key, what } = self;
        format!("{what}: if it may have more, raise {key} in [sources.{source}.limits]")
    }
}

impl fmt::Display for OverLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.what, self.key)
    }
}

impl std::error::Error for OverLimit {}
