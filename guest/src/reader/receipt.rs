//! Receipts: proof that what matched was delivered, before anything may be forgotten.

use super::Reader;
use crate::cluster::failure::Failure;
use crate::error::Error;
use crate::host::{Host, Level};
use crate::key::{Key, Point};
use crate::paging::context::Context;
use crate::paging::progress::{Crowd, Settled};
use crate::paging::scroll;

impl<H: Host> Reader<'_, H> {
    /// Compares what was read before `to` with what the cluster counts there.
    pub(super) fn receipt(
        &mut self,
        slice: usize,
        to: &Key,
        total: Option<u64>,
    ) -> Result<Settled, Failure> {
        let counted = match total {
            Some(total) if self.pass(slice)?.context.is_none() => total,
            _ => self.count_before(slice, to)?,
        };
        let context = self.pass(slice)?.context.clone();
        let unit = self.reading()?.unit;
        let progress = self.progress(slice)?;
        let fields = [
            ("from", progress.start.describe(unit)),
            ("to", to.describe(unit)),
            ("counted", counted.to_string()),
            ("read", progress.edge.met_before(to).to_string()),
        ];
        let settled = progress.settle(to, counted)?;
        self.note_receipt(settled, &fields);
        if let Some(context) = context.filter(|context| self.is_used_up(slice, context)) {
            self.client.close(&context);
        }
        if settled == Settled::PassOver && self.slices()?.is_over() {
            self.finish_cycle()?;
        }
        Ok(settled)
    }

    /// Whether nothing more is read in this: the pass is over, or begins again, for which a
    /// scroll is of no use.
    fn is_used_up(&mut self, slice: usize, context: &Context) -> bool {
        let Ok(Some(pass)) = self.progress(slice).map(|progress| progress.pass.as_mut()) else {
            return true;
        };
        let is_left = matches!(context, Context::Scroll(_)) && pass.hits == 0;
        if is_left {
            pass.context = None;
        }
        is_left
    }

    fn finish_cycle(&mut self) -> Result<(), Error> {
        let Some(cycle) = self.slices()?.finish() else {
            return Ok(());
        };
        self.state.count_cycle(cycle.documents, self.client.now_ms);
        let found_any = self.slices()?.position().is_some();
        if found_any && scroll::is_export(self.config) {
            self.slices()?.is_complete = true;
            let host = &mut self.client.host;
            host.log(Level::Info, "the export is complete", &[]);
        }
        // Late documents are offered by a cycle that looked for them, and by no other.
        match cycle.looked {
            true => self.cycle_over(cycle.until_ms),
            false => Ok(()),
        }
    }

    fn cycle_over(&mut self, horizon_ms: u64) -> Result<(), Error> {
        let now_ms = self.client.now_ms;
        if self.output.cycle_over(self.state, horizon_ms) {
            if self.output.is_due(now_ms) {
                let ends = self.client.host.ends()?;
                self.output.ends(ends, self.state, now_ms);
            }
            self.client.host.forget_unclaimed();
        }
        Ok(())
    }

    fn note_receipt(&mut self, settled: Settled, fields: &[(&str, String)]) {
        let (counter, level, message) = match settled {
            Settled::Reread => (
                &mut self.state.receipts.differed,
                Level::Warn,
                "the cluster counts other documents than it returned, reading them again",
            ),
            _ => (
                &mut self.state.receipts.agreed,
                Level::Debug,
                "the cluster counts as many documents as were read",
            ),
        };
        *counter += 1;
        self.client.host.log(level, message, fields);
    }

    /// Where reading goes on in a group larger than the edge, that is forgotten as far as it was
    /// counted; more of it in there can not be told from what was delivered. It is counted over
    /// all slices together: after their number changed, it is not known of which of them the
    /// first ones were.
    pub(super) fn check_crowd(&mut self) -> Result<(), Error> {
        let Some(point) = self.slices()?.position().map(|last| last.point) else {
            return Ok(());
        };
        let crowds = self
            .slices()?
            .slices
            .iter()
            .filter_map(|slice| slice.crowd.as_ref());
        let crowds = crowds.filter(|crowd| crowd.point == point);
        let delivered: u64 = crowds.map(|crowd| crowd.count).sum();
        if delivered == 0 {
            return Ok(());
        }
        let counted = self.count_group(&point)?;
        let counted_all: u64 = counted.iter().sum();
        if counted_all > delivered {
            return Err(self.appeared(&point, counted_all, delivered)?);
        }
        // Fewer, as some were deleted, after which more than these are new.
        for (slice, count) in self.slices()?.slices.iter_mut().zip(counted) {
            if slice.known_from > Key::at(point.clone()) {
                let point = point.clone();
                slice.crowd = (count > 0).then_some(Crowd { point, count });
            }
        }
        Ok(())
    }

    /// How many of the last value each slice has where it forgot them.
    fn count_group(&mut self, point: &Point) -> Result<Vec<u64>, Error> {
        let (group, behind) = (Key::at(point.clone()), Key::behind(point));
        let mut counted = Vec::new();
        for slice in 0..self.slices()?.slices.len() {
            let known_from = self.progress(slice)?.known_from.clone();
            let known_from = known_from.min(behind.clone());
            let part = self.slice(slice)?;
            counted.push(match known_from > group {
                true => self.count_between(part, &group, &known_from)?,
                false => 0,
            });
        }
        Ok(counted)
    }

    fn appeared(&mut self, point: &Point, counted: u64, delivered: u64) -> Result<Error, Error> {
        let (at, edge_max) = (self.reading()?.unit.describe(point), self.config.edge_max);
        let more = counted.saturating_sub(delivered);
        Ok(Error::permanent(format!(
            "{more} more documents appeared at {at}, where {delivered} were delivered, more than \"edge_max\" ({edge_max}) can tell apart; set \"edge_max\" above {counted} with a new \"state_id\", which delivers everything again"
        )))
    }
}
