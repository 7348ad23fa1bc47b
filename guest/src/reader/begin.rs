//! How a cycle begins: what was left behind is counted first, and late documents are read
//! with it.

use super::Reader;
use crate::cluster::failure::Failure;
use crate::error::Error;
use crate::host::{Host, Level};
use crate::key::Point;
use crate::paging::context::Context;
use crate::paging::late::Found;
use crate::paging::minutes::Counts;
use crate::paging::{Pagination, document_id, scroll};
use crate::state::Reading;
use crate::time::Unit;

impl<H: Host> Reader<'_, H> {
    /// Begins a cycle unless one is under way or there is nothing to read. One that another run
    /// began may be followed by a cycle up to what there is now.
    pub(super) fn begin(&mut self) -> Result<(), Error> {
        if self.cycle().is_ok() && self.poll_ms == self.first_poll_ms {
            self.see_largest()?;
        }
        if self.cycle().is_err() && !self.begin_cycle()? {
            self.state.count_cycle(0, self.client.now_ms);
        }
        Ok(())
    }

    /// A cycle to this run's horizon. False if there is nothing before it.
    pub(super) fn begin_cycle(&mut self) -> Result<bool, Failure> {
        if self.slices()?.is_complete && scroll::is_export(self.config) {
            return Ok(false);
        }
        let slices = self.config.slices;
        self.slices()?.divide_into(slices);
        self.check_crowds()?;
        self.see_largest()?;
        let looked = self.slices()?.is_comparable();
        let pits = self.look_for_late()?;
        let begun = match self.plan()? {
            Some(plan) => self.slices()?.begin(plan),
            None => false,
        };
        for (slice, pit) in pits {
            match self.progress(slice).map(|progress| progress.pass.as_mut()) {
                Ok(Some(pass)) => pass.context = Some(pit),
                _ => self.client.close(&pit),
            }
        }
        if let Ok(cycle) = self.cycle_mut() {
            cycle.looked = looked;
        }
        Ok(begun)
    }

    /// Compares what the cluster counts in the last hour with what was delivered there. If
    /// there is more, it is counted again in the points in time in which it will be read, so
    /// that what is counted and what is read are the same.
    fn look_for_late(&mut self) -> Result<Vec<(usize, Context)>, Failure> {
        self.count_what_is_not_read()?;
        let (pagination, all) = (self.config.pagination, self.config.slice);
        let Reading { unit, slices, .. } = self.reading()?;
        let unit = *unit;
        let hour = slices.last_hour(unit);
        // By offset, everything is read again anyway.
        let Some(hour) = hour.filter(|_| pagination != Pagination::Offset) else {
            return Ok(Vec::new());
        };
        let hour = &hour;
        // Minutes in which nothing was delivered need not be told apart, unless there is something.
        let each_from = self.slices()?.minutes.first_delivered();
        let each_from = each_from.unwrap_or(i64::MAX);
        let counted = self.count_minutes(hour, None, all, each_from)?;
        if self.slices()?.surplus(&counted, unit).is_none() {
            self.take_note(&counted, hour)?;
            return Ok(Vec::new());
        }
        if pagination == Pagination::Scroll {
            let counted = self.count_minutes(hour, None, all, i64::MIN)?;
            self.take_note(&counted, hour)?;
            return Ok(Vec::new());
        }
        let mut pits = Vec::new();
        match self.count_in_pits(hour, &mut pits) {
            Ok(counted) => self.take_note(&counted, hour)?,
            Err(failure) => {
                pits.iter().for_each(|(_, pit)| self.client.close(pit));
                return Err(failure);
            }
        }
        Ok(pits)
    }

    /// What stands before the place where a source began is as good as delivered. Where a range
    /// can be asked for, it is left out of every count instead.
    fn count_what_is_not_read(&mut self) -> Result<(), Failure> {
        let begin = self.slices()?.minutes.begin.clone();
        if begin != Point::MIN && document_id::has_no_ranges(self.config) {
            let all = self.config.slice;
            let before = self.count_minutes(&(Point::MIN, begin), None, all, i64::MIN)?;
            self.slices()?.minutes.include(before);
        }
        Ok(())
    }

    /// Counts slice by slice, in a new point in time of each that has something there.
    fn count_in_pits(
        &mut self,
        hour: &(Point, Point),
        pits: &mut Vec<(usize, Context)>,
    ) -> Result<Counts, Failure> {
        let mut all = Counts::default();
        for number in 0..self.slices()?.slices.len() {
            let slice = self.slice(number)?;
            if self.count_minutes(hour, None, slice, i64::MAX)?.is_empty() {
                continue;
            }
            let Some(pit) = self.client.open_pit(self.config, slice)? else {
                continue;
            };
            pits.push((number, Context::Pit(pit.clone())));
            all.join(self.count_minutes(hour, Some(&pit), slice, i64::MIN)?);
        }
        Ok(all)
    }

    fn take_note(&mut self, counted: &Counts, hour: &(Point, Point)) -> Result<(), Error> {
        let Reading { unit, slices, .. } = self.reading()?;
        match slices.take_note(counted, *unit) {
            Some(found) => self.report_late(&found, &hour.1),
            None => Ok(()),
        }
    }

    fn report_late(&mut self, found: &Found, before: &Point) -> Result<(), Error> {
        let unit = self.reading()?.unit;
        let mut fields = vec![("documents", found.documents.to_string())];
        let times = unit.to_millis(before).zip(unit.to_millis(&found.since));
        if let Some((before_ms, since_ms)) = times {
            let late_ms = before_ms.saturating_sub(since_ms);
            fields.push(("at_most_late_s", late_ms.div_ceil(1_000).to_string()));
        }
        let (level, message) = if found.within_reach {
            (
                Level::Info,
                "documents appeared behind the watermark, reading them now",
            )
        } else {
            (Level::Error, TOO_LATE)
        };
        if !found.within_reach {
            fields.push(("remedy", remedy(unit)));
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
                ("remedy", remedy(self.reading()?.unit)),
            ];
            self.client.host.log(Level::Error, TOO_LATE, &fields);
        }
        Ok(())
    }
}

const TOO_LATE: &str = "documents appeared too far behind the watermark to be told from those that were delivered; they are not delivered";

fn remedy(unit: Unit) -> String {
    let first = match unit.grows() {
        true => {
            "what orders the documents must only grow: name a date in \"timestamp_field\" instead; or"
        }
        false => "raise \"overlap\" and \"edge_max\", or",
    };
    format!(
        "{first} raise \"settle\" above the time until a document is visible; a new \"state_id\" delivers everything again"
    )
}
