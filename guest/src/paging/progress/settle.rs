//! What a receipt does: settle a segment, or have it read again.

use super::{Crowd, Pass, Progress};
use crate::error::Error;
use crate::key::{Key, Point};
use crate::paging::PAGE_MAX;
use crate::paging::context::Context;

/// How often a segment is read again before the source gives up.
const REREADS_MAX: u32 = 3;

impl Progress {
    /// Compares what the pass met before `to` with what the cluster counts there.
    ///
    /// Equal: the segment is settled. The pass may be over with it.
    /// Not equal: the segment is read again.
    ///
    /// # Errors
    /// Permanent, if it was read again three times and still differs. Nothing has moved.
    pub fn settle(&mut self, to: &Key, counted: u64) -> Result<Settled, Error> {
        let met = self.edge.met_before(to);
        let Some(pass) = self.pass.as_mut() else {
            return Ok(Settled::PassOver);
        };
        if met != counted {
            let last = pass.after.as_ref();
            let at_last = last.map_or(0, |last| self.edge.met_at(last));
            reread(pass, to, (met, counted), at_last)?;
            pass.begin_again(self.start.clone());
            self.edge.begin_pass();
            return Ok(Settled::Reread);
        }
        pass.rereads = 0;
        let keep_from = pass.keep_from.clone();
        let gone = self.edge.take_unmet(&self.start, to);
        self.gone.join(&gone);
        if *to == pass.to {
            self.finish(to, keep_from);
            return Ok(Settled::PassOver);
        }
        if pass.until.take().is_some() {
            pass.begin_again(to.clone());
            self.edge.begin_pass();
        }
        self.edge.account_before(to);
        self.start = to.clone();
        self.forget_before(keep_from.min(to.clone()));
        Ok(Settled::GoesOn)
    }

    /// The pass is over: the next one starts at the watermark, inclusive, as far as the
    /// edge knows all of its documents; else just behind it. Where a clock was set back, or the
    /// settle time grew, the pass ended before the watermark, and the next one starts there.
    fn finish(&mut self, to: &Key, keep_from: Key) {
        self.pass = None;
        self.edge.begin_pass();
        let Some(Key { point, .. }) = self.position.clone() else {
            return self.forget_before(self.known_from.clone());
        };
        let behind = Key::behind(&point);
        let watermark = Key::at(point);
        self.crowd.take_if(|crowd| {
            let is_cut_off = crowd.point == self.known_from.point;
            crowd.point != watermark.point && !is_cut_off
        });
        if self.known_from <= watermark {
            self.start = watermark.min(to.clone());
            self.forget_before(keep_from.min(self.start.clone()));
        } else if self.known_from < behind {
            self.forget_group(watermark.point);
            (self.start, self.known_from) = (behind.clone(), behind);
        } else {
            self.start = self.known_from.clone();
            self.forget_before(self.known_from.clone());
        }
    }
}

impl Progress {
    /// Forgets all documents of this value but their number. What has no tiebreaker is at the
    /// very last place of its value, before which nothing can say that it is.
    fn forget_group(&mut self, point: Point) {
        let (seq_no, behind) = (i64::MAX, Key::behind(&point));
        let last = Key {
            point: point.clone(),
            seq_no,
        };
        self.forget_before(last.clone());
        let at_last = self.edge.between(&last, &behind).count() as u64;
        let before = self.crowd.as_ref().map_or(0, |crowd| crowd.count);
        let count = before + at_last;
        self.crowd = (count > 0).then_some(Crowd { point, count });
        self.edge.forget_before(&behind);
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
    PassOver,
}

/// So many documents were met `at_last`, the place where the last page ended.
fn reread(
    pass: &mut Pass,
    to: &Key,
    (met, counted): (u64, u64),
    at_last: u64,
) -> Result<(), Error> {
    // A scroll reads any number of them.
    if at_last >= PAGE_MAX && met < counted && !pass.in_scroll() {
        return Err(Error::permanent(format!(
            "{at_last} documents or more stand at one place, with the same \"tiebreaker_field\", and no page is larger than {PAGE_MAX}: name a field there that tells them apart; nothing was skipped, and the source stops here"
        )));
    }
    // Of a scroll, what ends earlier was not read again to its end yet.
    if pass.in_scroll() && pass.until.as_ref().is_some_and(|until| to < until) {
        pass.rereads = 0;
    }
    if pass.rereads >= REREADS_MAX {
        let of = match pass.context {
            Some(Context::Pit(_)) => " of the same point in time",
            Some(Context::Scroll(_)) | None => "",
        };
        return Err(Error::permanent(format!(
            "the cluster counts {counted} documents but returned {met} in {REREADS_MAX} further reads{of}; nothing was skipped, and the source stops here"
        )));
    }
    pass.rereads += 1;
    pass.until = Some(to.clone());
    Ok(())
}
