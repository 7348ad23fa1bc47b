//! Which calls fail.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};

use super::fault::{Fault, Operation};

/// Decides for every operation whether it fails, and how.
pub enum Script {
    /// None does; which ones there were is written down.
    Record(Vec<Operation>),
    /// The operation with this number does, in this way.
    One(usize, Fault),
    /// None does, but before this one the output loses what it acknowledged last.
    Lose(usize),
    /// Any may, with this probability, this often at most.
    Random {
        /// Of what.
        dice: Box<StdRng>,
        /// Of one operation.
        probability: f64,
        /// Faults to come.
        left: usize,
        /// Only such that kill the process: several in a row find what one does not.
        kills: bool,
    },
    /// The trouble is over.
    Over,
}

impl Script {
    /// A random one, of a probability that is drawn as well.
    pub fn random(seed: u64) -> Self {
        let mut dice = StdRng::seed_from_u64(seed);
        let probability = *[0.01, 0.03, 0.1, 0.25].choose(&mut dice).unwrap();
        Self::Random {
            probability,
            left: 25,
            kills: dice.random_bool(0.3),
            dice: dice.into(),
        }
    }

    /// Whether the output loses something before the operation with this number.
    pub fn loses(&self, number: usize) -> bool {
        matches!(self, Self::Lose(at) if *at == number)
    }

    /// What happens to the operation with this number.
    pub fn fault(&mut self, number: usize, operation: Operation) -> Option<Fault> {
        match self {
            Self::Over | Self::Lose(_) => None,
            Self::Record(operations) => {
                operations.push(operation);
                None
            }
            Self::One(at, fault) => (*at == number).then_some(*fault),
            Self::Random {
                dice,
                probability,
                left,
                kills,
            } => {
                if *left == 0 || !dice.random_bool(*probability) {
                    return None;
                }
                *left -= 1;
                let mut faults = operation.faults();
                faults.retain(|fault| !*kills || fault.kills());
                faults.choose(dice).copied()
            }
        }
    }
}
