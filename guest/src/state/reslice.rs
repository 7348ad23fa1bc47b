//! Another number of processes: the state of one of them, from those of all before.
//!
//! What was counted is kept by the first of them, so that the sums over all stay right.

use std::borrow::Cow;

use super::{Mark, Reading, Receipts, State, Stats, Stretch, parse_date};
use crate::cluster::shards::Slice;
use crate::error::Error;
use crate::paging::reslice::{reslice, shares};
use crate::paging::slices::Slices;

impl State {
    /// The state that the process of this slice goes on from. Those of before are in the order
    /// of the numbers of their slices. Nothing of them may run any more; how far they came,
    /// and how they ended, does not matter.
    ///
    /// # Errors
    /// Permanent, if they are not those of one source, or can not be divided like this; says
    /// what to do first.
    pub fn of_slice(before: &[Self], slice: Slice) -> Result<Self, Error> {
        let of = u32::try_from(before.len()).unwrap_or(u32::MAX);
        let numbered = (0_u32..).zip(before);
        let own = numbered.filter(|(number, _)| shares(*number, of, slice));
        let own: Vec<_> = own.map(|(_, state)| state).collect();
        let last = own.iter().max_by_key(|state| state.position());
        let mut state = Self {
            last_document_id: last.and_then(|last| last.last_document_id.clone()),
            last_poll_timestamp: last.and_then(|last| last.last_poll_timestamp.clone()),
            reading: reading(before, slice)?,
            output: ends(&own),
            settled: own.iter().all(|state| state.settled),
            others: before
                .iter()
                .flat_map(|state| state.others.clone())
                .collect(),
            ..Self::default()
        };
        if state.reading.is_none() {
            state.last_poll_timestamp = first_start(before)?;
        }
        state.uncovered = uncovered(&own, state.output.as_deref().unwrap_or_default());
        if slice.number == 0 {
            state.count(before);
        }
        Ok(state)
    }

    /// Takes over what all of them counted.
    fn count(&mut self, before: &[Self]) {
        let sum = |figure: fn(&Self) -> u64| before.iter().map(figure).sum::<u64>();
        self.total_documents_fetched = sum(|state| state.total_documents_fetched);
        self.poll_count = sum(|state| state.poll_count);
        self.error_count = sum(|state| state.error_count);
        self.last_error = before.iter().find_map(|state| state.last_error.clone());
        self.dead_lettered = sum(|state| state.dead_lettered);
        self.receipts = Receipts {
            agreed: sum(|state| state.receipts.agreed),
            differed: sum(|state| state.receipts.differed),
        };
        let stats = before.iter().map(|state| &state.processing_stats);
        self.processing_stats = Stats::of_all(stats);
        let missed = |state: &Self| {
            state
                .reading
                .as_ref()
                .map_or(0, |reading| reading.slices.missed)
        };
        if let Some(reading) = &mut self.reading {
            reading.slices.missed = sum(missed);
        }
    }
}

impl Stats {
    fn of_all<'a>(all: impl Iterator<Item = &'a Self>) -> Self {
        let mut sum = Self::default();
        for stats in all {
            sum.total_bytes_processed += stats.total_bytes_processed;
            sum.empty_polls_count += stats.empty_polls_count;
            sum.successful_polls_count += stats.successful_polls_count;
            sum.batches += stats.batches;
            if sum.batches > 0 {
                sum.avg_batch_processing_time_ms += (stats.avg_batch_processing_time_ms
                    - sum.avg_batch_processing_time_ms)
                    * stats.batches as f64
                    / sum.batches as f64;
            }
            // Dates of the same shape are in the order of time.
            let last = stats.last_successful_poll.clone();
            sum.last_successful_poll = sum.last_successful_poll.max(last);
        }
        sum
    }
}

/// None, if no one has read yet. One that has not goes on from where it would have begun.
fn reading(before: &[State], slice: Slice) -> Result<Option<Reading>, Error> {
    let Some(first) = before.iter().find_map(|state| state.reading.as_ref()) else {
        return Ok(None);
    };
    check_one_source(before, first)?;
    let slices = before.iter().map(|state| match &state.reading {
        Some(reading) => Ok(Cow::Borrowed(&reading.slices)),
        None => Ok(Cow::Owned(Slices::from(
            state.begin(&first.selection.timestamp_field, first.unit)?,
            first.unit,
        ))),
    });
    let slices = slices.collect::<Result<Vec<_>, Error>>()?;
    let slices: Vec<_> = slices.iter().map(AsRef::as_ref).collect();
    Ok(Some(Reading {
        selection: first.selection.in_slice(slice),
        unit: first.unit,
        slices: reslice(&slices, slice)?,
    }))
}

/// That they read the same as the first one, each its slice of it, and count its timestamps
/// alike.
fn check_one_source(before: &[State], first: &Reading) -> Result<(), Error> {
    let of = u32::try_from(before.len()).unwrap_or(u32::MAX);
    for (number, state) in (0..of).zip(before) {
        let expected = first.selection.in_slice(Slice { number, of });
        let is_other =
            |reading: &Reading| reading.selection != expected || reading.unit != first.unit;
        if state.reading.as_ref().is_some_and(is_other) {
            return Err(Error::permanent(format!(
                "the state of slice {number}/{of} is about other documents than its source reads, or counts their timestamps in another unit than the others: import the right one, or let all begin anew with another \"state_id\""
            )));
        }
    }
    Ok(())
}

/// Where a source begins that has read nothing: at the earliest of these.
fn first_start(before: &[State]) -> Result<Option<String>, Error> {
    let mut first = None;
    for state in before {
        let Some(text) = &state.last_poll_timestamp else {
            return Ok(None);
        };
        let start = (parse_date(text)?, text.clone());
        first = Some(first.map_or_else(|| start.clone(), |first: (_, _)| first.min(start.clone())));
    }
    Ok(first.map(|(_, text)| text))
}

/// Where each partition ended for the one who came least far in it. One that has
/// not seen a partition of its topic stands at its beginning.
fn ends(before: &[&State]) -> Option<Vec<Mark>> {
    let all: Vec<_> = before
        .iter()
        .filter_map(|state| state.output.as_ref())
        .collect();
    let mut ends: Vec<Mark> = Vec::new();
    for mark in all.iter().copied().flatten() {
        if !ends.iter().any(|end| is_same(end, mark)) {
            ends.extend(end_for_all(mark, &all));
        }
    }
    (!all.is_empty()).then_some(ends)
}

fn end_for_all(mark: &Mark, all: &[&Vec<Mark>]) -> Option<Mark> {
    let knowing = all
        .iter()
        .filter(|marks| marks.iter().any(|other| other.is_beside(mark)));
    let next = |marks: &&&Vec<Mark>| {
        let same = marks.iter().find(|other| is_same(other, mark));
        same.map_or(0, |same| same.next)
    };
    let next = knowing.map(|marks| next(&marks)).min()?;
    Some(Mark {
        next,
        ..mark.clone()
    })
}

fn is_same(one: &Mark, other: &Mark) -> bool {
    one.is_beside(other) && one.partition == other.partition
}

/// Where before these ends messages may stand that none of them covers: one stretch for each
/// partition. What stands behind an end is read anyway.
fn uncovered(before: &[&State], ends: &[Mark]) -> Vec<Stretch> {
    let mut all: Vec<Stretch> = Vec::new();
    for stretch in before.iter().flat_map(|state| &state.uncovered) {
        let end = ends.iter().find(|end| stretch.is_of(end));
        let to = end.map_or(stretch.to, |end| stretch.to.min(end.next));
        match all.iter_mut().find(|known| known.is_beside(stretch)) {
            _ if to <= stretch.from => {}
            Some(known) => {
                known.from = known.from.min(stretch.from);
                known.to = known.to.max(to);
                known.found_ms = known.found_ms.max(stretch.found_ms);
            }
            None => all.push(Stretch {
                to,
                ..stretch.clone()
            }),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::config::Config;
    use crate::key::Key;
    use crate::time::Unit;

    fn read_by(slice: Slice, more: Value) -> State {
        let config = json!({"index": "i", "timestamp_field": "t", "slice": slice.to_string()});
        let config = match slice.is_part() {
            true => config.to_string(),
            false => r#"{"index": "i", "timestamp_field": "t"}"#.to_owned(),
        };
        let mut state: State = serde_json::from_value(more).unwrap();
        let config = Config::parse(&config).unwrap();
        state.reading(&config, Unit::Ms).unwrap();
        state
    }

    fn of(number: u32, of: u32) -> Slice {
        Slice { number, of }
    }

    #[test]
    fn what_the_output_may_hold_is_looked_for_from_where_the_first_of_them_was() {
        let end = |topic: &str, partition: u32, next: u64| json!({"stream": "s", "topic": topic, "partition": partition, "next": next});
        let stretch = |from: u64, to: u64, found_ms: u64| json!({"stream": "s", "topic": "t", "partition": 0, "from": from, "to": to, "found_ms": found_ms});
        let first = json!({
            "output": [end("t", 0, 90), end("t", 1, 50), end("own", 0, 7)], "settled": true,
            "uncovered": [stretch(10, 20, 5), stretch(60, 90, 8)],
        });
        let second = json!({"output": [end("t", 0, 80)], "uncovered": [stretch(5, 8, 3)]});
        let before = [read_by(of(0, 2), first), read_by(of(1, 2), second)];
        let together = State::of_slice(&before, Slice::WHOLE).unwrap();
        let expected = json!([end("t", 0, 80), end("t", 1, 0), end("own", 0, 7)]);
        assert_eq!(json!(together.output), expected);
        assert_eq!(json!(together.uncovered), json!([stretch(5, 80, 8)]));
        assert!(!together.settled, "one of them was killed");
        let alone = State::of_slice(&before, of(0, 4)).unwrap();
        assert_eq!(
            alone.output, before[0].output,
            "the other one had none of its shards"
        );
        assert!(alone.settled);
    }

    #[test]
    fn what_was_counted_is_counted_once() {
        let counted = |number: u64| {
            json!({
                "total_documents_fetched": number, "error_count": 1, "last_error": "e", "dead_lettered": number,
                "receipts": {"agreed": number, "differed": 1},
                "processing_stats": {"batches": number, "avg_batch_processing_time_ms": number as f64,
                    "last_successful_poll": format!("2026-01-0{number}T00:00:00.000Z")},
            })
        };
        let before = [read_by(of(0, 2), counted(1)), read_by(of(1, 2), counted(3))];
        let after = [0, 1, 2].map(|number| State::of_slice(&before, of(number, 3)).unwrap());
        let totals = after.each_ref().map(|state| state.total_documents_fetched);
        assert_eq!(totals, [4, 0, 0]);
        let stats = &after[0].processing_stats;
        assert_eq!(
            (stats.batches, stats.avg_batch_processing_time_ms),
            (4, 2.5)
        );
        assert_eq!(
            stats.last_successful_poll.as_deref(),
            Some("2026-01-03T00:00:00.000Z")
        );
        assert_eq!((after[0].receipts.agreed, after[0].dead_lettered), (4, 4));
        assert_eq!((after[1].error_count, &after[1].last_error), (0, &None));
        let slices = after.map(|state| state.reading.unwrap().selection.slice);
        assert_eq!(
            slices,
            ["0/3", "1/3", "2/3"].map(|slice| Some(slice.to_owned()))
        );
    }

    #[test]
    fn sources_that_never_read_begin_at_the_earliest_start() {
        let started = |date: Option<&str>| State {
            last_poll_timestamp: date.map(str::to_owned),
            ..State::default()
        };
        let (early, late) = ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.5Z");
        let rows = [
            ([Some(late), Some(early)], Some(early)),
            ([Some(late), None], None),
        ];
        for (starts, expected) in rows {
            let state = State::of_slice(&starts.map(started), of(1, 3)).unwrap();
            assert_eq!(state.last_poll_timestamp.as_deref(), expected);
            assert_eq!((state.reading, state.output), (None, None));
        }
        let before = [started(Some(early)), read_by(of(1, 2), json!({}))];
        let state = State::of_slice(&before, Slice::WHOLE).unwrap();
        let slices = state.reading.unwrap().slices.slices;
        let starts: Vec<_> = slices.iter().map(|slice| slice.start.clone()).collect();
        assert_eq!(starts, [Key::at(1_767_225_600_000), Key::MIN]);
    }

    #[test]
    fn states_that_do_not_belong_together_are_an_error_that_names_one() {
        let read = |slice| read_by(slice, json!({}));
        let mut nanos = read(of(1, 2));
        nanos.reading.as_mut().unwrap().unit = Unit::Ns;
        let rows = [
            (
                vec![read(of(0, 2)), nanos],
                "the state of slice 1/2 is about",
            ),
            (
                vec![read(of(1, 2)), read(of(0, 2))],
                "the state of slice 0/2 is about",
            ),
            (
                vec![read(of(0, 3)), read(of(1, 3))],
                "the state of slice 0/2 is about",
            ),
        ];
        for (before, part) in rows {
            let error = State::of_slice(&before, Slice::WHOLE)
                .unwrap_err()
                .to_string();
            assert!(error.contains(part), "{error}");
        }
        assert!(State::of_slice(&[read(Slice::WHOLE)], of(1, 2)).is_ok());
    }
}
