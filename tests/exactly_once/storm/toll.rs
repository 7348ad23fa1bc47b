//! What the kills did, as the logs of the runs tell it: a storm that only hits idle
//! programs shows nothing.

use std::fmt;

/// Counts over the runs of a storm.
#[derive(Debug, Default)]
pub struct Toll {
    /// Killed before the component was loaded, before it had read the output back, before
    /// its first poll had ended, and later.
    phases: [usize; 4],
    /// Runs that met documents in the output that their state did not cover.
    pub recoveries: usize,
    /// How many documents these were.
    documents: usize,
}

/// The messages that end a phase.
const ENDS: [&str; 3] = [": loaded", "the source is open", ": polled"];

impl Toll {
    /// Takes note of a run that was killed, at the debug level.
    pub fn note(&mut self, log: &str) {
        let phase = ENDS.iter().take_while(|end| log.contains(**end)).count();
        self.phases[phase] += 1;
        let counts = log.split("already_there=").skip(1);
        let counts = counts.map(|rest| rest.split(' ').next().unwrap().parse::<usize>().unwrap());
        let documents: usize = counts.sum();
        self.recovered(documents);
    }

    /// Takes note of what a run met.
    pub fn recovered(&mut self, documents: usize) {
        self.documents += documents;
        self.recoveries += usize::from(documents > 0);
    }
}

impl fmt::Display for Toll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [starting, opening, first, later] = self.phases;
        write!(
            f,
            "{} kills ({starting} while starting, {opening} while opening, {first} in the first poll, {later} later), after which {} runs met {} documents in the output that no state covered",
            self.phases.iter().sum::<usize>(),
            self.recoveries,
            self.documents
        )
    }
}
