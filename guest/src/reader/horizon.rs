//! How far a cycle reads: to what was written long enough ago to be visible.

use super::Reader;
use crate::cluster::answer::Page;
use crate::cluster::failure::Failure;
use crate::cluster::query::Selection;
use crate::cluster::request::Request;
use crate::error::Error;
use crate::host::Host;
use crate::key::Point;
use crate::paging::Pagination;
use crate::paging::sightings::Horizon;
use crate::paging::slices::Plan;

impl<H: Host> Reader<'_, H> {
    /// How the next cycle reads. None while nothing was seen long enough ago.
    pub(super) fn plan(&mut self) -> Result<Option<Plan>, Error> {
        let seen = self.horizon()?;
        let (config, size, unit) = (self.config, *self.page_size, self.reading()?.unit);
        let again = config.pagination == Pagination::Offset;
        let (horizon, keep_from, until_ms) = match seen {
            None => {
                let until_ms = self.poll_ms.saturating_sub(self.settle_ms);
                let horizon = unit.from_millis(until_ms);
                let keep_from = horizon.saturating_sub(unit.from_millis(config.overlap_ms));
                (horizon.into(), keep_from.into(), until_ms)
            }
            Some(Horizon {
                last: Some(last),
                keep_from,
                until_ms,
                ..
            }) => (
                last.next(),
                keep_from.unwrap_or(Point::MIN.next()),
                until_ms,
            ),
            Some(_) => return Ok(None),
        };
        let keep_from = if again { Point::MIN } else { keep_from };
        Ok(Some(Plan {
            horizon,
            keep_from,
            size,
            again,
            until_ms,
        }))
    }

    /// The time to which a cycle must have offered all, or another follows at once. One that
    /// reads everything again never comes to the time at which it ends: it is enough that it
    /// began in this run.
    pub(super) fn goal_ms(&mut self) -> Result<Option<u64>, Error> {
        let first_ms = self.first_poll_ms.saturating_sub(self.settle_ms);
        let enough_ms = match self.config.pagination {
            Pagination::Offset => first_ms,
            _ => u64::MAX,
        };
        Ok(self.plan()?.map(|plan| plan.until_ms.min(enough_ms)))
    }

    /// What orders the documents only grows: so far may be read now.
    pub(super) fn horizon(&mut self) -> Result<Option<Horizon>, Error> {
        let (poll_ms, now_ms) = (self.poll_ms, self.client.now_ms);
        let (settle_ms, overlap_ms) = (self.settle_ms, self.config.overlap_ms);
        let reading = self.reading()?;
        let sightings = &reading.slices.sightings;
        let horizon = || sightings.horizon(poll_ms, now_ms, settle_ms, overlap_ms);
        Ok(reading.unit.grows().then(horizon))
    }

    /// Takes note of the largest value that there is now.
    pub(super) fn see_largest(&mut self) -> Result<(), Failure> {
        let (config, unit) = (self.config, self.reading()?.unit);
        if !unit.grows() {
            return Ok(());
        }
        let request = Request::largest(Selection { config, unit }, config.slice);
        let answer = self.client.ask(&request)?;
        // By the answer's time: what is smaller may become visible while it is on its way.
        let seen_ms = answer.at_ms;
        let page = Page::parse(&answer.bytes)?;
        let kept_ms = self.settle_ms.saturating_add(config.overlap_ms);
        let sightings = &mut self.slices()?.sightings;
        if let Some(hit) = page.hits.into_iter().next() {
            if hit.key.point == Point::MAX {
                return Err(too_large(self.config.order()).into());
            }
            sightings.note(seen_ms, hit.key.point);
        }
        sightings.forget_before(seen_ms.saturating_sub(kept_ms));
        Ok(())
    }
}

/// Nothing could come after it, so that a horizon behind it can not be written.
fn too_large(field: &str) -> Error {
    let (largest, before) = (i64::MAX, i64::MAX - 1);
    Error::permanent(format!(
        "a document has {largest} in {field:?}, after which no number can come; change that document, or leave it out by \"query\" (up to {before})"
    ))
}
