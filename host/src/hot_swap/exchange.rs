//! Where whoever prepares a component and the runner that takes it meet.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use super::{Candidate, Version};
use crate::component::Digest;
use crate::status::{Exchanges, Outcome};

/// One for each source. A candidate waits here until the runner is between two polls; a
/// later one takes its place.
#[derive(Default)]
pub struct Exchange {
    offers: Mutex<Offers>,
    arrived: Notify,
    asked: Notify,
    exchanges: watch::Sender<Exchanges>,
}

/// What waits, and the number of the newest offer: what has an older one is not wanted any more.
#[derive(Default)]
struct Offers {
    newest: u64,
    waits: Option<Offer>,
}

/// A candidate that may be taken.
pub(crate) struct Offer {
    pub(crate) candidate: Candidate,
    number: u64,
    /// It could not open when it was taken, for what only has to be waited for.
    pub(crate) is_postponed: bool,
}

impl Exchange {
    /// What runs, and what became of other versions: as it is, and every change.
    pub fn watch(&self) -> watch::Receiver<Exchanges> {
        self.exchanges.subscribe()
    }

    /// Has the runner take this one, between two polls.
    pub fn offer(&self, candidate: Candidate) {
        let mut offers = self.offers();
        offers.newest += 1;
        offers.waits = Some(Offer {
            candidate,
            number: offers.newest,
            is_postponed: false,
        });
        self.arrived.notify_one();
    }

    /// Has whoever watches the component look at it now.
    pub fn look_again(&self) {
        self.asked.notify_one();
    }

    /// Waits for somebody who wants it to be looked at.
    pub(super) async fn asked(&self) {
        self.asked.notified().await;
    }

    /// What runs, once it has described itself.
    pub(super) fn running(&self) -> Option<Digest> {
        let exchanges = self.exchanges.borrow();
        exchanges.running.as_ref().map(|running| running.sha256)
    }

    /// Whether this content failed on probation, and nothing came after it.
    pub(super) fn has_failed(&self, sha256: Digest) -> bool {
        let exchanges = self.exchanges.borrow();
        matches!(&exchanges.last, Some(Outcome::TakenBack { version, .. }) if version.sha256 == sha256)
    }

    fn offers(&self) -> MutexGuard<'_, Offers> {
        self.offers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn take(&self) -> Option<Offer> {
        self.offers().waits.take()
    }

    /// This one can not be taken now, and waits on, if it is still wanted.
    pub(crate) fn put_back(&self, offer: Offer) {
        let mut offers = self.offers();
        if offers.newest == offer.number {
            offers.waits = Some(offer);
        }
    }

    /// Whether nothing came after it, and it was not withdrawn.
    pub(crate) fn is_wanted(&self, offer: &Offer) -> bool {
        self.offers().newest == offer.number
    }

    /// Nothing is wanted any more.
    pub(super) fn withdraw(&self) {
        let mut offers = self.offers();
        offers.newest += 1;
        offers.waits = None;
    }

    /// Whether one waits.
    pub(crate) fn has_one(&self) -> bool {
        self.offers().waits.is_some()
    }

    /// Waits until another one is offered.
    pub(crate) async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// What runs is this version.
    pub(crate) fn runs(&self, version: Version) {
        self.exchanges.send_if_modified(|exchanges| {
            let known = exchanges.running.as_ref() == Some(&version);
            exchanges.running = Some(version);
            !known
        });
    }

    /// This content does not take the place of what runs.
    pub(crate) fn refused(&self, sha256: Option<Digest>, reason: String) {
        let shown = sha256.map(|sha256| sha256.to_string());
        tracing::error!(
            sha256 = shown,
            error = reason,
            "the component is not exchanged, the one that runs goes on"
        );
        self.ends(Outcome::Refused { sha256, reason });
    }

    pub(crate) fn exchanged(
        &self,
        from: Option<Version>,
        to: Version,
        pause: Duration,
        outcome: Outcome,
    ) {
        tracing::info!(
            from = from.as_ref().map(Version::to_string),
            to = %to,
            pause_us = u64::try_from(pause.as_micros()).unwrap_or(u64::MAX),
            on_probation = outcome == Outcome::OnProbation,
            "the component was exchanged"
        );
        self.exchanges.send_modify(|exchanges| {
            exchanges.count += 1;
            exchanges.last_pause = Some(pause);
            exchanges.running = Some(to);
            exchanges.last = Some(outcome);
        });
    }

    pub(crate) fn kept(&self, version: &Version) {
        tracing::info!(component = %version, "the component has passed its probation");
        self.ends(Outcome::Kept);
    }

    pub(crate) fn taken_back(&self, failed: Version, back: Option<Version>, reason: String) {
        tracing::error!(
            failed = %failed,
            back = back.as_ref().map(Version::to_string),
            error = reason,
            "the component failed on probation, the one before is back"
        );
        self.exchanges.send_modify(|exchanges| {
            exchanges.running = back;
            exchanges.last = Some(Outcome::TakenBack {
                version: failed,
                reason,
            });
        });
    }

    /// The version before runs again, as it was put into the place of the one on probation.
    pub(crate) fn is_back(&self, version: Version) {
        tracing::info!(
            component = %version,
            "the version before is back, and the one on probation is gone with what it saved"
        );
        self.exchanges.send_modify(|exchanges| {
            exchanges.running = Some(version);
            exchanges.last = Some(Outcome::PutBack);
        });
    }

    fn ends(&self, outcome: Outcome) {
        self.exchanges
            .send_modify(|exchanges| exchanges.last = Some(outcome));
    }
}
