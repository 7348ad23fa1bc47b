//! How much of a poll is left.

/// What one poll may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Pages to fetch.
    pub pages: u32,
    /// Milliseconds, by the times of the answers.
    pub milliseconds: u32,
}

/// What is left of a budget. Its time runs from the first answer on, since before that the
/// guest knows no other time than the poll's, which may be fixed.
pub(super) struct Left {
    budget: Budget,
    since_ms: Option<u64>,
    now_ms: u64,
}

impl Left {
    pub(super) fn of(budget: Budget) -> Self {
        Self {
            budget,
            since_ms: None,
            now_ms: 0,
        }
    }

    pub(super) fn spend_page(&mut self, at_ms: u64) {
        self.budget.pages = self.budget.pages.saturating_sub(1);
        self.now_ms = at_ms;
        self.since_ms.get_or_insert(at_ms);
    }

    pub(super) fn is_spent(&self) -> bool {
        let spent_ms = self
            .since_ms
            .map_or(0, |since_ms| self.now_ms.saturating_sub(since_ms));
        self.budget.pages == 0 || spent_ms > u64::from(self.budget.milliseconds)
    }
}
