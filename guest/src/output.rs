//! Where the output ends, and where in it messages may stand that the state does not cover.
//!
//! After a restart or a failed publish, the output holds documents that the state does not
//! cover yet. They are skipped when they are offered again; until then the state names the
//! stretches where they may stand, or a second crash would forget them. A stretch goes when
//! the host knows of none any more, and at the latest when a cycle ends that this run began,
//! as that offers again whatever the state does not cover: what is left then is another
//! producer's, or a version that is gone.

use crate::host::Published;
use crate::state::{Mark, State, Stretch};

/// So many stretches of a partition are told apart; more become one, which costs only time
/// when it is read.
const STRETCHES_MAX: usize = 16;
/// A source that has nothing to publish asks so often where the output ends, so that a
/// restart need not read what others wrote meanwhile.
const ASK_EVERY_MS: u64 = 10_000;

/// What one run knows of the output beside the state.
#[derive(Debug)]
pub struct Output {
    /// A publish failed, and some of it may be there, or still take effect.
    in_doubt: bool,
    /// The cycle under way began in this run. One that a former run began has an older
    /// horizon, and later cycles of that run may have published behind it.
    cycle_is_ours: bool,
    /// When the state's position was last known to be the end, in milliseconds.
    asked_ms: u64,
}

impl Output {
    /// After resuming, which returned these ends: takes note of them, and of what may stand
    /// before them. Returns the destinations that the state did not know.
    pub fn resumed(state: &mut State, ends: Vec<Mark>, now_ms: u64) -> (Self, Vec<Mark>) {
        let known = state.output.take().unwrap_or_default();
        let (mut joined, mut uncovered) = (Vec::new(), Vec::new());
        for end in &ends {
            let is_known = known.iter().any(|mark| mark.is_beside(end));
            match is_known {
                true => uncovered.extend(end.stretch_from(next_in(&known, end))),
                false => joined.push(end.clone()),
            }
        }
        let is_configured = |stretch: &Stretch| ends.iter().any(|end| stretch.is_in(end));
        state.uncovered.retain(is_configured);
        add(&mut state.uncovered, uncovered);
        state.output = Some(ends);
        let output = Self {
            in_doubt: false,
            cycle_is_ours: false,
            asked_ms: now_ms,
        };
        (output, joined)
    }

    /// A cycle begins, to a horizon of this run.
    pub fn cycle_begun(&mut self) {
        self.cycle_is_ours = true;
    }

    /// Whether the cycle under way, or the last one, began in this run.
    pub fn cycle_is_ours(&self) -> bool {
        self.cycle_is_ours
    }

    /// A publish failed.
    pub fn failed(&mut self) {
        self.in_doubt = true;
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
        if unclaimed == 0 {
            state.uncovered.clear();
        } else if self.in_doubt {
            let known = state.output.take().unwrap_or_default();
            let behind = position.iter();
            let behind = behind.filter_map(|end| end.stretch_from(next_in(&known, end)));
            add(&mut state.uncovered, behind.collect());
        }
        state.output = Some(position);
        (self.in_doubt, self.asked_ms) = (false, at_ms);
    }

    /// A cycle is over. Returns whether it offered all that the state did not cover: then
    /// what was found in the output and is left is not ours.
    pub fn cycle_over(&mut self, state: &mut State) -> bool {
        let offered_all = self.cycle_is_ours && !self.in_doubt;
        if offered_all {
            state.uncovered.clear();
        }
        offered_all
    }

    /// Whether it is time to ask where the output ends. To be asked when a cycle is over that
    /// offered all.
    pub fn is_due(&self, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.asked_ms) >= ASK_EVERY_MS
    }

    /// The output ends there, and all that is ours before that is covered.
    pub fn ends(&mut self, ends: Vec<Mark>, state: &mut State, now_ms: u64) {
        state.output = Some(ends);
        self.asked_ms = now_ms;
    }

    /// Whether nothing can be under way any more.
    pub fn is_settled(&self) -> bool {
        !self.in_doubt
    }
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
            Some(last) => last.to = stretch.to,
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
        let (mut output, joined) = Output::resumed(&mut state, end(50), 0);
        assert_eq!((places(&state), joined), ((50, vec![(10, 50)]), vec![]));
        output.acknowledged(published(60, 30), &mut state);
        assert_eq!(places(&state), (60, vec![(10, 50)]), "the position goes on");
        assert!(!output.cycle_over(&mut state), "the former run's cycle");
        assert_eq!(places(&state).1, [(10, 50)]);
        output.cycle_begun();
        assert!(output.cycle_over(&mut state), "what is left is not ours");
        assert_eq!(places(&state), (60, vec![]));
    }

    #[test]
    fn nothing_is_named_when_nothing_is_unclaimed() {
        let mut state = saved(10);
        let (mut output, _) = Output::resumed(&mut state, end(50), 0);
        output.acknowledged(published(50, 0), &mut state);
        assert_eq!(places(&state), (50, vec![]));
    }

    #[test]
    fn a_failed_publish_leaves_a_stretch_behind_the_saved_position() {
        let mut state = saved(50);
        let (mut output, _) = Output::resumed(&mut state, end(50), 0);
        output.failed();
        assert!(!output.is_settled());
        output.acknowledged(published(70, 3), &mut state);
        assert_eq!(places(&state), (70, vec![(50, 70)]));
        assert!(output.is_settled());
        output.acknowledged(published(90, 3), &mut state);
        assert_eq!(places(&state), (90, vec![(50, 70)]));
    }

    #[test]
    fn crash_after_crash_adds_stretches_and_too_many_become_one() {
        let mut state = saved(0);
        for crash in 1..=20 {
            let (mut output, _) = Output::resumed(&mut state, end(crash * 10 - 5), 0);
            output.acknowledged(published(crash * 10, 1), &mut state);
        }
        let (position, stretches) = places(&state);
        assert_eq!((position, stretches.len()), (200, STRETCHES_MAX));
        assert_eq!(stretches.first(), Some(&(0, 5)));
        assert_eq!(stretches.last(), Some(&(150, 195)));
    }

    #[test]
    fn a_destination_that_joins_has_no_stretch_and_one_that_leaves_none_any_more() {
        let mut state = saved(5);
        Output::resumed(&mut state, end(9), 0);
        assert_eq!(places(&state), (9, vec![(5, 9)]));
        let other = Mark {
            topic: "other".to_owned(),
            ..end(3).remove(0)
        };
        let (_, joined) = Output::resumed(&mut state, vec![other.clone()], 0);
        assert_eq!(joined, [other]);
        assert_eq!(places(&state), (3, vec![]));
    }

    #[test]
    fn a_source_with_nothing_to_publish_asks_for_the_end_now_and_then() {
        let mut state = saved(50);
        let (mut output, _) = Output::resumed(&mut state, end(50), 1_000);
        output.cycle_begun();
        assert!(output.cycle_over(&mut state));
        assert!(!output.is_due(10_999) && output.is_due(11_000));
        output.ends(end(900), &mut state, 11_000);
        assert_eq!(places(&state), (900, vec![]));
        assert!(!output.is_due(20_999));
        output.failed();
        assert!(!output.cycle_over(&mut state), "something may be under way");
    }
}
