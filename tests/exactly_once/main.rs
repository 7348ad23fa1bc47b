//! Tries to break "exactly once" by machine, and prints what it did.
//!
//! Every trial takes its size from the environment, so that a nightly run can do more
//! than a build server has time for; see the README.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "tests fail by panicking, and nothing outside of them sees their helpers"
)]

mod simulation;
mod storm;
#[path = "../support/mod.rs"]
#[allow(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "shared with the other tests, which use the rest of it"
)]
mod support;
mod tally;

use std::process::ExitCode;
use std::time::Instant;

use libtest_mimic::{Arguments, Failed, Trial};
use simulation::{operations, schedules};
use tally::TALLY;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // One after another: each uses all the processors itself.
    arguments.test_threads = Some(1);
    let mut trials: Vec<Trial> = operations::scenarios()
        .map(|scenario| {
            let name = format!("every_operation_fails: {}", scenario.name);
            timed(name, move || operations::fail_every_operation(scenario))
        })
        .collect();
    let lossy = "an_output_that_loses_what_it_acknowledged_is_noticed";
    trials.push(timed(lossy, operations::lose_before_every_operation));
    trials.push(timed("random_schedules", schedules::random_schedules));
    trials.extend(storm::trials());
    let listing = arguments.list;
    let conclusion = libtest_mimic::run(&arguments, trials);
    if !listing {
        println!("{TALLY}");
    }
    conclusion.exit_code()
}

/// A trial that says how long it took.
fn timed(
    name: impl Into<String>,
    run: impl FnOnce() -> Result<(), Failed> + Send + 'static,
) -> Trial {
    let name = name.into();
    let shown = name.clone();
    Trial::test(name, move || {
        let began = Instant::now();
        let ended = run();
        println!("{shown}: {} s", began.elapsed().as_secs());
        ended
    })
}

/// A number in the environment.
fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text} is no number")),
    )
}
