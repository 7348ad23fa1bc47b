//! One file per way of reading: from the progress so far and a page to what comes next.
//!
//! Pure: nothing here fetches, publishes, saves or looks at a clock.

pub mod late;
pub mod minutes;
pub mod progress;
pub mod slices;
