//! The lease of a state: one process at a time, where no operating system sees to it.
//!
//! ```text
//! holder     take ── renew, every third of the lease time ── .. ── release
//! observer   look ── look ── .. ── not renewed for a whole lease time: take
//! ```
//!
//! It is a record beside the state, taken by compare-and-swap. The holder counts from
//! before it sent a renewal, an observer from when it saw one, each on its own monotonic
//! clock, so the observer's time ends later; wall clocks are never compared. What may be
//! published until then is [`Permit`]'s.

mod record;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use tokio::sync::watch::{Sender, channel};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::permit::Standing;
use super::states::{LeaseTerms, OnConflict};
use super::{Holder, Permit, Records, StoreError};
use record::{Record, name_of};
use watch::{Verdict, Watch};

/// How much longer than the lease time an observer waits: clocks do not run equally fast.
const MARGIN: f64 = 0.1;

/// A lease that this process has taken.
pub(super) struct Lease {
    records: Arc<dyn Records>,
    name: String,
    record: Record,
    revision: String,
    time: Duration,
    /// Before it was taken, or the last renewal was sent.
    sent: Instant,
}

/// Which holding of which lease is ours.
pub(super) struct Claim {
    name: String,
    token: String,
}

impl Claim {
    /// Makes sure that the lease is still ours.
    pub(super) async fn confirm(&self, records: &dyn Records) -> Result<(), StoreError> {
        find(records, &self.name, &self.token).await.map(drop)
    }
}

/// The revision of a lease, if it is still the one with this token.
async fn find(records: &dyn Records, name: &str, token: &str) -> Result<String, StoreError> {
    let place = records.describe(name);
    match record::load(records, name).await? {
        Some((record, revision)) if record.token == token => Ok(revision),
        Some((record, _)) => Err(StoreError::Conflict(anyhow!(
            "{place} was taken over by {}, as this process did not renew it in time: nothing more is published here",
            record.holder
        ))),
        None => Err(StoreError::Conflict(anyhow!(
            "{place} is gone, so somebody removed it while this process held it, or the store has lost it: see that one process uses the state, then start again"
        ))),
    }
}

/// Who has the lease of a state. A holder that died is still in it.
pub(super) async fn holder(
    records: &dyn Records,
    state_id: &str,
) -> Result<Option<Holder>, StoreError> {
    let found = record::load(records, &name_of(state_id)).await?;
    Ok(found.map(|(record, _)| record.holder))
}

impl Lease {
    /// Takes the lease of a state, or waits until it can: for a lease time if its holder is
    /// silent, and for as long as somebody has it if this is to stand by.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] names the holder if this is not to stand by.
    pub(super) async fn acquire(
        records: Arc<dyn Records>,
        state_id: &str,
        terms: LeaseTerms,
        on_conflict: OnConflict,
    ) -> Result<Self, StoreError> {
        let name = name_of(state_id);
        let mut watch = Watch::default();
        let mut said = None;
        loop {
            let found = record::load(records.as_ref(), &name).await?;
            let (record, revision) = found.unzip();
            let lasts = record.as_ref().map_or(Duration::ZERO, Record::lasts);
            let patience = lasts.max(terms.time).mul_f64(1.0 + MARGIN);
            let holder = record.map(|record| record.holder);
            let verdict = watch.look(revision.as_deref(), patience, Instant::now());
            match (verdict, holder) {
                (Verdict::Free | Verdict::Silent, _) => {
                    match Self::take(&records, &name, revision.as_deref(), terms.time).await {
                        // Somebody was faster.
                        Err(StoreError::Conflict(_)) => continue,
                        taken => return taken,
                    }
                }
                (Verdict::Alive, Some(holder)) if on_conflict == OnConflict::Stop => {
                    return Err(StoreError::held(&records.describe(&name), holder));
                }
                (Verdict::Alive | Verdict::Unclear, holder) if said != holder => {
                    say(&records.describe(&name), holder.as_ref(), on_conflict);
                    said = holder;
                }
                (Verdict::Alive | Verdict::Unclear, _) => {}
            }
            sleep(terms.time / 6).await;
        }
    }

    async fn take(
        records: &Arc<dyn Records>,
        name: &str,
        expected: Option<&str>,
        time: Duration,
    ) -> Result<Self, StoreError> {
        let (record, sent) = (Record::new(time), Instant::now());
        let revision = records.save(name, record.to_bytes()?, expected).await?;
        Ok(Self {
            records: Arc::clone(records),
            name: name.to_owned(),
            record,
            revision,
            time,
            sent,
        })
    }

    pub(super) fn claim(&self) -> Claim {
        Claim {
            name: self.name.clone(),
            token: self.record.token.clone(),
        }
    }

    /// Gives it back, so that nobody has to wait; a failure only makes them wait.
    pub(super) async fn release(mut self) {
        let removed = match self.records.remove(&self.name, &self.revision).await {
            // A renewal without an answer may have taken effect.
            Err(StoreError::Conflict(_)) => match self.find_again().await {
                Ok(()) => self.records.remove(&self.name, &self.revision).await,
                lost => lost,
            },
            removed => removed,
        };
        if let Err(error) = removed {
            tracing::warn!(%error, "the lease could not be released, so the next process waits until it ends");
        }
    }

    /// Renews it until every permit is dropped, then releases it.
    pub(super) fn keep(self, request: Duration) -> (Permit, JoinHandle<()>) {
        let (standing, watched) = channel(Standing::Until(self.sent + self.time));
        let kept = tokio::spawn(self.renew_until_dropped(standing));
        (Permit::leased(watched, request), kept)
    }

    async fn renew_until_dropped(mut self, standing: Sender<Standing>) {
        let third = self.time / 3;
        let mut pause = third;
        loop {
            tokio::select! {
                () = standing.closed() => return self.release().await,
                () = sleep(pause.saturating_sub(self.sent.elapsed())) => {}
            }
            let sent = Instant::now();
            let renewed = tokio::time::timeout(third, self.renew()).await;
            self.sent = sent;
            // A store that is away for a moment must not end the lease.
            pause = third / 4;
            match renewed {
                Ok(Ok(())) => {
                    pause = third;
                    standing.send_replace(Standing::Until(sent + self.time));
                }
                Ok(Err(StoreError::Unavailable(cause))) => {
                    tracing::debug!(cause = format!("{cause:#}"), "the lease was not renewed");
                }
                Err(_) => tracing::debug!("the lease was not renewed in time"),
                Ok(Err(error)) => {
                    standing.send_replace(Standing::Lost(error.to_string().into()));
                    return;
                }
            }
        }
    }

    async fn renew(&mut self) -> Result<(), StoreError> {
        self.record.renewals += 1;
        match self.swap().await {
            // A renewal without an answer may have taken effect.
            Err(StoreError::Conflict(_)) => {
                self.find_again().await?;
                self.swap().await
            }
            swapped => swapped,
        }
    }

    async fn swap(&mut self) -> Result<(), StoreError> {
        let bytes = self.record.to_bytes()?;
        self.revision = self
            .records
            .save(&self.name, bytes, Some(&self.revision))
            .await?;
        Ok(())
    }

    /// Reads the revision that the lease has by now, if it is still ours.
    async fn find_again(&mut self) -> Result<(), StoreError> {
        let token = &self.record.token;
        self.revision = find(self.records.as_ref(), &self.name, token).await?;
        Ok(())
    }
}

/// Once for each holder.
fn say(place: &str, holder: Option<&Holder>, on_conflict: OnConflict) {
    let holder = holder.map(Holder::to_string).unwrap_or_default();
    match on_conflict {
        OnConflict::Wait => tracing::info!(place, holder, "standing by until the lease is free"),
        OnConflict::Stop => tracing::info!(
            place,
            holder,
            "there is a lease; it is taken over if its holder turns out to be gone"
        ),
    }
}

#[cfg(test)]
mod tests;
