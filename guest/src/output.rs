//! Where the output ends, and where in it messages may stand that the state does not cover.
//!
//! After a restart or a failed publish, the output holds documents that the state does not
//! cover yet. They are skipped when they are offered again; until then the state names the
//! stretches where they may stand, or a second crash would forget them. A stretch goes when
//! the host knows of none any more. At the latest it goes when a cycle ends whose horizon is
//! not before the time at which the stretch was found: whatever stands there was published
//! before that time, from before an older horizon, so that such a cycle has offered all of it
//! again. What is left then is another producer's, or a version that is gone.

use crate::host::{Found, Published};
use crate::state::{Mark, State, Stretch};

/// So many stretches of a partition are told apart; more become one, which costs only time
/// when it is read.
const STRETCHES_MAX: usize = 16;
/// A source whose position stands still asks so often where the output ends, so that a
/// restart need not read what others wrote meanwhile.
const ASK_EVERY_MS: u64 = 10_000;

/// What one run knows of the output beside the state.
#[derive(Debug)]
pub struct Output {
    /// When a publish failed, in milliseconds: some of it may be there, or still take effect.
    in_doubt_since_ms: Option<u64>,
    /// When the state's position was last known to be the end, in milliseconds.
    asked_ms: u64,
}

impl Output {
    /// After resuming: takes note of where the output ends, and of what may stand before
    /// that. Returns the destinations that the state did not know.
    ///
    /// A destination that is configured no more keeps what it may hold as stretches, in case
    /// it comes back before that was offered again.
    pub fn resumed(state: &mut State, found: Found, now_ms: u64) -> (Self, Vec<Mark>) {
        let Found { ends, unclaimed } = found;
        let known = state.output.take().unwrap_or_default();
        close(&mut state.uncovered, &ends);
        if unclaimed == 0 {
            forget(&mut state.uncovered, &ends);
        } else {
            let tails = ends.iter().filter(|end| is_known(&known, end));
            let tails = tails.filter_map(|end| end.stretch_from(next_in(&known, end), now_ms));
            add(&mut state.uncovered, tails.collect());
        }
        let away = known.iter().filter(|mark| !is_known(&ends, mark));
        if !state.settled {
            let tails = away.map(|mark| mark.stretch_on(now_ms)).collect();
            add(&mut state.uncovered, tails);
        }
        let joined = ends.iter().filter(|end| !is_known(&known, end));
        let joined = joined.cloned().collect();
        state.output = Some(ends);
        let output = Self {
            in_doubt_since_ms: None,
            asked_ms: now_ms,
        };
        (output, joined)
    }

    /// A publish failed.
    pub fn failed(&mut self, now_ms: u64) {
        self.in_doubt_since_ms = Some(now_ms);
    }

    /// A publish was acknowledged. One that failed before it left what it left behind the
    /// saved position and before this one's end.
    pub fn acknowledged(&mut self, published: Published, state: &mut State) {
        let Published {
            position,
            unclaimed,
            at_ms,
            ..
        } = published;
        let known = state.output.take().unwrap_or_default();
        if unclaimed == 0 {
            forget(&mut state.uncovered, &position);
        } else if let Some(since_ms) = self.in_doubt_since_ms {
            let behind = position.iter();
            let behind = behind.filter_map(|end| end.stretch_from(next_in(&known, end), since_ms));
            add(&mut state.uncovered, behind.collect());
        }
        if position != known {
            self.asked_ms = at_ms;
        }
        state.output = Some(position);
        self.in_doubt_since_ms = None;
    }

    /// A cycle to this horizon is over. Returns whether it offered all that the state did not
    /// cover: then what was found in the output and is left is not ours.
    pub fn cycle_over(&mut self, state: &mut State, horizon_ms: u64) -> bool {
        state
            .uncovered
            .retain(|stretch| stretch.found_ms > horizon_ms);
        let doubt_ends = self
            .in_doubt_since_ms
            .is_none_or(|since_ms| since_ms <= horizon_ms);
        doubt_ends && state.uncovered.is_empty()
    }

    /// Whether it is time to ask where the output ends. To be asked when a cycle is over that
    /// offered all.
    pub fn is_due(&self, now_ms: u64) -> bool {
        let waited_ms = now_ms.abs_diff(self.asked_ms);
        self.in_doubt_since_ms.is_some() || waited_ms >= ASK_EVERY_MS
    }

    /// The output ends there, and all that is ours before that is covered.
    pub fn ends(&mut self, ends: Vec<Mark>, state: &mut State, now_ms: u64) {
        state.output = Some(ends);
        (self.in_doubt_since_ms, self.asked_ms) = (None, now_ms);
    }

    /// Whether nothing can be under way any more.
    pub fn is_settled(&self) -> bool {
        self.in_doubt_since_ms.is_none()
    }
}

/// Whether one of the marks is of the same destination.
fn is_known(marks: &[Mark], mark: &Mark) -> bool {
    marks.iter().any(|known| known.is_beside(mark))
}

/// What was without an end has one now.
fn close(uncovered: &mut [Stretch], ends: &[Mark]) {
    for stretch in uncovered {
        let end = ends.iter().find(|end| stretch.is_of(end));
        stretch.to = end.map_or(stretch.to, |end| stretch.to.min(end.next));
    }
}

/// Nothing is left in these destinations.
fn forget(uncovered: &mut Vec<Stretch>, destinations: &[Mark]) {
    uncovered.retain(|stretch| !destinations.iter().any(|mark| stretch.is_in(mark)));
}

/// Where a partition ended before; a new one began at 0.
fn next_in(known: &[Mark], end: &Mark) -> u64 {
    let same = |mark: &&Mark| mark.is_beside(end) && mark.partition == end.partition;
    known.iter().find(same).map_or(0, |mark| mark.next)
}

/// Each begins where the ones before it ended, or later.
fn add(uncovered: &mut Vec<Stretch>, more: Vec<Stretch>) {
    for stretch in more {
        let beside = uncovered
            .iter_mut()
            .filter(|known| known.is_beside(&stretch));
        let beside: Vec<_> = beside.collect();
        let is_full = beside.len() >= STRETCHES_MAX;
        let last = beside.into_iter().last();
        match last.filter(|last| is_full || last.to >= stretch.from) {
            Some(last) => {
                last.to = stretch.to;
                last.found_ms = last.found_ms.max(stretch.found_ms);
            }
            None => uncovered.push(stretch),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(next: u64) -> Vec<Mark> {
        vec![Mark {
            stream: "s".to_owned(),
            topic: "t".to_owned(),
            partition: 0,
            next,
        }]
    }

    fn found(next: u64, unclaimed: u64) -> Found {
        let ends = end(next);
        Found { ends, unclaimed }
    }

    fn published(next: u64, unclaimed: u64) -> Published {
        Published {
            position: end(next),
            dead_lettered: 0,
            unclaimed,
            at_ms: 0,
        }
    }

    fn saved(next: u64) -> State {
        State {
            output: Some(end(next)),
            ..State::default()
        }
    }

    /// The saved position, and the stretches before it.
    fn places(state: &State) -> (u64, Vec<(u64, u64)>) {
        let position = state.output.as_deref().map_or(0, |marks| marks[0].next);
        let stretches = state.uncovered.iter();
        (position, stretches.map(|s| (s.from, s.to)).collect())
    }

    #[test]
    fn what_a_former_run_left_uncovered_is_named_until_it_was_offered_again() {
        let mut state = saved(10);
        let (mut output, joined) = Output::resumed(&mut state, found(50, 40), 1_000);
        assert_eq!((places(&state), joined), ((50, vec![(10, 50)]), vec![]));
        output.acknowledged(published(60, 30), &mut state);
        assert_eq!(places(&state), (60, vec![(10, 50)]), "the position goes on");
        assert!(!output.cycle_over(&mut state, 999), "an older horizon");
        assert_eq!(places(&state).1, [(10, 50)]);
        assert!(
            output.cycle_over(&mut state, 1_000),
            "what is left is not ours"
        );
        assert_eq!(places(&state), (60, vec![]));
    }

    #[test]
    fn nothing_is_named_when_nothing_is_unclaimed() {
        let mut state = saved(10);
        Output::resumed(&mut state, found(50, 0), 0);
        assert_eq!(places(&state), (50, vec![]));
        let (mut output, _) = Output::resumed(&mut state, found(70, 1), 0);
        assert_eq!(places(&state), (70, vec![(50, 70)]));
        output.acknowledged(published(70, 0), &mut state);
        assert_eq!(places(&state), (70, vec![]));
    }

    #[test]
    fn a_failed_publish_leaves_a_stretch_behind_the_saved_position() {
        let mut state = saved(50);
        let (mut output, _) = Output::resumed(&mut state, found(50, 0), 0);
        output.failed(2_000);
        assert!(!output.is_settled());
        output.acknowledged(published(70, 3), &mut state);
        assert_eq!(places(&state), (70, vec![(50, 70)]));
        assert!(output.is_settled());
        output.acknowledged(published(90, 3), &mut state);
        assert_eq!(places(&state), (90, vec![(50, 70)]));
        assert!(!output.cycle_over(&mut state, 1_999));
        assert!(output.cycle_over(&mut state, 2_000));
    }

    #[test]
    fn crash_after_crash_adds_stretches_and_too_many_become_one() {
        let mut state = saved(0);
        for crash in 1..=20 {
            let (mut output, _) = Output::resumed(&mut state, found(crash * 10 - 5, 1), crash);
            output.acknowledged(published(crash * 10, 1), &mut state);
        }
        let (position, stretches) = places(&state);
        assert_eq!((position, stretches.len()), (200, STRETCHES_MAX));
        assert_eq!(stretches.first(), Some(&(0, 5)));
        assert_eq!(stretches.last(), Some(&(150, 195)));
        assert_eq!(
            state.uncovered.last().unwrap().found_ms,
            20,
            "the latest of them"
        );
        Output::resumed(&mut state, found(300, 1), 7);
        assert_eq!(
            state.uncovered.last().unwrap().found_ms,
            20,
            "also when the clock was set back since"
        );
    }

    #[test]
    fn a_destination_that_leaves_is_read_again_if_it_comes_back_before_all_was_offered() {
        let other = || Found {
            ends: vec![Mark {
                topic: "other".to_owned(),
                ..end(3).remove(0)
            }],
            unclaimed: 0,
        };
        let mut state = saved(5);
        let (mut output, joined) = Output::resumed(&mut state, other(), 1_000);
        assert_eq!(joined, other().ends);
        assert_eq!(places(&state), (3, vec![(5, u64::MAX)]));
        output.acknowledged(
            Published {
                position: other().ends,
                ..published(0, 0)
            },
            &mut state,
        );
        let mut back = state.clone();
        Output::resumed(&mut back, found(9, 2), 2_000);
        assert_eq!(places(&back), (9, vec![(5, 9), (3, u64::MAX)]));
        assert!(output.cycle_over(&mut state, 1_000));
        assert_eq!(places(&state).1, []);
        let mut settled = State {
            settled: true,
            ..saved(5)
        };
        Output::resumed(&mut settled, other(), 1_000);
        assert_eq!(places(&settled).1, [], "a clean stop left nothing");
    }

    #[test]
    fn a_source_with_nothing_to_publish_asks_for_the_end_now_and_then() {
        let mut state = saved(50);
        let (mut output, _) = Output::resumed(&mut state, found(50, 0), 1_000);
        assert!(output.cycle_over(&mut state, 1));
        assert!(!output.is_due(10_999) && output.is_due(11_000));
        output.ends(end(900), &mut state, 11_000);
        assert_eq!(places(&state), (900, vec![]));
        assert!(!output.is_due(20_999));
        output.failed(21_000);
        assert!(
            !output.cycle_over(&mut state, 20_000),
            "it may be under way"
        );
        assert!(output.cycle_over(&mut state, 21_000) && output.is_due(21_000));
        output.ends(end(900), &mut state, 21_000);
        assert!(output.is_settled());
        output.acknowledged(published(900, 0), &mut state);
        assert!(output.is_due(31_000), "the position did not move");
    }
}
