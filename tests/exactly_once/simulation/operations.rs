//! *Fail operation N*: every call of every scenario fails once, in every way it can.

use std::sync::atomic::{AtomicUsize, Ordering};

use libtest_mimic::Failed;

use super::fault::Fault;
use super::life::live;
use super::scenario::{SCENARIOS, Scenario};
use super::script::Script;
use crate::tally::TALLY;

/// The documents are the same in all runs of a scenario.
const SEED: u64 = 1;

/// Runs the scenario once to learn its operations, then once for each operation and fault.
pub fn fail_every_operation(scenario: &'static Scenario) -> Result<(), Failed> {
    let calm = live(scenario, SEED, Script::Record(Vec::new()), false);
    let Script::Record(operations) = calm.script else {
        return Err("the script was lost".into());
    };
    if !calm.violations.is_empty() {
        return Err(format!("without any fault: {:?}", calm.violations).into());
    }
    let numbered = operations.iter().enumerate();
    let cases: Vec<(usize, Fault)> = numbered
        .flat_map(|(number, operation)| {
            let faults = operation.faults().into_iter();
            faults.map(move |fault| (number, fault))
        })
        .collect();
    super::in_parallel(cases.len(), |at| {
        fail_one(scenario, cases[at].0, cases[at].1)
    })
}

fn fail_one(scenario: &Scenario, number: usize, fault: Fault) -> Result<(), String> {
    let outcome = live(scenario, SEED, Script::One(number, fault), false);
    TALLY.operations.add(1);
    TALLY.count(&outcome);
    if outcome.violations.is_empty() {
        return Ok(());
    }
    let again = live(scenario, SEED, Script::One(number, fault), true);
    Err(format!(
        "{}, operation {number} with {fault:?}: {:#?}\n{}",
        scenario.name,
        outcome.violations,
        again.trace.join("\n")
    ))
}

/// Before every call once, the output loses what it had acknowledged: that is nothing that
/// anybody could make good, but nobody may go on as if nothing was.
pub fn lose_before_every_operation() -> Result<(), Failed> {
    let scenario = &SCENARIOS[0];
    let calm = live(scenario, SEED, Script::Record(Vec::new()), false);
    let noticed = AtomicUsize::new(0);
    super::in_parallel(calm.operations, |number| {
        let outcome = live(scenario, SEED, Script::Lose(number), false);
        let says_so = |violation: &String| violation.contains("acknowledged messages are gone");
        let is_noticed = outcome.violations.iter().any(says_so);
        noticed.fetch_add(usize::from(is_noticed), Ordering::Relaxed);
        if outcome.lost > 0 && !is_noticed {
            let violations = outcome.violations;
            return Err(format!(
                "nobody noticed the loss before operation {number}: {violations:#?}"
            ));
        }
        Ok(())
    })?;
    match noticed.into_inner() {
        0 => Err("no loss was ever noticed".into()),
        _ => Ok(()),
    }
}

/// The scenarios, by name.
pub fn scenarios() -> impl Iterator<Item = &'static Scenario> {
    SCENARIOS.iter()
}
