//! What a run of a source did, added up poll by poll.

use std::time::Duration;

use crate::capability::publisher::Acknowledged;

/// What a run did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Documents published.
    pub documents: u64,
    /// Documents that the output had already, from before a failure.
    pub already_there: u64,
    /// Documents of both kinds that a stream refused and a dead letter stands for.
    pub dead_lettered: u64,
    /// A run with an end was stopped before it had caught up.
    pub stopped: bool,
    /// Polls made.
    pub polls: u64,
    /// Polls that failed and were tried again.
    pub retries: u64,
    /// What matches and was left, if the run had an end.
    pub left: Option<(u64, u64)>,
    /// From start to end.
    pub elapsed: Duration,
}

impl Summary {
    pub(super) fn add(&mut self, acknowledged: Acknowledged) {
        self.documents += acknowledged.new;
        self.already_there += acknowledged.already_there;
        self.dead_lettered += acknowledged.dead_lettered;
    }
}
