//! What whoever wants a lease concludes from looking at it, again and again.

use std::time::Duration;

use tokio::time::Instant;

/// May the lease be taken?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Yes: nobody has it.
    Free,
    /// Yes: its holder has not renewed it for too long.
    Silent,
    /// No: it was renewed, or changed hands, since the last look.
    Alive,
    /// Nobody can know yet.
    Unclear,
}

/// Looks at one lease, on this machine's own clock: nothing is compared with what the
/// holder's clock says.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// The revision that was seen last, and when for the first time.
    seen: Option<(String, Instant)>,
}

impl Watch {
    /// The revision of the lease, as it was read before `now`; `None` if there is none. A
    /// holder that is silent for longer than `patience` has lost it.
    pub(super) fn look(
        &mut self,
        revision: Option<&str>,
        patience: Duration,
        now: Instant,
    ) -> Verdict {
        let Some(revision) = revision else {
            self.seen = None;
            return Verdict::Free;
        };
        match &self.seen {
            Some((seen, since)) if seen == revision => match now - *since > patience {
                true => Verdict::Silent,
                false => Verdict::Unclear,
            },
            seen => {
                let verdict = match seen {
                    Some(_) => Verdict::Alive,
                    None => Verdict::Unclear,
                };
                self.seen = Some((revision.to_owned(), now));
                verdict
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Verdict::{Alive, Free, Silent, Unclear};
    use super::*;

    #[test]
    fn a_lease_is_taken_when_it_did_not_move_for_longer_than_it_lasts() {
        let rows: [&[(u64, Option<&str>, Verdict)]; 5] = [
            &[(0, None, Free)],
            &[(0, Some("1"), Unclear), (1, None, Free)],
            &[
                (0, Some("1"), Unclear),
                (10, Some("1"), Unclear),
                (11, Some("1"), Silent),
            ],
            &[
                (0, Some("1"), Unclear),
                (9, Some("2"), Alive),
                (19, Some("2"), Unclear),
                (20, Some("2"), Silent),
            ],
            // Looked at late: the time counts from when it was seen.
            &[(90, Some("1"), Unclear), (99, Some("1"), Unclear)],
        ];
        let start = Instant::now();
        for looks in rows {
            let mut watch = Watch::default();
            for (second, revision, expected) in looks {
                let now = start + Duration::from_secs(*second);
                assert_eq!(
                    watch.look(*revision, Duration::from_secs(10), now),
                    *expected,
                    "{looks:?} at {second}"
                );
            }
        }
    }
}
