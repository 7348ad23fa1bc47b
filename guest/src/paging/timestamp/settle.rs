//! What a receipt does: settle a segment, or have it read again.

use super::{Crowd, Cycle, Progress};
use crate::edge::Edge;
use crate::error::Error;
use crate::key::Key;

/// How often a segment is read again before the source gives up.
const REREADS_MAX: u32 = 3;

impl Progress {
    /// Compares what the pass met before `to` with what the cluster counts there.
    ///
    /// Equal: the segment is settled. True if the cycle is over with it.
    /// Not equal: the segment is read again.
    ///
    /// # Errors
    /// Permanent, if it was read again three times and still differs. Nothing has moved.
    pub fn settle(&mut self, to: Key, counted: u64) -> Result<Settled, Error> {
        let met = self.edge.met_before(to);
        let Some(cycle) = self.cycle.as_mut() else {
            return Ok(Settled::CycleOver);
        };
        if met != counted {
            reread(cycle, to, met, counted)?;
            cycle.begin_pass(self.start);
            self.edge.begin_pass();
            return Ok(Settled::Reread);
        }
        cycle.rereads = 0;
        if to == cycle.horizon_key() {
            self.finish();
            return Ok(Settled::CycleOver);
        }
        if cycle.until.take().is_some() {
            cycle.begin_pass(to);
            self.edge.begin_pass();
        }
        self.forget_before(to);
        Ok(Settled::GoesOn)
    }

    fn forget_before(&mut self, to: Key) {
        if self
            .crowd
            .is_some_and(|crowd| crowd.timestamp < to.timestamp)
        {
            self.crowd = None;
        }
        let before = self.edge.count_at(to.timestamp);
        self.edge.forget_before(to);
        let forgotten = before - self.edge.count_at(to.timestamp);
        if forgotten > 0 {
            let count = self.crowd.map_or(0, |crowd| crowd.count) + forgotten;
            self.crowd = Some(Crowd {
                timestamp: to.timestamp,
                count,
            });
        }
        self.start = to;
    }

    /// The cycle is over: the next one starts at the watermark, inclusive, as far as the
    /// edge knows all of its documents; else just behind it.
    fn finish(&mut self) {
        self.cycle = None;
        let Some(position) = self.position else {
            self.edge = Edge::default();
            return;
        };
        let watermark = Key::at(position.timestamp);
        if self.start <= watermark {
            self.forget_before(watermark);
        } else if self.start.timestamp == watermark.timestamp {
            self.forget_before(Key {
                timestamp: watermark.timestamp,
                seq_no: i64::MAX,
            });
            self.start = Key::at(watermark.timestamp.saturating_add(1));
        }
    }
}

/// What a receipt led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// Another page follows.
    GoesOn,
    /// The segment is read again.
    Reread,
    /// Everything before the horizon is delivered.
    CycleOver,
}

fn reread(cycle: &mut Cycle, to: Key, met: u64, counted: u64) -> Result<(), Error> {
    if cycle.rereads >= REREADS_MAX {
        return Err(Error::permanent(format!(
            "the cluster counts {counted} documents but returned {met} in {REREADS_MAX} further reads of the same point in time; nothing was skipped, and the source stops here"
        )));
    }
    cycle.rereads += 1;
    cycle.until = Some(to);
    Ok(())
}
