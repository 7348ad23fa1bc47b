//! The first polls of a new version, after which it is trusted. Pure.

/// So many polls that work. Where little is new, they do all that a poll does (a new point in
/// time, a cycle that ends, saves, receipts), and take a few minutes at most where the polling
/// interval is the default; where there is much to read, they are soon over, and have read and
/// published pages and saved what was acknowledged.
const POLLS: u32 = 10;
/// Or one, and so many messages, as a version that publishes a million of them works: what is
/// published on probation may have to be found again in the output, which may be no more
/// than [`TAIL_MAX`](crate::publisher::destination::TAIL_MAX) messages.
const MESSAGES: u64 = 1_000_000;
/// The most pages of a poll on probation; of the largest pages, that are 320,000 messages
/// between two looks at how many there are.
pub(crate) const POLL_PAGES: u32 = 32;

/// A new version that still has to show that it works. Until then its states are kept from the
/// store, which has one of the version before.
pub(crate) struct Probation<V> {
    /// What comes back if it does not.
    pub(crate) before: V,
    polls: u32,
    messages: u64,
}

impl<V> Probation<V> {
    pub(crate) fn new(before: V) -> Self {
        Self {
            before,
            polls: 0,
            messages: 0,
        }
    }

    /// A poll worked.
    pub(crate) fn polled(&mut self) {
        self.polls += 1;
    }

    /// So many messages were acknowledged, maybe by a poll that failed then.
    pub(crate) fn published(&mut self, messages: u64) {
        self.messages = self.messages.saturating_add(messages);
    }

    pub(crate) fn is_over(&self) -> bool {
        let is_much = self.messages >= MESSAGES;
        self.polls >= POLLS || (self.polls > 0 && is_much) || self.messages >= 2 * MESSAGES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_over_after_so_many_polls_that_work_or_one_and_messages_or_twice_as_many() {
        for (polls, messages, is_over) in [
            (POLLS - 1, MESSAGES - 1, false),
            (POLLS, 0, true),
            (0, MESSAGES, false),
            (1, MESSAGES, true),
            (0, 2 * MESSAGES, true),
        ] {
            let mut probation = Probation::new(());
            (0..polls).for_each(|_| probation.polled());
            probation.published(messages);
            assert_eq!(probation.is_over(), is_over, "{polls} {messages}");
        }
    }
}
