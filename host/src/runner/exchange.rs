//! Another version of the component between two polls, and the one before when it fails.

use std::time::Instant;

use super::{Run, told_to_stop};
use crate::component::Component;
use crate::hot_swap::{Candidate, POLL_PAGES, Probation, Version};
use crate::instance::{Budget, Description, Failure, Instance};
use crate::state_store::StoreError;

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
    /// It can not read what the version on probation writes, which may not stay.
    Later,
    /// Nor can this one, but it ran before.
    Back,
    /// It can not read the state that there will be.
    Refuse(String),
    /// It is next.
    Exchange,
}

impl Run<'_> {
    /// Exchanges the component if another one waits and can be taken now.
    ///
    /// # Errors
    /// Why that has to be tried again, or the source to stop.
    pub(super) async fn exchange_if_offered(&mut self) -> Result<(), Failure> {
        let Some(candidate) = self.source.exchange.take() else {
            return Ok(());
        };
        if self.instance.is_none() && self.is_postponed(&candidate) {
            self.source.exchange.put_back(candidate);
            return Ok(());
        }
        match self.judge(&candidate) {
            Verdict::Nothing => Ok(()),
            Verdict::Later => {
                self.source.exchange.put_back(candidate);
                Ok(())
            }
            Verdict::Back => {
                self.go_back().await;
                self.source.exchange.put_back_before(&candidate.version);
                Ok(())
            }
            Verdict::Refuse(reason) => {
                self.refuse(&candidate, reason);
                Ok(())
            }
            Verdict::Exchange => self.exchange(candidate).await,
        }
    }

    fn judge(&self, candidate: &Candidate) -> Verdict {
        let sha256 = candidate.version.sha256;
        if sha256 == self.running.component.digest() {
            return Verdict::Nothing;
        }
        let newest = candidate.state_format;
        match (self.running.format(), &self.probation) {
            (Some(format), None) if format > newest => Verdict::Refuse(format!(
                "the state has version {format}, and this component understands versions up to {newest}: put a newer one there"
            )),
            (Some(format), Some(probation)) if format > newest => {
                match probation.before.component.digest() == sha256 {
                    true => Verdict::Back,
                    false => Verdict::Later,
                }
            }
            _ => Verdict::Exchange,
        }
    }

    fn refuse(&self, candidate: &Candidate, reason: String) {
        let sha256 = candidate.version.sha256;
        self.source.exchange.refused(Some(sha256), reason);
    }

    async fn exchange(&mut self, candidate: Candidate) -> Result<(), Failure> {
        let (source, began) = (self.source, Instant::now());
        let mut new = match source.instantiate_as(&candidate.component).await {
            Ok(new) => new,
            Err(failure) => {
                self.refuse(&candidate, failure.to_string());
                return Ok(());
            }
        };
        if self.probation.is_none() {
            // What stays in the store is of the version before, and says that a run is under way.
            source.writer.withhold().await;
        }
        if let Err(failure) = self.let_go().await {
            self.keep().await;
            if let Failure::Transient { .. } = failure {
                source.exchange.put_back(candidate);
            }
            return Err(failure);
        }
        let now_ms = source.clock.now_ms();
        let opened = tokio::select! {
            opened = new.open(&source.config, now_ms) => opened,
            () = told_to_stop(&mut self.stop) => {
                self.undo().await;
                return Ok(());
            }
        };
        match opened {
            Ok(()) => {
                self.take_over(candidate, new, began);
                Ok(())
            }
            Err(failure) => {
                drop(new);
                self.undo().await;
                self.does_not_open(candidate, failure)
            }
        }
    }

    /// What only has to be waited for, as an output that does not answer, is known to be over
    /// when the one that ran before has opened again; then the candidate is tried once more.
    fn does_not_open(&mut self, candidate: Candidate, failure: Failure) -> Result<(), Failure> {
        match failure {
            Failure::Transient { .. } if !self.is_postponed(&candidate) => {
                self.postponed = Some(candidate.version.sha256);
                self.source.exchange.put_back(candidate);
                Err(failure)
            }
            _ => {
                self.postponed = None;
                self.refuse(&candidate, format!("it does not open: {failure}"));
                match failure {
                    Failure::Conflict(_) => Err(failure),
                    _ => Ok(()),
                }
            }
        }
    }

    fn is_postponed(&self, candidate: &Candidate) -> bool {
        self.postponed == Some(candidate.version.sha256)
    }

    /// Closes what runs.
    async fn let_go(&mut self) -> Result<(), Failure> {
        if let Some(old) = &mut self.instance {
            match old.close().await {
                Err(failure) if is_own(&failure) => does_not_close(&failure),
                closed => closed?,
            }
        }
        self.instance = None;
        Ok(())
    }

    /// What runs goes on, with what it may have saved before closing failed.
    async fn keep(&mut self) {
        if self.probation.is_none() && self.source.writer.release().await.is_err() {
            self.instance = None;
            self.undo().await;
        }
    }

    /// The next step opens again what ran: on probation from what it saved in closing, else
    /// from what the store has, as after a crash.
    async fn undo(&mut self) {
        if self.probation.is_none() {
            self.source.writer.discard().await;
        }
    }

    fn take_over(&mut self, candidate: Candidate, new: Instance, began: Instant) {
        let to = candidate.version.clone();
        (self.instance, self.postponed) = (Some(new), None);
        let before = std::mem::replace(&mut self.running, candidate.into());
        let from = before.version();
        self.probation = Some(match self.probation.take() {
            Some(probation) => probation.of_another(),
            None => Probation::new(before),
        });
        let pause = began.elapsed();
        self.source.exchange.exchanged(from, to, pause);
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
        let Some(failed) = self.go_back().await else {
            return;
        };
        let back = self.running.version();
        if let Some(failed) = failed.version() {
            self.source.exchange.taken_back(failed, back, reason);
        }
    }

    /// Ends a probation with the version before. What was there instead of it is returned.
    async fn go_back(&mut self) -> Option<Running> {
        let probation = self.probation.take()?;
        if let Some(mut instance) = self.instance.take() {
            // Only to let go of the cluster; a trapped one refuses.
            let _what_it_saves_is_discarded = instance.close().await;
        }
        self.source.writer.discard().await;
        Some(std::mem::replace(&mut self.running, probation.before))
    }

    /// Ends a probation that has lasted long enough.
    ///
    /// # Errors
    /// Why what was withheld could not be saved; to be tried again before the next poll.
    pub(super) async fn end_probation(&mut self) -> Result<(), Failure> {
        if !self.probation.as_ref().is_some_and(Probation::is_over) {
            return Ok(());
        }
        match self.release().await {
            Err(failure) if self.fails_on_probation(&failure) => {
                self.take_back(format!("its state can not be saved: {failure}"))
                    .await;
                return Ok(());
            }
            released => released?,
        }
        self.probation = None;
        if let Some(version) = self.running.version() {
            self.source.exchange.kept(&version);
        }
        Ok(())
    }

    /// Saves what is withheld.
    pub(super) async fn release(&mut self) -> Result<(), Failure> {
        match self.probation {
            Some(_) => self.source.writer.release().await.map_err(unsaved),
            None => Ok(()),
        }
    }
}

/// Whether a failure is a component's own. Where the cluster, the output or the store only has
/// to be waited for, another version would do no better, nor where somebody else has the state.
pub(super) fn is_own(failure: &Failure) -> bool {
    match failure {
        Failure::Trapped(_) | Failure::Permanent(_) | Failure::InvalidConfig { .. } => true,
        Failure::Transient { .. } | Failure::Conflict(_) => false,
    }
}

/// A version that can not even close is what an exchange has to be able to end.
fn does_not_close(failure: &Failure) {
    let reason = failure.to_string();
    tracing::warn!(
        reason,
        "the version before did not close; the next one goes on from its last saved state, as after a crash"
    );
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
