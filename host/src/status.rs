//! What a source is doing, for whoever asks, and in the log when it changes.
//!
//! ```text
//! starting ─▶ running ◀─▶ retrying     any of them ─▶ stopped | failed
//!        └────────────────▲
//! ```

mod exchanges;

use tokio::sync::watch;

pub use exchanges::{Exchanges, Outcome};

/// What a source is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Status {
    /// No poll has ended yet.
    #[default]
    Starting,
    /// The last poll worked.
    Running,
    /// The last polls failed, and the next one is tried in a while. What was not
    /// acknowledged is not lost: the source stays where it is.
    Retrying {
        /// What the last of them said.
        error: String,
        /// When the first of them failed, in milliseconds since the epoch.
        since_ms: u64,
        /// How many failed in a row.
        failures: u32,
        /// When the next one is tried, in milliseconds since the epoch.
        next_ms: u64,
        /// Whether so many failed that the breaker is open: polls are tried at the longest
        /// wait, one at a time, and the first one that works closes it.
        breaker_open: bool,
    },
    /// It was told to stop, or has done all that it was asked for.
    Stopped,
    /// It stopped for what somebody must change, or has tried often enough.
    Failed {
        /// What that is.
        error: String,
    },
}

/// The poll that follows one that failed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt {
    /// How long it is waited for, in milliseconds.
    pub(crate) wait_ms: u64,
    /// When it is due, in milliseconds since the epoch.
    pub(crate) at_ms: u64,
    /// Whether it only probes what failed again and again.
    pub(crate) breaker_open: bool,
}

impl Status {
    /// What follows a failure that is not the end.
    fn after_failure(&self, error: String, next: Attempt, now_ms: u64) -> Self {
        let (since_ms, failures) = match self {
            Self::Retrying {
                since_ms, failures, ..
            } => (*since_ms, failures + 1),
            _ => (now_ms, 1),
        };
        Self::Retrying {
            error,
            since_ms,
            failures,
            next_ms: next.at_ms,
            breaker_open: next.breaker_open,
        }
    }

    fn breaker_is_open(&self) -> bool {
        matches!(
            self,
            Self::Retrying {
                breaker_open: true,
                ..
            }
        )
    }
}

/// The status of one source: its runner sets it, anybody may watch it.
#[derive(Debug, Default)]
pub struct Reporter(watch::Sender<Status>);

impl Reporter {
    /// Sees the status as it is and every change.
    pub fn watch(&self) -> watch::Receiver<Status> {
        self.0.subscribe()
    }

    pub(crate) fn starts(&self) {
        self.0.send_replace(Status::Starting);
    }

    /// A poll worked.
    pub(crate) fn works(&self, now_ms: u64) {
        let set = |status: &mut Status| {
            let changes = *status != Status::Running;
            let breaker = match status.breaker_is_open() {
                true => "the breaker is closed, ",
                false => "",
            };
            if let Status::Retrying {
                since_ms, failures, ..
            } = status
            {
                let after_ms = now_ms.saturating_sub(*since_ms);
                tracing::info!(
                    after_ms,
                    "{breaker}the source goes on after {failures} failures"
                );
            }
            *status = Status::Running;
            changes
        };
        self.0.send_if_modified(set);
    }

    /// A poll failed, and another one follows.
    pub(crate) fn fails(&self, error: String, next: Attempt, now_ms: u64) {
        self.0.send_modify(|status| {
            let Attempt { wait_ms, at_ms, .. } = next;
            let same = matches!(status, Status::Retrying { error: last, .. } if *last == error);
            let opens = next.breaker_open && !status.breaker_is_open();
            *status = status.after_failure(error.clone(), next, now_ms);
            if let (true, Status::Retrying { failures, .. }) = (opens, &*status) {
                tracing::error!(
                    error,
                    wait_ms,
                    next_ms = at_ms,
                    "{failures} failures in a row, the breaker is open: one poll at a time is tried until one works"
                );
            } else if same {
                tracing::debug!(error, wait_ms, "the source will try again");
            } else {
                tracing::warn!(error, wait_ms, "the source will try again");
            }
        });
    }

    /// The run is over; whoever started it says why.
    pub(crate) fn ends(&self, error: Option<String>) {
        let ended = error.map_or(Status::Stopped, |error| Status::Failed { error });
        self.0.send_replace(ended);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// What is logged from info on, line by line.
    fn logged(during: impl FnOnce()) -> Vec<String> {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .with_ansi(false)
            .without_time()
            .with_target(false)
            .with_max_level(tracing::Level::INFO)
            .finish();
        tracing::subscriber::with_default(subscriber, during);
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| line.trim().to_owned()).collect()
    }

    enum Poll {
        Works,
        Fails(&'static str),
    }
    use Poll::{Fails, Works};

    fn next(now_ms: u64, breaker_open: bool) -> Attempt {
        Attempt {
            wait_ms: 7,
            at_ms: now_ms + 7,
            breaker_open,
        }
    }

    #[test]
    fn only_what_changes_is_logged_with_how_long_and_how_often_it_failed() {
        let opens = |error: &str| {
            format!(
                "ERROR 3 failures in a row, the breaker is open: one poll at a time is tried until one works error=\"{error}\" wait_ms=7 next_ms=1207"
            )
        };
        let closes = "INFO the breaker is closed, the source goes on after 5 failures after_ms=500"
            .to_owned();
        let warning = |error| format!("WARN the source will try again error=\"{error}\" wait_ms=7");
        let back = |failures: u32, after_ms: u32| {
            format!("INFO the source goes on after {failures} failures after_ms={after_ms}")
        };
        let rows = [
            (vec![Works, Works], vec![]),
            (vec![Fails("a")], vec![warning("a")]),
            (
                vec![Works, Fails("a"), Fails("b")],
                vec![warning("a"), warning("b")],
            ),
            (
                vec![Fails("a"), Fails("a"), Works, Works, Fails("c"), Works],
                vec![warning("a"), back(2, 200), warning("c"), back(1, 100)],
            ),
            (
                vec![
                    Fails("a"),
                    Fails("a"),
                    Fails("a"),
                    Fails("a"),
                    Fails("b"),
                    Works,
                ],
                vec![warning("a"), opens("a"), warning("b"), closes],
            ),
        ];
        for (polls, expected) in rows {
            let reporter = Reporter::default();
            let mut failures = 0;
            let lines = logged(|| {
                for (poll, at_ms) in polls.into_iter().zip((1_000..).step_by(100)) {
                    match poll {
                        Works => {
                            failures = 0;
                            reporter.works(at_ms);
                        }
                        Fails(error) => {
                            failures += 1;
                            reporter.fails(error.to_owned(), next(at_ms, failures >= 3), at_ms);
                        }
                    }
                }
            });
            assert_eq!(lines, expected);
        }
    }

    #[test]
    fn failures_in_a_row_are_counted_from_the_first_one() {
        let reporter = Reporter::default();
        let watched = reporter.watch();
        let now = || watched.borrow().clone();
        let retrying = |error: &str, since_ms, failures, next: Attempt| Status::Retrying {
            error: error.to_owned(),
            since_ms,
            failures,
            next_ms: next.at_ms,
            breaker_open: next.breaker_open,
        };
        assert_eq!(now(), Status::Starting);
        reporter.fails("a".to_owned(), next(5, false), 5);
        assert_eq!(now(), retrying("a", 5, 1, next(5, false)));
        reporter.fails("b".to_owned(), next(9, true), 9);
        assert_eq!(now(), retrying("b", 5, 2, next(9, true)));
        reporter.works(10);
        assert_eq!(now(), Status::Running);
        reporter.fails("c".to_owned(), next(11, false), 11);
        assert_eq!(now(), retrying("c", 11, 1, next(11, false)));
        reporter.ends(Some("d".to_owned()));
        let error = "d".to_owned();
        assert_eq!(now(), Status::Failed { error });
    }
}
