//! Random scenarios with random faults, each from a seed.

use libtest_mimic::Failed;

use super::life::live;
use super::scenario::Scenario;
use super::script::Script;
use crate::tally::TALLY;

/// Schedules where `SCHEDULES` names no other number.
const SCHEDULES: usize = 4_000;

/// Runs as many schedules as are wanted, from consecutive seeds.
pub fn random_schedules() -> Result<(), Failed> {
    let first = crate::number("SEED").unwrap_or_else(|| rand::random::<u32>().into());
    let schedules = crate::number("SCHEDULES").map_or(SCHEDULES, |number| number as usize);
    println!("{schedules} random schedules from SEED={first}");
    super::in_parallel(schedules, |at| schedule(first.wrapping_add(at as u64)))
}

fn schedule(seed: u64) -> Result<(), String> {
    let scenario = Scenario::random(seed);
    let outcome = live(&scenario, seed, Script::random(seed), false);
    TALLY.schedules.add(1);
    TALLY.count(&outcome);
    if outcome.violations.is_empty() {
        return Ok(());
    }
    let again = live(&scenario, seed, Script::random(seed), true);
    Err(format!(
        "SEED={seed} SCHEDULES=1, {scenario:?}: {:#?}\n{}",
        outcome.violations,
        again.trace.join("\n")
    ))
}
