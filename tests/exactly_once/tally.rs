//! What was tried, and what came of it.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::simulation::life::Outcome;

/// The counts of this process.
pub static TALLY: Tally = Tally {
    operations: Count::new(),
    schedules: Count::new(),
    kills: Count::new(),
    takeovers: Count::new(),
    documents: Count::new(),
    lost: Count::new(),
    repeated: Count::new(),
};

/// Counts over all trials.
pub struct Tally {
    /// Capability calls that were made to fail, one in each run.
    pub operations: Count,
    /// Random schedules of faults that were run to their end.
    pub schedules: Count,
    /// Processes ended with SIGKILL.
    pub kills: Count,
    /// Processes that went on with the state of another one.
    pub takeovers: Count,
    /// Documents that were compared with the output.
    pub documents: Count,
    /// Documents that were not in the output.
    pub lost: Count,
    /// Messages that were in the output more than once.
    pub repeated: Count,
}

/// A number that only grows.
pub struct Count(AtomicU64);

impl Tally {
    /// Adds what a run compared.
    pub fn count(&self, outcome: &Outcome) {
        self.documents.add(outcome.documents);
        self.lost.add(outcome.lost);
        self.repeated.add(outcome.repeated);
    }
}

impl Count {
    const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Adds to it.
    pub fn add(&self, more: usize) {
        self.0.fetch_add(more as u64, Ordering::Relaxed);
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.load(Ordering::Relaxed))
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "exactly once: {} operations failed, {} schedules run, {} kills, {} takeovers, {} documents compared: lost {}, repeated {}",
            self.operations,
            self.schedules,
            self.kills,
            self.takeovers,
            self.documents,
            self.lost,
            self.repeated
        )
    }
}
