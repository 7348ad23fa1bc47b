//! What the active process is struck with, and what must have become of it when another one
//! has taken over.

use super::process::Process;
use crate::support::proxy::Way;

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Strike {
    /// It ends with SIGKILL.
    Kill,
    /// It is stopped with SIGSTOP, for longer than its lease lasts.
    Pause,
    /// Its store is no longer reached, in this way.
    Cut(Way),
    /// It ends cleanly, with SIGTERM.
    Terminate,
}

impl Strike {
    pub fn falls_on(self, active: &mut Process) {
        match self {
            Self::Kill => active.kill(),
            Self::Pause => active.pause(),
            Self::Cut(way) => active.reaches_its_store(way),
            Self::Terminate => active.terminate(),
        }
    }

    /// Whoever comes back meets its successor, and stops.
    pub async fn is_over(self, mut struck: Process, successor: &Process) {
        match self {
            Self::Kill => return,
            Self::Pause => struck.wake(),
            Self::Cut(_) => struck.reaches_its_store(Way::Open),
            Self::Terminate => return struck.ended_with(0).await,
        }
        struck.ended_with(1).await;
        let holder = format!("process {} on ", successor.id());
        let log = struck.log();
        assert!(log.contains(&holder), "{holder:?} is missing: {log}");
    }
}
