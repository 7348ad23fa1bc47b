//! Where the output ends, and from where it must be read back after a crash.
//!
//! After a restart or a failed publish, the output holds documents that the state does not
//! cover yet. They are skipped when they are offered again; until then the saved position
//! must stay before them, or a second crash would forget them. It moves on when the host
//! knows of none any more, and at the end of a cycle at the latest, as a cycle offers again
//! whatever the state does not cover: what is left then is another producer's.

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
}

impl Output {
    /// After resuming; `ahead` unless the state is new.
    pub fn resumed(end: Vec<Mark>, ahead: bool) -> Self {
        Self {
            end,
            ahead,
            in_doubt: false,
        }
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

    /// A cycle has offered everything that the state did not cover.
    pub fn cycle_over(&mut self, state: &mut State) {
        self.ahead = self.in_doubt;
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
