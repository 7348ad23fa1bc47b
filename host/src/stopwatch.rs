//! The time inside a component, in one call. While it waits for the host, or for its turn
//! beside others, the watch stands still.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// One for each store; clones are the same watch.
#[derive(Debug, Clone, Default)]
pub struct Stopwatch(Arc<Mutex<Watch>>);

#[derive(Debug, Default)]
struct Watch {
    spent: Duration,
    /// When it was last set going; none while it stands still.
    since: Option<Instant>,
}

impl Watch {
    fn spent(&self) -> Duration {
        self.spent + self.since.map(|since| since.elapsed()).unwrap_or_default()
    }
}

impl Stopwatch {
    /// A call begins.
    pub(crate) fn begin(&self) {
        *self.watch() = Watch {
            spent: Duration::ZERO,
            since: Some(Instant::now()),
        };
    }

    /// What the call under way has computed so far.
    pub(crate) fn spent(&self) -> Duration {
        self.watch().spent()
    }

    /// Stands still until this is done.
    pub(crate) async fn during<T>(&self, waiting: impl Future<Output = T>) -> T {
        {
            let mut watch = self.watch();
            watch.spent = watch.spent();
            watch.since = None;
        }
        let done = waiting.await;
        self.watch().since = Some(Instant::now());
        done
    }

    fn watch(&self) -> MutexGuard<'_, Watch> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
