//! What a run did, for people and for programs.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::instance::Failure;
use crate::runner::{Summary, Until};

/// One source's part of the summary.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    documents: u64,
    /// Documents that the output had already, from before a failure.
    already_there: u64,
    /// Documents that a stream refused, and that are in the dead-letter topic instead.
    dead_lettered: u64,
    polls: u64,
    retries: u64,
    elapsed_ms: u64,
    /// Matching documents that are not old enough to be read yet.
    beyond_horizon: Option<u64>,
    /// Matching documents that have no value to be ordered by.
    without_timestamp: Option<u64>,
    /// Whether it was stopped before it had caught up.
    stopped: bool,
    error: Option<String>,
}

impl Report {
    pub(super) fn new(
        outcome: &Result<Summary, (Failure, Summary)>,
        error: Option<String>,
    ) -> Self {
        let (Ok(summary) | Err((_, summary))) = outcome;
        Self {
            documents: summary.documents,
            already_there: summary.already_there,
            dead_lettered: summary.dead_lettered,
            polls: summary.polls,
            retries: summary.retries,
            elapsed_ms: u64::try_from(summary.elapsed.as_millis()).unwrap_or(u64::MAX),
            beyond_horizon: summary.left.map(|(beyond, _)| beyond),
            without_timestamp: summary.left.map(|(_, without)| without),
            stopped: summary.stopped,
            error,
        }
    }

    /// Whether all that was asked for is done.
    pub(super) fn is_done(&self) -> bool {
        self.error.is_none() && !self.stopped
    }

    pub(super) fn failed(error: String) -> Self {
        Self {
            error: Some(error),
            ..Self::new(&Ok(Summary::default()), None)
        }
    }

    pub(super) fn stopped_before_start(until: Until) -> Self {
        Self {
            stopped: until == Until::CaughtUp,
            ..Self::new(&Ok(Summary::default()), None)
        }
    }

    /// Lines for a person.
    pub(super) fn lines(&self, source: &str) -> Vec<String> {
        let mut lines = vec![format!(
            "{source}: {} documents published in {:.1} s",
            self.documents,
            self.elapsed_ms as f64 / 1_000.0
        )];
        lines.extend(
            self.beyond_horizon
                .filter(|n| *n > 0)
                .map(|n| format!("{source}: {n} documents are too new to be read yet")),
        );
        lines.extend(self.without_timestamp.filter(|n| *n > 0).map(|n| {
            format!("{source}: {n} documents lack the field that orders them, and can not be read")
        }));
        lines.extend(
            self.stopped
                .then(|| format!("{source}: stopped before it had caught up")),
        );
        lines.extend(
            (self.already_there > 0)
                .then(|| format!("{source}: {} more were there already", self.already_there)),
        );
        lines.extend((self.dead_lettered > 0).then(|| {
            let n = self.dead_lettered;
            format!("{source}: {n} documents were refused, the dead-letter topic names them")
        }));
        lines.extend(
            self.error
                .as_ref()
                .map(|error| format!("{source}: stopped: {error}")),
        );
        lines
    }
}

/// All sources as one JSON object.
pub(super) fn json(reports: &BTreeMap<String, Report>) -> serde_json::Value {
    serde_json::json!({ "sources": reports })
}
