//! Who holds a state: for messages, and for the record of a lease.

use std::fmt;

use chrono::SecondsFormat;
use serde::{Deserialize, Serialize};

use crate::clock::Clock;

/// A process that holds a state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The name of its machine, as that calls itself.
    pub host: String,
    /// Its number on that machine.
    pub process: u32,
    /// When it took the state, by its own clock, for people.
    pub since: String,
}

impl Holder {
    /// This process, from now on.
    pub(super) fn this_process() -> Self {
        Self {
            host: host(),
            process: std::process::id(),
            since: Clock::system()
                .now()
                .to_rfc3339_opts(SecondsFormat::Secs, true),
        }
    }
}

fn host() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            host,
            process,
            since,
        } = self;
        write!(f, "process {process} on {host} since {since}")
    }
}
