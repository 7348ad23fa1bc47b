//! Receipts: proof that what matched was delivered, before anything may be forgotten.

use super::Reader;
use crate::cluster::answer::Page;
use crate::cluster::failure::Failure;
use crate::cluster::query::Selection;
use crate::cluster::request::Request;
use crate::error::Error;
use crate::host::{Host, Level};
use crate::key::Key;
use crate::paging::timestamp::{Crowd, Settled};
use crate::state::Reading;

impl<H: Host> Reader<'_, H> {
    /// Compares what was read before `to` with what the cluster counts there.
    pub(super) fn receipt(&mut self, to: Key, total: Option<u64>) -> Result<Settled, Failure> {
        let counted = match total {
            Some(total) if self.cycle()?.pit.is_none() => total,
            _ => self.count_before(to)?,
        };
        let Reading { unit, progress, .. } = self.reading()?;
        let fields = [
            ("from", progress.start.describe(*unit)),
            ("to", to.describe(*unit)),
            ("counted", counted.to_string()),
            ("read", progress.edge.met_before(to).to_string()),
        ];
        let (unit, cycle) = (*unit, progress.cycle.clone());
        let settled = progress.settle(to, counted)?;
        self.note_receipt(settled, &fields);
        if settled == Settled::CycleOver {
            let (documents, horizon) = cycle.as_ref().map_or((0, 0), |cycle| {
                (cycle.documents, unit.to_millis(cycle.horizon))
            });
            self.state.count_cycle(documents, self.client.now_ms);
            if let Some(pit) = cycle.and_then(|cycle| cycle.pit) {
                self.client.close_pit(&pit);
            }
            self.cycle_over(horizon)?;
        }
        Ok(settled)
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

    fn count_before(&mut self, to: Key) -> Result<u64, Failure> {
        let start = self.reading()?.progress.start;
        let request = self.search((start, to), None, 0, true)?;
        let answer = self.client.ask(&request)?;
        let page = Page::parse(&answer.bytes)?;
        self.keep_pit(&page);
        page.total
            .ok_or_else(|| Error::transient("the cluster did not count exactly").into())
    }

    /// A group larger than the edge is forgotten as far as it was counted; more of it in there
    /// can not be told from what was delivered.
    pub(super) fn check_crowd(&mut self) -> Result<(), Error> {
        let config = self.config;
        let Reading { unit, progress, .. } = self.reading()?;
        let (unit, start, Some(crowd)) = (*unit, progress.start, progress.crowd) else {
            return Ok(());
        };
        let query = Selection { config, unit }.between(Key::at(crowd.timestamp), start);
        let counted = self.client.count(&Request::count(&config.index, query))?;
        let surplus = counted.saturating_sub(crowd.count);
        if surplus == 0 {
            // Fewer, as some were deleted: what comes from now on is more than these.
            self.reading()?.progress.crowd = Some(Crowd {
                count: counted,
                ..crowd
            });
            return Ok(());
        }
        let (at, delivered, edge_max) =
            (unit.to_iso(crowd.timestamp), crowd.count, config.edge_max);
        Err(Error::permanent(format!(
            "{surplus} more documents appeared at {at}, where {delivered} were delivered, more than \"edge_max\" ({edge_max}) can tell apart; set \"edge_max\" above {counted} with a new \"state_id\", which delivers everything again"
        )))
    }
}
