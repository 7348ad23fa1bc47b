//! The settings of the matched indices: when documents become visible, how far and how a
//! search may page.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::finding::{Finding, Topic::Settings as Topic};
use super::plan::{Pagination, Plan};
use super::words::indices;
use crate::config::show_duration;

/// The least time that a document is given to become visible.
const SETTLE_MIN: Duration = Duration::from_secs(5);
/// The time where the refresh interval can not be known.
const SETTLE_UNKNOWN: Duration = Duration::from_secs(60);

/// The answer to `_settings`, flat and with defaults, by index.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub(super) struct Settings(BTreeMap<String, OfIndex>);

#[derive(Debug, Clone, Deserialize)]
struct OfIndex {
    #[serde(default)]
    settings: BTreeMap<String, String>,
    #[serde(default)]
    defaults: BTreeMap<String, String>,
}

impl OfIndex {
    fn get(&self, name: &str) -> Option<&str> {
        let set = self.settings.get(name).or_else(|| self.defaults.get(name));
        set.map(String::as_str)
    }
}

impl Settings {
    /// The same of these indices only: closed ones do not count.
    pub(super) fn of(&self, open: &[String]) -> Self {
        let all = self.0.iter().filter(|(index, _)| open.contains(index));
        Self(all.map(|(index, of)| (index.clone(), of.clone())).collect())
    }

    /// The indices that are not these.
    pub(super) fn beside(&self, open: &[String]) -> Vec<&str> {
        let all = self.0.keys().filter(|index| !open.contains(index));
        all.map(String::as_str).collect()
    }

    /// The indices that rebuild documents instead of keeping them.
    pub(super) fn synthetic(&self) -> Vec<&str> {
        self.with("index.mapping.source.mode", |mode| {
            mode.eq_ignore_ascii_case("synthetic")
        })
    }

    /// The smallest window of all, where it is known.
    pub(super) fn window(&self) -> Option<u64> {
        self.numbers("index.max_result_window").min()
    }

    fn with(&self, name: &str, is_so: impl Fn(&str) -> bool) -> Vec<&str> {
        let found = self
            .0
            .iter()
            .filter(|(_, of)| of.get(name).is_some_and(&is_so));
        found.map(|(index, _)| index.as_str()).collect()
    }

    fn numbers(&self, name: &str) -> impl Iterator<Item = u64> {
        self.0
            .values()
            .filter_map(move |of| of.get(name)?.parse().ok())
    }

    /// The largest refresh interval; none where an index has none, or it is not known.
    fn refresh(&self) -> Option<Duration> {
        let mut all = self.0.values().map(|of| interval(of.get(REFRESH)?));
        all.try_fold(Duration::ZERO, |largest, next| Some(largest.max(next?)))
    }
}

const REFRESH: &str = "index.refresh_interval";

/// How old a document must be to be read: as the component decides it.
pub(super) fn settle(plan: &Plan, settings: Option<&Settings>) -> Duration {
    let derived = || match settings.and_then(Settings::refresh) {
        Some(refresh) => SETTLE_MIN.max(refresh.saturating_mul(2)),
        None => SETTLE_UNKNOWN,
    };
    plan.settle().unwrap_or_else(derived)
}

/// Judges the settings of open indices.
pub(super) fn judge(plan: &Plan, settings: &Settings) -> Vec<Finding> {
    let mut findings = vec![visibility(plan, settings)];
    findings.extend(window(plan, settings));
    findings.extend(slices(settings));
    findings.extend(shards(plan, settings));
    findings.extend(unnumbered(plan, settings));
    findings
}

fn unnumbered(plan: &Plan, settings: &Settings) -> Option<Finding> {
    let unnumbered = settings.with("index.disable_sequence_numbers", |set| set == "true");
    if unnumbered.is_empty() {
        return None;
    }
    let without = format!(
        "no sequence numbers (index.disable_sequence_numbers) in {}",
        indices(&unnumbered)
    );
    Some(match &plan.tiebreaker_field {
        Some(field) => Topic.note(format!(
            "{without}: {field} orders documents there that have the same timestamp, and an update that leaves a document as it was is no new message"
        )),
        None => Topic.problem(format!(
            "{without}, which order documents with the same timestamp: set \"tiebreaker_field\" beside \"timestamp_field\" to a field of whole numbers that tells these apart, or leave that out of \"index\""
        )),
    })
}

/// How what is read depends on when documents become visible.
fn visibility(plan: &Plan, settings: &Settings) -> Finding {
    match (plan.field().is_some(), plan.pagination) {
        (false, Pagination::Scroll) => Topic.note(
            "an export has what is visible when it begins: refresh the indices first if it is to have what was written before",
        ),
        (false, Pagination::Offset) => {
            Topic.ok("every cycle reads what is visible then")
        }
        _ => waiting(plan, settings),
    }
}

fn waiting(plan: &Plan, settings: &Settings) -> Finding {
    let settle = settle(plan, Some(settings));
    let shown = show_duration(settle);
    let on_demand = settings.with(REFRESH, |set| set == "-1");
    match (settings.refresh(), plan.settle()) {
        (None, None) if !on_demand.is_empty() => Topic.problem(format!(
            "refreshed only on demand (index.refresh_interval is -1): {}; what becomes visible later than {shown} after its timestamp is not read; set \"settle\" to the longest time between two refreshes, or set an interval",
            indices(&on_demand)
        )),
        (None, _) if !on_demand.is_empty() => Topic.note(format!(
            "refreshed only on demand (index.refresh_interval is -1): {}; what becomes visible later than \"settle\", {shown}, after its timestamp is not read",
            indices(&on_demand)
        )),
        (None, _) => Topic.note(format!("the refresh interval is not known; documents are read {shown} after their timestamp")),
        (Some(refresh), _) if settle < refresh => Topic.problem(format!(
            "\"settle\", {shown}, is shorter than the refresh interval, {}: what becomes visible later is not read; leave \"settle\" out, or raise it",
            show_duration(refresh)
        )),
        (Some(refresh), _) => Topic.ok(format!(
            "the longest refresh interval is {}, and documents are read {shown} after their timestamp (\"settle\")",
            show_duration(refresh)
        )),
    }
}

fn window(plan: &Plan, settings: &Settings) -> Option<Finding> {
    let (batch_size, smallest) = (plan.batch_size, settings.window()?);
    if batch_size <= smallest {
        return Some(Topic.ok(format!(
            "a page of {batch_size} documents fits index.max_result_window, {smallest}"
        )));
    }
    let small = settings.with("index.max_result_window", |set| {
        set.parse().is_ok_and(|window: u64| window < batch_size)
    });
    Some(Topic.problem(format!(
        "a page of {batch_size} documents is larger than index.max_result_window of {}: set \"batch_size\" to {smallest} or less",
        indices(&small)
    )))
}

fn slices(settings: &Settings) -> Option<Finding> {
    let names = ["index.max_slices_per_pit", "index.max_slices_per_scroll"];
    let least = names.map(|name| Some(format!("{name} {}", settings.numbers(name).min()?)));
    let known: Vec<_> = least.into_iter().flatten().collect();
    (!known.is_empty()).then(|| {
        Topic.ok(format!(
            "a read may be split as far as {}",
            known.join(" and ")
        ))
    })
}

/// A page must be larger than the documents that may share one place in the order.
fn shards(plan: &Plan, settings: &Settings) -> Option<Finding> {
    let shards: u64 = settings.numbers("index.number_of_shards").sum();
    (shards >= plan.batch_size).then(|| {
        Topic.note(format!(
            "there are {shards} shards, so pages grow beyond \"batch_size\", {}, where documents share timestamp and sequence number: set it to more than {shards}",
            plan.batch_size
        ))
    })
}

/// A time value of the cluster, such as "1s"; none for "-1", which is never.
fn interval(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let ms = match unit {
        "nanos" | "micros" => 0,
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    Some(Duration::from_millis(number.checked_mul(ms)?))
}
