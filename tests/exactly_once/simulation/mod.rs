//! A deterministic world around the real component: scripted cluster, output and state
//! store, virtual time, and a process that can be killed at any call.
//!
//! ```text
//! scenario ─▶ life: process, killed, process, .. ─▶ invariants
//!               │ every call of a capability is an operation
//!               ▼
//!             stage: what is due happens, then the script says whether the call fails
//!               ├─ cluster  (the in-process Elasticsearch, without a network)
//!               ├─ broker   (topics with partitions, late effects, another producer)
//!               └─ store    (compare-and-swap, lost answers)
//! ```
//!
//! Component, runner, outbox and state capability are the ones that the program runs. One
//! thread, a paused clock and a seeded script make a run repeat exactly.

mod broker;
mod cluster;
mod fault;
mod invariants;
pub mod life;
pub mod operations;
mod scenario;
pub mod schedules;
mod script;
mod stage;
mod store;
mod workload;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use libtest_mimic::Failed;

/// Runs so many cases on all processors, and stops at the first that fails.
fn in_parallel(
    cases: usize,
    run: impl Fn(usize) -> Result<(), String> + Sync,
) -> Result<(), Failed> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(None));
    let work = || {
        while failed.lock().unwrap().is_none() {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= cases {
                return;
            }
            if let Err(error) = run(at) {
                failed.lock().unwrap().get_or_insert(error);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    match failed.into_inner().unwrap() {
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}
