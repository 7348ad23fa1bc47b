//! What a source is doing, for whoever asks, and in the log when it changes.
//!
//! ```text
//! starting ─▶ running ◀─▶ retrying     any of them ─▶ stopped | failed
//!        └────────────────▲
//! ```

use tokio::sync::watch;

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
    },
    /// It was told to stop, or has done all that it was asked for.
    Stopped,
    /// It stopped for what somebody must change, or has tried often enough.
    Failed {
        /// What that is.
        error: String,
    },
}

impl Status {
    /// What follows a failure that is not the end.
    fn after_failure(&self, error: String, now_ms: u64) -> Self {
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
        }
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
            if let Status::Retrying {
                since_ms, failures, ..
            } = status
            {
                let after_ms = now_ms.saturating_sub(*since_ms);
                tracing::info!(after_ms, "the source goes on after {failures} failures");
            }
            *status = Status::Running;
            changes
        };
        self.0.send_if_modified(set);
    }

    /// A poll failed, and another one follows after this wait.
    pub(crate) fn fails(&self, error: String, wait_ms: u64, now_ms: u64) {
        self.0.send_modify(|status| {
            if matches!(status, Status::Retrying { error: last, .. } if *last == error) {
                tracing::debug!(error, wait_ms, "the source will try again");
            } else {
                tracing::warn!(error, wait_ms, "the source will try again");
            }
            *status = status.after_failure(error, now_ms);
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

    #[test]
    fn only_what_changes_is_logged_with_how_long_and_how_often_it_failed() {
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
        ];
        for (polls, expected) in rows {
            let reporter = Reporter::default();
            let lines = logged(|| {
                for (poll, at_ms) in polls.into_iter().zip((1_000..).step_by(100)) {
                    match poll {
                        Works => reporter.works(at_ms),
                        Fails(error) => reporter.fails(error.to_owned(), 7, at_ms),
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
        let retrying = |error: &str, since_ms, failures| Status::Retrying {
            error: error.to_owned(),
            since_ms,
            failures,
        };
        assert_eq!(now(), Status::Starting);
        reporter.fails("a".to_owned(), 0, 5);
        reporter.fails("b".to_owned(), 0, 9);
        assert_eq!(now(), retrying("b", 5, 2));
        reporter.works(10);
        assert_eq!(now(), Status::Running);
        reporter.fails("c".to_owned(), 0, 11);
        assert_eq!(now(), retrying("c", 11, 1));
        reporter.ends(Some("d".to_owned()));
        let error = "d".to_owned();
        assert_eq!(now(), Status::Failed { error });
    }
}
