//! How a cycle begins: what was left behind is counted first, and late documents are read
//! with it.

use super::Reader;
use crate::cluster::failure::Failure;
use crate::cluster::histogram;
use crate::cluster::query::Selection;
use crate::cluster::request::Request;
use crate::error::Error;
use crate::host::{Host, Level};
use crate::paging::late::Found;
use crate::paging::minutes::Counts;
use crate::paging::slices::Plan;
use crate::state::Reading;

impl<H: Host> Reader<'_, H> {
    /// Begins a cycle unless one is under way or there is nothing before the horizon.
    pub(super) fn begin(&mut self) -> Result<(), Error> {
        if self.cycle().is_err() && !self.begin_cycle()? {
            self.state.count_cycle(0, self.client.now_ms);
        }
        Ok(())
    }

    /// A cycle to this run's horizon. False if there is nothing before it.
    pub(super) fn begin_cycle(&mut self) -> Result<bool, Failure> {
        self.check_crowds()?;
        let looked = self.slices()?.is_comparable();
        let pit = self.look_for_late()?;
        let horizon = self.horizon()?;
        let overlap = self.reading()?.unit.from_millis(self.config.overlap_ms);
        let plan = Plan {
            horizon,
            keep_from: horizon.saturating_sub(overlap),
            size: self.config.batch_size,
            slices: self.config.slices,
        };
        let begun = self.slices()?.begin(plan);
        match self.cycle_mut() {
            Ok(cycle) => (cycle.pit, cycle.looked) = (pit, looked),
            Err(_) => pit.iter().for_each(|pit| self.client.close_pit(pit)),
        }
        Ok(begun)
    }

    /// Compares what the cluster counts in the last hour with what was delivered there. If
    /// there is more, it is counted again in the point in time in which it will be read, so
    /// that what is counted and what is read are the same.
    fn look_for_late(&mut self) -> Result<Option<String>, Failure> {
        let Reading { unit, slices, .. } = self.reading()?;
        let unit = *unit;
        let Some(hour) = slices.last_hour(unit) else {
            return Ok(None);
        };
        let counted = self.count_minutes(hour, None)?;
        if self.slices()?.surplus(&counted, unit).is_none() {
            self.slices()?.take_note(&counted, unit);
            return Ok(None);
        }
        let pit = self.client.open_pit(&self.config.index)?;
        let counted = match self.count_minutes(hour, Some(&pit)) {
            Ok(counted) => counted,
            Err(failure) => {
                self.client.close_pit(&pit);
                return Err(failure);
            }
        };
        if let Some(found) = self.slices()?.take_note(&counted, unit) {
            self.report_late(found, hour)?;
        }
        Ok(Some(pit))
    }

    fn count_minutes(
        &mut self,
        (from, to): (i64, i64),
        pit: Option<&str>,
    ) -> Result<Counts, Failure> {
        let unit = self.reading()?.unit;
        let selection = Selection {
            config: self.config,
            unit,
        };
        let request = Request::minutes(selection, pit, from, to);
        let answer = self.client.ask(&request)?;
        histogram::parse(&answer.bytes, unit)
    }

    fn report_late(&mut self, found: Found, (_, before): (i64, i64)) -> Result<(), Error> {
        let unit = self.reading()?.unit;
        let late_ms = unit
            .to_millis(before)
            .saturating_sub(unit.to_millis(found.since));
        let mut fields = vec![
            ("documents", found.documents.to_string()),
            ("at_most_late_s", late_ms.div_ceil(1_000).to_string()),
        ];
        let (level, message) = if found.within_reach {
            (
                Level::Info,
                "documents appeared behind the watermark, reading them now",
            )
        } else {
            (Level::Error, TOO_LATE)
        };
        if !found.within_reach {
            fields.push(("remedy", REMEDY.to_owned()));
        }
        self.client.host.log(level, message, &fields);
        Ok(())
    }

    /// The cycle that read late documents is over.
    pub(super) fn end_late(&mut self) -> Result<(), Error> {
        let missed = self.slices()?.end_late();
        if missed > 0 {
            let fields = [
                ("documents", missed.to_string()),
                ("remedy", REMEDY.to_owned()),
            ];
            self.client.host.log(Level::Error, TOO_LATE, &fields);
        }
        Ok(())
    }
}

const TOO_LATE: &str = "documents appeared too far behind the watermark to be told from those that were delivered; they are not delivered";
const REMEDY: &str = "raise \"overlap\" and \"edge_max\", or \"settle\" above the time until a document is visible; a new \"state_id\" delivers everything again";
