//! Where the output ends, and from where it must be read back after a crash.
//!
//! After a restart or a failed publish, the output holds documents that the state does not
//! cover yet. They are skipped when they are offered again; until then the saved position
//! must stay before them, or a second crash would forget them. It moves on when the host
//! knows of none any more, and at the latest when a cycle ends that this run began, as that
//! offers again whatever the state does not cover: what is left then is another producer's.

use crate::host::Published;
use crate::state::{Mark, State};

/// The output, as far as one run knows it.
#[derive(Debug)]
pub struct Output {
    /// Where it ends.
    end: Vec<Mark>,
    /// Documents may be there that the state does not cover.
    ahead: bool,
    /// A publish has no outcome, and may still take effect.
    in_doubt: bool,
    /// The cycle under way began in this run. One that a former run began has an older
    /// horizon, and later cycles of that run may have published behind it.
    cycle_is_ours: bool,
}

impl Output {
    /// After resuming; `ahead` unless the state is new.
    pub fn resumed(end: Vec<Mark>, ahead: bool) -> Self {
        Self {
            end,
            ahead,
            in_doubt: false,
            cycle_is_ours: false,
        }
    }

    /// A cycle begins, to a horizon of this run.
    pub fn cycle_begun(&mut self) {
        self.cycle_is_ours = true;
    }

    /// Whether the cycle under way, or the last one, began in this run.
    pub fn cycle_is_ours(&self) -> bool {
        self.cycle_is_ours
    }

    /// A publish begins.
    pub fn submitted(&mut self) {
        self.in_doubt = true;
    }

    /// It failed: some of it may be there.
    pub fn failed(&mut self) {
        self.ahead = true;
    }

    /// It was acknowledged.
    pub fn acknowledged(&mut self, published: Published, state: &mut State) {
        self.in_doubt = false;
        self.ahead &= published.unclaimed > 0;
        self.end = published.position;
        self.note(state);
    }

    /// A cycle is over; if it began in this run, it offered all that the state did not cover.
    pub fn cycle_over(&mut self, state: &mut State) {
        self.ahead = self.in_doubt || (self.ahead && !self.cycle_is_ours);
        self.note(state);
    }

    /// Whether nothing can be under way any more.
    pub fn is_settled(&self) -> bool {
        !self.in_doubt
    }

    fn note(&self, state: &mut State) {
        if !self.ahead {
            state.output = Some(self.end.clone());
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

    fn next(state: &State) -> u64 {
        state.output.as_deref().map_or(0, |marks| marks[0].next)
    }

    #[test]
    fn the_position_stays_before_what_a_former_run_left_uncovered() {
        let mut state = State {
            output: Some(end(10)),
            ..State::default()
        };
        let mut output = Output::resumed(end(50), true);
        output.acknowledged(published(50, 30), &mut state);
        assert_eq!(next(&state), 10, "30 messages were not offered again yet");
        output.cycle_over(&mut state);
        assert_eq!(next(&state), 10, "the former run's cycle ends before them");
        output.cycle_begun();
        output.acknowledged(published(60, 5), &mut state);
        assert_eq!(next(&state), 10);
        output.cycle_over(&mut state);
        assert_eq!(next(&state), 60, "what is left is another producer's");
    }

    #[test]
    fn the_position_moves_at_once_when_nothing_is_left() {
        let mut state = State::default();
        let mut output = Output::resumed(end(50), true);
        output.acknowledged(published(50, 0), &mut state);
        assert_eq!(next(&state), 50);
        output.submitted();
        output.failed();
        assert!(!output.is_settled());
        output.acknowledged(published(70, 3), &mut state);
        assert_eq!(next(&state), 50, "a failed publish may have left some");
        assert!(output.is_settled());
    }
}
