//! What the cluster keeps for a read, and where in it a page begins.

use serde::{Deserialize, Serialize};

use crate::key::Key;

/// What the cluster keeps for a read, so that its pages fit together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Context {
    /// A point in time: any page of it may be asked for again.
    Pit(String),
    /// A scroll: every call moves it on, whether the answer arrives or not.
    Scroll(String),
}

impl Context {
    /// For people.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Pit(_) => "point in time",
            Self::Scroll(_) => "scroll",
        }
    }
}

/// What a search reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Within<'a> {
    /// The index as it is now.
    Index,
    /// A point in time.
    Pit(&'a str),
    /// The index as it is now, which a new scroll keeps.
    NewScroll,
}

/// Where a page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begin {
    /// At the first hit.
    First,
    /// At this place, inclusive.
    At(Key),
    /// After so many hits.
    Hit(u64),
}
