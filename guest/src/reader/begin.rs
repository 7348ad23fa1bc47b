//! How a cycle begins: what was left behind is counted first, and late documents are read
//! with it.

use super::Reader;
use crate::cluster::failure::Failure;
use crate::error::Error;
use crate::host::{Host, Level};
use crate::key::{Key, Point};
use crate::paging::late::{Look, Missed};
use crate::paging::{Pagination, scroll};
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
            if self.poll_ms == self.first_poll_ms {
                self.report_complete()?;
            }
            return Ok(false);
        }
        let slices = self.config.slices;
        self.slices()?.divide_into(slices);
        self.check_crowd()?;
        self.see_largest()?;
        let looked = self.slices()?.is_comparable();
        self.look_for_late()?;
        let begun = match self.plan()? {
            Some(plan) => self.slices()?.begin(plan),
            None => false,
        };
        if let Ok(cycle) = self.cycle_mut() {
            cycle.looked = looked;
        }
        Ok(begun)
    }

    /// Says what an export that is over has left, as documents came or became visible since.
    fn report_complete(&mut self) -> Result<(), Failure> {
        let (all, end) = (self.config.slice, Key::at(Point::MAX));
        let matching = self.count_between(all, &Key::MIN, &end)?;
        let fields = [
            ("matching", matching.to_string()),
            ("exported", self.state.total_documents_fetched.to_string()),
            ("remedy", COMPLETE_REMEDY.to_owned()),
        ];
        let host = &mut self.client.host;
        host.log(Level::Info, COMPLETE, &fields);
        Ok(())
    }

    /// Compares what the cluster counts behind the place where reading goes on with what was
    /// delivered there.
    fn look_for_late(&mut self) -> Result<(), Failure> {
        // By offset, everything is read again anyway.
        let is_read_anyway = self.config.pagination == Pagination::Offset;
        let Reading { unit, slices, .. } = self.reading()?;
        let unit = *unit;
        let Some(look) = slices.look(unit).filter(|_| !is_read_anyway) else {
            return Ok(());
        };
        // Minutes in which nothing was delivered need not be told apart, unless there is something.
        let each_from = slices.minutes.each_from(unit.minute(look.border()));
        let border = slices.border(unit);
        let mut counted = self.count_behind(&look, each_from)?;
        let minutes = &self.slices()?.minutes;
        if minutes.surplus(&counted.minutes, &border).is_some() {
            counted = self.count_behind(&look, i64::MIN)?;
        }
        if let Some(missed) = self.slices()?.take_note(&counted.minutes, &border, unit) {
            self.report_missed(&missed, &look)?;
        }
        let known = self.slices()?.known_in(&look, unit);
        if counted.reach != known {
            self.slices()?.read_again();
            self.report_late(counted.reach.sum(), known.sum());
        }
        Ok(())
    }

    /// More than are known appeared; where there are fewer, some were deleted or changed, and
    /// others may have come.
    fn report_late(&mut self, counted: u64, known: u64) {
        let fields = [
            ("counted", counted.to_string()),
            ("known", known.to_string()),
        ];
        let (level, message) = match counted > known {
            true => (
                Level::Info,
                "documents appeared behind the watermark, reading them now",
            ),
            false => (
                Level::Debug,
                "documents went behind the watermark, looking whether others came",
            ),
        };
        self.client.host.log(level, message, &fields);
    }

    fn report_missed(&mut self, missed: &Missed, look: &Look) -> Result<(), Error> {
        let unit = self.reading()?.unit;
        let mut fields = vec![("documents", missed.documents.to_string())];
        let border = &look.reach.1.point;
        let times = unit.to_millis(border).zip(unit.to_millis(&missed.since));
        if let Some((before_ms, since_ms)) = times {
            let late_ms = before_ms.saturating_sub(since_ms);
            fields.push(("at_most_late_s", late_ms.div_ceil(1_000).to_string()));
        }
        fields.push(("remedy", remedy(unit)));
        self.client.host.log(Level::Error, TOO_LATE, &fields);
        Ok(())
    }
}

const COMPLETE: &str =
    "the export was complete before, and what became visible since it began is not read";
const COMPLETE_REMEDY: &str =
    "a new \"state_id\" exports all again; a \"timestamp_field\" is read on and on";
const TOO_LATE: &str = "documents appeared too far behind the watermark to be told from those that were delivered; they are not delivered, unless they were before (as where an index was closed, and opened again)";

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
