//! A component that may take the place of another one.

use std::fmt;

use crate::component::{Component, Digest};
use crate::instance::Description;

/// A component, and what it says of itself.
#[derive(Clone)]
pub struct Candidate {
    /// Compiled, and checked against the imports.
    pub component: Component,
    /// What it is.
    pub version: Version,
    /// The format of the states that it writes, and the newest that it reads.
    pub state_format: u32,
}

impl Candidate {
    /// A component that has described itself.
    pub fn new(component: Component, description: &Description) -> Self {
        let version = Version {
            number: description.version.clone(),
            sha256: component.digest(),
        };
        Self {
            component,
            version,
            state_format: description.state_format,
        }
    }
}

/// Which version of a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// As it describes itself.
    pub number: String,
    /// The SHA-256 of its bytes.
    pub sha256: Digest,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (sha256 {})", self.number, self.sha256)
    }
}
