//! How much of the machine one store may have: memories and tables, all of them together.
//!
//! A component may consist of many modules, each with memories of its own, so that a limit
//! for each of them would be none.

use wasmtime::ResourceLimiter;

use crate::config::show_size;
use crate::over_limit::OverLimit;
use crate::source_state::Limits;

/// Core instances of one component, and as many memories and tables. The embedded one has a
/// handful.
const PARTS_MAX: usize = 64;

/// What the modules of one store have, and may have.
#[derive(Debug)]
pub(crate) struct Bounds {
    memory: Sum,
    elements: Sum,
}

/// Grows, never shrinks, as memories and tables do.
#[derive(Debug)]
struct Sum {
    now: usize,
    most: usize,
}

impl Sum {
    fn upto(most: usize) -> Self {
        Self { now: 0, most }
    }

    /// Whether one part may grow that far.
    fn grow(&mut self, current: usize, desired: usize) -> bool {
        let sum = self.now.saturating_add(desired.saturating_sub(current));
        let fits = sum <= self.most;
        if fits {
            self.now = sum;
        }
        fits
    }
}

impl Bounds {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            memory: Sum::upto(limits.memory),
            elements: Sum::upto(limits.table_elements),
        }
    }
}

impl ResourceLimiter for Bounds {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if self.memory.grow(current, desired) {
            return Ok(true);
        }
        let most = show_size(self.memory.most as u64);
        Err(OverLimit::new("memory", format!("it needs more memory than {most}")).into())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if self.elements.grow(current, desired) {
            return Ok(true);
        }
        let what = format!("its tables need more than {} elements", self.elements.most);
        Err(OverLimit::new("table_elements", what).into())
    }

    fn instances(&self) -> usize {
        PARTS_MAX
    }

    fn tables(&self) -> usize {
        PARTS_MAX
    }

    fn memories(&self) -> usize {
        PARTS_MAX
    }
}
