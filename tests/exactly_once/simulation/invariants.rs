//! The rules, checked at every save and at the end.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use elasticsearch_source::publisher::destination::{HeaderValue, Message};
use elasticsearch_source::publisher::outbox::Delivery;
use serde::Deserialize;
use serde_json::Value;

use super::broker::is_letter;
use super::scenario::Scenario;
use super::stage::{Stage, Told};
use super::store::Disk;
use super::workload::{Point, Version, Workload};

/// What the comparison found.
#[derive(Debug, Default)]
pub struct Comparison {
    pub documents: usize,
    pub lost: usize,
    pub repeated: usize,
}

/// As much of a state as the rules are about.
#[derive(Debug, Deserialize)]
struct Saved {
    data: Data,
}

#[derive(Debug, Deserialize)]
struct Data {
    total_documents_fetched: u64,
    poll_count: u64,
    reading: Option<Reading>,
    #[serde(default)]
    output: Vec<Mark>,
    receipts: Receipts,
}

#[derive(Debug, Deserialize)]
struct Reading {
    slices: Vec<Slice>,
}

#[derive(Debug, Deserialize)]
struct Slice {
    start: Place,
    known_from: Place,
    position: Option<Place>,
}

/// A value of what orders, and a sequence number unless it is before all of them.
type Place = (Point, Option<i64>);

impl Reading {
    fn position(&self) -> Option<Place> {
        let positions = self
            .slices
            .iter()
            .filter_map(|slice| slice.position.clone());
        positions.max()
    }

    fn known_from(&self) -> Option<Place> {
        self.slices
            .iter()
            .map(|slice| slice.known_from.clone())
            .max()
    }

    fn start(&self) -> Point {
        let starts = self.slices.iter().map(|slice| &slice.start.0);
        starts.min().cloned().unwrap_or(Point::Number(i64::MIN))
    }
}

#[derive(Debug, Deserialize)]
struct Mark {
    stream: String,
    topic: String,
    partition: u32,
    next: u64,
}

#[derive(Debug, Deserialize)]
struct Receipts {
    agreed: u64,
}

/// Index, `_id` and the number of the version; none for another producer's message.
type Identity = Option<(String, String, u64)>;

/// A state was saved: it must not go back, nor be ahead of the output.
pub fn check_save(stage: &Stage, before: Option<&[u8]>, saved: &[u8]) {
    let mut told = stage.told();
    let now = parse(saved);
    let mut violations = Vec::new();
    if let Some(before) = before {
        goes_on(&parse(before), &now, &mut violations);
    }
    is_not_ahead(&told, &now, &mut violations);
    told.violations.extend(violations);
}

fn parse(saved: &[u8]) -> Data {
    serde_json::from_slice::<Saved>(saved).unwrap().data
}

fn goes_on(before: &Data, now: &Data, violations: &mut Vec<String>) {
    let place = |data: &Data| {
        let reading = data.reading.as_ref();
        (
            data.total_documents_fetched,
            data.poll_count,
            reading.and_then(Reading::known_from),
            reading.and_then(Reading::position),
        )
    };
    let (was, is) = (place(before), place(now));
    if is.0 < was.0 || is.1 < was.1 || is.2 < was.2 || is.3 < was.3 {
        violations.push(format!("the state went back from {was:?} to {is:?}"));
    }
    for mark in &before.output {
        let same = |other: &&Mark| {
            (&other.stream, &other.topic, other.partition)
                == (&mark.stream, &mark.topic, mark.partition)
        };
        if now
            .output
            .iter()
            .find(same)
            .is_none_or(|other| other.next < mark.next)
        {
            violations.push(format!("the position of {mark:?} went back"));
        }
    }
}

fn is_not_ahead(told: &Told, now: &Data, violations: &mut Vec<String>) {
    for mark in &now.output {
        let end = told.broker.end(&mark.stream, &mark.topic, mark.partition);
        if end.is_none_or(|end| end < mark.next) {
            violations.push(format!("{mark:?} is ahead of the output, {end:?}"));
        }
    }
    let Some(reading) = &now.reading else { return };
    for (name, messages) in told.broker.topics() {
        let there: HashSet<_> = messages.into_iter().filter_map(identity).collect();
        if now.total_documents_fetched > there.len() as u64 {
            let (counted, there) = (now.total_documents_fetched, there.len());
            violations.push(format!("{counted} counted, but {name:?} has {there}"));
        }
        // What appears behind the watermark is noticed at the next cycle only.
        let is_due = |_: &_| !told.workload.is_very_late;
        let start = reading.start();
        for (identity, version) in current(&told.workload).filter(is_due) {
            if version.point < start && !there.contains(&identity) {
                violations.push(format!(
                    "the state is past {identity:?}, which {name:?} lacks"
                ));
            }
        }
    }
}

/// All is over: every document is in every topic, once, and the figures add up.
pub fn check_end(stage: &Stage, disk: &Disk, scenario: &Scenario) -> Comparison {
    let mut told = stage.told();
    let mut comparison = Comparison::default();
    let mut violations = Vec::new();
    let mut distinct = 0;
    for (name, messages) in told.broker.topics() {
        let mut there: BTreeMap<_, Vec<&Message>> = BTreeMap::new();
        for message in messages {
            if let Some(identity) = identity(message) {
                there.entry(identity).or_default().push(message);
            }
        }
        distinct = there.len() as u64;
        for (identity, version) in current(&told.workload) {
            comparison.documents += 1;
            match there.get(&identity) {
                None => {
                    comparison.lost += 1;
                    violations.push(format!("lost: {identity:?} is not in {name:?}"));
                }
                Some(messages) if is_letter(messages[0]) != scenario.refuses(messages[0]) => {
                    violations.push(format!("{identity:?} of {name:?} is in the wrong topic"));
                }
                Some(messages)
                    if !is_letter(messages[0]) && messages[0].payload != version.source =>
                {
                    violations.push(format!("{identity:?} has another payload in {name:?}"));
                }
                Some(_) => {}
            }
        }
        for (identity, messages) in &there {
            if messages.len() > 1 && scenario.delivery == Delivery::ExactlyOnce {
                comparison.repeated += messages.len() - 1;
                let times = messages.len();
                violations.push(format!(
                    "repeated: {identity:?} is in {name:?} {times} times"
                ));
            }
        }
        violations.extend(strange(&told.workload, there.keys()));
    }
    violations.extend(check_figures(disk, scenario, distinct));
    told.violations.extend(violations);
    comparison
}

/// What the topic has that was never written.
fn strange<'a>(
    workload: &Workload,
    there: impl Iterator<Item = &'a (String, String, u64)>,
) -> Vec<String> {
    let written: BTreeSet<_> = workload
        .written
        .iter()
        .flat_map(|((index, id), versions)| {
            let numbers = versions.iter().map(|version| version.number);
            numbers.map(|number| (index.clone(), id.clone(), number))
        })
        .collect();
    there
        .filter(|identity| !written.contains(identity))
        .map(|identity| format!("{identity:?} was never written"))
        .collect()
}

fn check_figures(disk: &Disk, scenario: &Scenario, distinct: u64) -> Vec<String> {
    let Some(last) = disk.last() else {
        return vec!["no state was ever saved".to_owned()];
    };
    let data = parse(&last);
    let mut violations = Vec::new();
    // A version that changed before it was saved as delivered is counted by nobody.
    if !scenario.updates && data.total_documents_fetched != distinct {
        let total = data.total_documents_fetched;
        violations.push(format!("{total} counted, {distinct} delivered"));
    }
    if distinct > 0 && data.receipts.agreed == 0 {
        violations.push("no receipt was ever asked for".to_owned());
    }
    violations
}

fn identity(message: &Message) -> Identity {
    let header = |name: &str| message.header(name);
    let number = match header("_seq_no") {
        Some(HeaderValue::Unsigned(seq_no)) => *seq_no,
        _ => version(&message.payload)?,
    };
    match (header("_index")?, header("_id")?) {
        (HeaderValue::Text(index), HeaderValue::Text(id)) => {
            Some((index.clone(), id.clone(), number))
        }
        _ => None,
    }
}

/// Where there are no sequence numbers, the document says which version it is.
fn version(payload: &[u8]) -> Option<u64> {
    let document: Value = serde_json::from_slice(payload).ok()?;
    Some(document.get("version")?.as_f64()? as u64)
}

/// What every document is now.
fn current(workload: &Workload) -> impl Iterator<Item = ((String, String, u64), &Version)> {
    workload
        .written
        .iter()
        .filter_map(|((index, id), versions)| {
            let version = versions.last()?;
            Some(((index.clone(), id.clone(), version.number), version))
        })
}
