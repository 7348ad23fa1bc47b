//! What a run did, for people and for programs.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::instance::Failure;
use crate::runner::Summary;

/// One source's part of the summary.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    documents: u64,
    polls: u64,
    retries: u64,
    elapsed_ms: u64,
    /// Matching documents that are not old enough to be read yet.
    beyond_horizon: Option<u64>,
    /// Matching documents that have no value to be ordered by.
    without_timestamp: Option<u64>,
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
            polls: summary.polls,
            retries: summary.retries,
            elapsed_ms: u64::try_from(summary.elapsed.as_millis()).unwrap_or(u64::MAX),
            beyond_horizon: summary.left.map(|(beyond, _)| beyond),
            without_timestamp: summary.left.map(|(_, without)| without),
            error,
        }
    }

    pub(super) fn failed(error: String) -> Self {
        Self {
            error: Some(error),
            ..Self::new(&Ok(Summary::default()), None)
        }
    }

    pub(super) fn is_failed(&self) -> bool {
        self.error.is_some()
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
        lines.extend(
            self.without_timestamp
                .filter(|n| *n > 0)
                .map(|n| format!("{source}: {n} documents have no timestamp and can not be read")),
        );
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
