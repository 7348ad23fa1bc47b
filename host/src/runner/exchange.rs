//! Another version of the component between two polls, and the one before when it fails.

use std::time::{Duration, Instant};

use super::{Run, told_to_stop};
use crate::component::Component;
use crate::config::show_duration;
use crate::hot_swap::{Candidate, Offer, POLL_PAGES, Probation, Version};
use crate::instance::{Budget, Description, Failure, Instance};
use crate::state_store::StoreError;
use crate::status::Outcome;

/// How long an exchange waits for the version before to close: longer than an output takes to
/// answer.
const CLOSE_MAX: Duration = Duration::from_secs(60);
/// How long it waits for the new one to open, which may have to read what was published since
/// the state in the store.
const OPEN_MAX: Duration = Duration::from_secs(120);
/// How long a version that has to go may take to let go of the cluster.
const LET_GO_MAX: Duration = Duration::from_secs(5);

/// The component of a run, and what it says of itself once it has run.
pub(super) struct Running {
    pub(super) component: Component,
    described: Option<(String, u32)>,
}

impl Running {
    pub(super) fn new(component: Component) -> Self {
        let described = None;
        Self {
            component,
            described,
        }
    }

    pub(super) fn describes(&mut self, description: &Description) {
        self.described = Some((description.version.clone(), description.state_format));
    }

    pub(super) fn version(&self) -> Option<Version> {
        let sha256 = self.component.digest();
        let (number, _) = self.described.clone()?;
        Some(Version { number, sha256 })
    }

    fn format(&self) -> Option<u32> {
        self.described.as_ref().map(|(_, format)| *format)
    }
}

impl From<Candidate> for Running {
    fn from(candidate: Candidate) -> Self {
        Self {
            component: candidate.component,
            described: Some((candidate.version.number, candidate.state_format)),
        }
    }
}

/// What to do about a candidate.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// It runs already.
    Nothing,
    /// It is the version before the one on probation.
    Back,
    /// It can not read the state that there is.
    Refuse(String),
    /// It is next.
    Exchange,
}

impl Run<'_> {
    /// Exchanges the component if another one waits and can be taken now.
    ///
    /// # Errors
    /// [`Failure::Conflict`], if somebody else has the state.
    pub(super) async fn exchange_if_offered(&mut self) -> Result<(), Failure> {
        let Some(offer) = self.source.exchange.take() else {
            return Ok(());
        };
        if offer.is_postponed && self.may_still_open() {
            self.source.exchange.put_back(offer);
            return Ok(());
        }
        match self.judge(&offer.candidate) {
            Verdict::Nothing => Ok(()),
            Verdict::Back => {
                self.put_back().await;
                Ok(())
            }
            Verdict::Refuse(reason) => {
                self.refuse(&offer, reason);
                Ok(())
            }
            Verdict::Exchange => self.exchange(offer).await,
        }
    }

    /// Whether what runs is not open, and only waits for something.
    fn may_still_open(&self) -> bool {
        self.instance.is_none() && !self.fails_itself
    }

    fn judge(&self, candidate: &Candidate) -> Verdict {
        let sha256 = candidate.version.sha256;
        if sha256 == self.running.component.digest() {
            return Verdict::Nothing;
        }
        let before = self.probation.as_ref().map(|probation| &probation.before);
        if before.is_some_and(|before| before.component.digest() == sha256) {
            return Verdict::Back;
        }
        let newest = candidate.state_format;
        match before.unwrap_or(&self.running).format() {
            Some(format) if format > newest => Verdict::Refuse(format!(
                "the state has version {format}, and this component understands versions up to {newest}: put a newer one there"
            )),
            _ => Verdict::Exchange,
        }
    }

    fn refuse(&self, offer: &Offer, reason: String) {
        let sha256 = offer.candidate.version.sha256;
        self.source.exchange.refused(Some(sha256), reason);
    }

    async fn exchange(&mut self, offer: Offer) -> Result<(), Failure> {
        let (source, began) = (self.source, Instant::now());
        let mut new = match source.instantiate_as(&offer.candidate.component).await {
            Ok(new) => new,
            Err(failure) => {
                self.refuse(&offer, failure.to_string());
                return Ok(());
            }
        };
        self.let_go().await?;
        let now_ms = source.clock.now_ms();
        let opened = tokio::select! {
            opened = within(OPEN_MAX, new.open(&source.config, now_ms)) => opened.unwrap_or_else(|late| {
                // It waits for something: what it computes has a shorter time.
                Err(Failure::Transient { message: late, retry_after_ms: None })
            }),
            () = told_to_stop(&mut self.stop) => {
                source.writer.discard().await;
                return Ok(());
            }
        };
        if opened.is_ok() && source.exchange.is_wanted(&offer) {
            self.take_over(offer.candidate, new, began);
            return Ok(());
        }
        drop(new);
        // The next step opens what ran before.
        source.writer.discard().await;
        match opened {
            Ok(()) => Ok(()),
            Err(failure) => self.does_not_open(offer, failure),
        }
    }

    /// What only has to be waited for, as an output that does not answer, is known to be over
    /// when the one that ran before has opened again; then the candidate is tried once more.
    fn does_not_open(&self, mut offer: Offer, failure: Failure) -> Result<(), Failure> {
        match failure {
            Failure::Transient { .. } if !offer.is_postponed => {
                tracing::warn!(
                    component = %offer.candidate.version,
                    error = %failure,
                    "the component can not be opened now, it is tried once more when the one that runs has opened"
                );
                offer.is_postponed = true;
                self.source.exchange.put_back(offer);
                Ok(())
            }
            failure => {
                self.refuse(&offer, format!("it does not open: {failure}"));
                match failure {
                    Failure::Conflict(_) => Err(failure),
                    _ => Ok(()),
                }
            }
        }
    }

    /// Closes what runs. From now on saves are kept from the store, which has a state of the
    /// version before that says that a run is under way, if that has opened. What was on probation
    /// has to go, with what it saved.
    async fn let_go(&mut self) -> Result<(), Failure> {
        self.put_back().await;
        if !self.has_opened {
            return Ok(());
        }
        let writer = &self.source.writer;
        writer.withhold().await;
        let Some(mut old) = self.instance.take() else {
            return Ok(());
        };
        let closed = within(CLOSE_MAX, old.close()).await;
        let closed = closed.unwrap_or_else(|late| Err(Failure::Trapped(late)));
        if let Err(failure) = closed {
            drop(old);
            writer.discard().await;
            if let Failure::Conflict(_) = failure {
                return Err(failure);
            }
            let reason = failure.to_string();
            tracing::warn!(
                reason,
                "the version before did not close; the next one goes on from its last saved state, as after a crash"
            );
            writer.withhold().await;
        }
        Ok(())
    }

    /// There is a probation only where something that has worked could come back.
    fn take_over(&mut self, candidate: Candidate, new: Instance, began: Instant) {
        let (from, to) = (self.running.version(), candidate.version.clone());
        self.instance = Some(new);
        let before = std::mem::replace(&mut self.running, candidate.into());
        self.probation = self.has_opened.then(|| Probation::new(before));
        self.has_opened = true;
        let outcome = match self.probation {
            Some(_) => Outcome::OnProbation,
            None => Outcome::Kept,
        };
        let pause = began.elapsed();
        self.source.exchange.exchanged(from, to, pause, outcome);
    }

    /// What a poll may use: less on probation, so that it is known how far it went.
    pub(super) fn budget(&self) -> Budget {
        let budget = self.source.budget;
        match self.probation {
            Some(_) => Budget {
                pages: budget.pages.min(POLL_PAGES),
                ..budget
            },
            None => budget,
        }
    }

    /// Whether a version on probation failed by itself, so that the one before has to come
    /// back.
    pub(super) fn fails_on_probation(&self, failure: &Failure) -> bool {
        is_own(failure) && self.probation.is_some()
    }

    /// Brings the version before back; the next step opens it.
    pub(super) async fn take_back(&mut self, reason: String) {
        let Some(probation) = &self.probation else {
            return;
        };
        let back = probation.before.version();
        if let Some(failed) = self.running.version() {
            self.source.exchange.taken_back(failed, back, reason);
        }
        self.go_back().await;
    }

    /// Puts the version before in the place of the one on probation, if there is one.
    async fn put_back(&mut self) {
        if self.go_back().await
            && let Some(version) = self.running.version()
        {
            self.source.exchange.is_back(version);
        }
    }

    /// Ends a probation with the version before, which goes on from the state in the store.
    /// Whether there was one.
    async fn go_back(&mut self) -> bool {
        let Some(probation) = self.probation.take() else {
            return false;
        };
        if let Some(mut instance) = self.instance.take() {
            // Only to let go of the cluster; a trapped one refuses.
            let _what_it_saves_is_discarded = within(LET_GO_MAX, instance.close()).await;
        }
        self.source.writer.discard().await;
        self.running = probation.before;
        true
    }

    /// Ends a probation that has lasted long enough.
    ///
    /// # Errors
    /// Why what was withheld could not be saved. Where the store only has to be waited for, that
    /// is tried again before the next poll; what it refuses, the version before may do better.
    pub(super) async fn end_probation(&mut self) -> Result<(), Failure> {
        if !self.probation.as_ref().is_some_and(Probation::is_over) {
            return Ok(());
        }
        self.source.writer.release().await.map_err(unsaved)?;
        self.probation = None;
        if let Some(version) = self.running.version() {
            self.source.exchange.kept(&version);
        }
        Ok(())
    }

    /// The run is over. What an unproven version saved is discarded, as after a crash.
    pub(super) async fn leave_probation(&mut self) {
        if self.go_back().await {
            tracing::info!(
                "the component was still on probation: the next start goes on from the state before it, and repeats nothing that can be read back"
            );
        }
    }
}

/// Waits no longer for a call, and says so; what is cut off can not be used again.
async fn within<T>(most: Duration, call: impl Future<Output = T>) -> Result<T, String> {
    let ended = tokio::time::timeout(most, call).await;
    ended.map_err(|_| format!("it did not return within {}", show_duration(most)))
}

/// Whether a failure is a component's own. Where the cluster, the output or the store only has
/// to be waited for, another version would do no better, nor where somebody else has the state.
pub(super) fn is_own(failure: &Failure) -> bool {
    match failure {
        Failure::Trapped(_) | Failure::Permanent(_) | Failure::InvalidConfig { .. } => true,
        Failure::Transient { .. } | Failure::Conflict(_) => false,
    }
}

fn unsaved(error: StoreError) -> Failure {
    let message = error.to_string();
    match error {
        StoreError::Unavailable(_) => Failure::Transient {
            message,
            retry_after_ms: None,
        },
        StoreError::Conflict(_) => Failure::Conflict(message),
        StoreError::Corrupt(_) | StoreError::Invalid(_) => Failure::Permanent(message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_does_not_return_is_waited_for_so_long_and_no_longer() {
        let begun = tokio::time::Instant::now();
        let late = within(CLOSE_MAX, std::future::pending::<()>()).await;
        assert_eq!(begun.elapsed(), CLOSE_MAX);
        assert_eq!(late.unwrap_err(), "it did not return within 1m");
        assert_eq!(within(CLOSE_MAX, async { 7 }).await, Ok(7));
    }
}
