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
    /// The version on probation writes states that no other one reads yet.
    Later,
    /// It is the version that ran before.
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
        match self.judge(&candidate) {
            Verdict::Nothing => Ok(()),
            Verdict::Later => {
                self.source.exchange.put_back(candidate);
                Ok(())
            }
            Verdict::Back => {
                let reason = "the version before was put back".to_owned();
                self.take_back(reason).await;
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
        if let Some(probation) = self.probation.as_ref().filter(|p| p.withholds) {
            return match probation.before.component.digest() == sha256 {
                true => Verdict::Back,
                false => Verdict::Later,
            };
        }
        match self.running.format() {
            Some(format) if format > candidate.state_format => Verdict::Refuse(format!(
                "the state has version {format}, and this component understands versions up to {}: put a newer one there",
                candidate.state_format
            )),
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
        let withholds = match self.let_go(&candidate).await {
            Ok(withholds) => withholds,
            Err(failure @ Failure::Transient { .. }) => {
                self.source.exchange.put_back(candidate);
                return Err(failure);
            }
            Err(failure @ Failure::Conflict(_)) => return Err(failure),
            Err(failure) => {
                let reason = format!("the one that runs does not open again: {failure}");
                self.refuse(&candidate, reason);
                return Ok(());
            }
        };
        let now_ms = source.clock.now_ms();
        let opened = tokio::select! {
            opened = new.open(&source.config, now_ms) => opened,
            () = told_to_stop(&mut self.stop) => {
                self.undo(withholds).await;
                return Ok(());
            }
        };
        match opened {
            Ok(()) => {
                self.take_over(candidate, new, withholds, began);
                Ok(())
            }
            Err(failure) => {
                drop(new);
                self.undo(withholds).await;
                self.refuse(&candidate, format!("it does not open: {failure}"));
                match failure {
                    Failure::Conflict(_) => Err(failure),
                    _ => Ok(()),
                }
            }
        }
    }

    /// Closes what runs. Where the candidate writes states that it could not read, they will
    /// be withheld, which is what is returned.
    async fn let_go(&mut self, candidate: &Candidate) -> Result<bool, Failure> {
        if let Some(old) = &mut self.instance {
            match old.close().await {
                Err(failure) if is_own(&failure) => does_not_close(&failure),
                closed => closed?,
            }
        }
        self.instance = None;
        let withholds = self
            .running
            .format()
            .is_some_and(|format| format < candidate.state_format);
        if withholds {
            // What it closed with says that nothing is under way any more. What stays in the
            // store must say that a run is: opening it says so.
            self.source
                .open_as(&self.running.component, self.source.clock.now_ms())
                .await?;
            self.source.writer.withhold().await;
        }
        Ok(withholds)
    }

    /// The next step opens the old one again.
    async fn undo(&mut self, withholds: bool) {
        if withholds {
            self.source.writer.discard().await;
        }
    }

    fn take_over(&mut self, candidate: Candidate, new: Instance, withholds: bool, began: Instant) {
        let to = candidate.version.clone();
        self.instance = Some(new);
        let before = std::mem::replace(&mut self.running, candidate.into());
        let from = before.version();
        let before = match self.probation.take() {
            Some(probation) => probation.before,
            None => before,
        };
        self.probation = Some(Probation::new(before, withholds));
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
        let Some(probation) = self.probation.take() else {
            return;
        };
        if let Some(mut instance) = self.instance.take() {
            // Only to let go of the cluster; a trapped one refuses.
            let _its_state_may_be_older = instance.close().await;
        }
        if probation.withholds {
            self.source.writer.discard().await;
        }
        let failed = std::mem::replace(&mut self.running, probation.before);
        let back = self.running.version();
        if let Some(failed) = failed.version() {
            self.source.exchange.taken_back(failed, back, reason);
        }
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
        match &mut self.probation {
            Some(probation) if probation.withholds => {
                self.source.writer.release().await.map_err(unsaved)?;
                probation.withholds = false;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// Whether a failure is a component's own. Where the cluster, the output or the store only has
/// to be waited for, another version would do no better, nor where somebody else has the state.
fn is_own(failure: &Failure) -> bool {
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
