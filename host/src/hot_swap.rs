//! Another version of a component, while its source runs.
//!
//! ```text
//! watch: the file changed ── read, compile, check, rehearse ─▶ Exchange ─▶ runner, between two polls:
//!          off the polling path; a refusal changes nothing      close the old ── open the new
//!                                                               probation: kept | taken back
//! ```
//!
//! **Invariant:** two versions meet through a saved state and nothing else. The old one has
//! saved all that it published before the new one loads it. Until the end of the [`Probation`],
//! no id is forgotten that was published since the state in the store, which is the old one's.

mod candidate;
mod exchange;
mod file;
mod probation;
mod watch;

pub use candidate::{Candidate, Version};
pub use exchange::Exchange;
pub(crate) use exchange::Offer;
pub(crate) use probation::{POLL_PAGES, Probation};
pub use watch::{Swapper, watch};
