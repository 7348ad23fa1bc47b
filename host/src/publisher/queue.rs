//! The order in which a source's publishes reach its outbox.
//!
//! One task owns the outbox, so that a publish goes on to its outcome even when whoever
//! asked for it is gone: a trapped component must not leave a destination in doubt.

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use super::destination::Message;
use super::outbox::{Extent, Found, Mark, Outbox, PublishError, Published, Saved};
use crate::account::Share;
use crate::clock::Clock;
use crate::state_store::{Permit, Refusal};

/// Calls that may wait for their turn.
const WAITING_MAX: usize = 16;

/// A handle to the task; the task ends with the last handle.
#[derive(Clone)]
pub struct Queue {
    calls: mpsc::Sender<Call>,
}

/// The outcome of a publish and when it was known, in milliseconds since the epoch.
pub type Outcome = Result<(Published, u64), PublishError>;

type Answer<T> = oneshot::Sender<Result<T, PublishError>>;

enum Call {
    Publish(Vec<Message>, Share, oneshot::Sender<Outcome>),
    Resume(Option<Saved>, u16, Answer<Found>),
    Ends(Answer<Vec<Mark>>),
    ForgetUnclaimed,
    Covered(u64),
}

impl Queue {
    /// Starts the task on the current runtime. It publishes only while the permit lasts.
    pub fn start(outbox: Outbox, permit: Permit, clock: Clock) -> Self {
        let (calls, waiting) = mpsc::channel(WAITING_MAX);
        tokio::spawn(work(outbox, permit, waiting, clock));
        Self { calls }
    }

    /// Publishes after everything that was submitted before. The share of the messages is
    /// given back when the outcome is known.
    ///
    /// # Errors
    /// The outcome says what failed. An outcome that never comes means that the task is gone.
    pub(crate) fn publish(
        &self,
        messages: Vec<Message>,
        share: Share,
    ) -> Result<oneshot::Receiver<Outcome>, PublishError> {
        let (answer, outcome) = oneshot::channel();
        self.calls
            .try_send(Call::Publish(messages, share, answer))
            .map_err(|refused| match refused {
                TrySendError::Full(_) => overrun(),
                TrySendError::Closed(_) => ended(),
            })?;
        Ok(outcome)
    }

    /// See [`Outbox::resume`].
    ///
    /// # Errors
    /// As there.
    pub async fn resume(&self, saved: Option<Saved>, prefix: u16) -> Result<Found, PublishError> {
        self.ask(|answer| Call::Resume(saved, prefix, answer)).await
    }

    /// See [`Outbox::ends`].
    ///
    /// # Errors
    /// As there.
    pub async fn ends(&self) -> Result<Vec<Mark>, PublishError> {
        self.ask(Call::Ends).await
    }

    async fn ask<T>(&self, call: impl FnOnce(Answer<T>) -> Call) -> Result<T, PublishError> {
        let (answer, outcome) = oneshot::channel();
        let sent = self.calls.send(call(answer)).await;
        sent.map_err(|_| ended())?;
        outcome.await.map_err(|_| ended())?
    }

    /// See [`Outbox::forget_unclaimed`].
    pub async fn forget_unclaimed(&self) {
        // Without a task there is nothing left to forget.
        let _ = self.calls.send(Call::ForgetUnclaimed).await;
    }

    /// See [`Outbox::covered`].
    pub async fn covered(&self, sequence: u64) {
        // Without a task there is nothing left to forget.
        let _ = self.calls.send(Call::Covered(sequence)).await;
    }
}

async fn work(mut outbox: Outbox, permit: Permit, mut waiting: mpsc::Receiver<Call>, clock: Clock) {
    while let Some(call) = waiting.recv().await {
        // Nobody may be waiting for an answer any more; the outcome is in the outbox.
        match call {
            Call::Publish(messages, share, answer) => {
                let outcome = publish(&mut outbox, &permit, &messages).await;
                drop((messages, share));
                let _ = answer.send(outcome.map(|published| (published, clock.now_ms())));
            }
            Call::Resume(saved, prefix, mut answer) => {
                // Whoever starts again asks again, and must not wait for what nobody waits for.
                tokio::select! {
                    found = outbox.resume(saved.as_ref(), prefix) => {
                        let _ = answer.send(found);
                    }
                    () = answer.closed() => {}
                }
            }
            Call::Ends(answer) => {
                let _ = answer.send(outbox.ends().await);
            }
            Call::ForgetUnclaimed => outbox.forget_unclaimed(),
            Call::Covered(sequence) => outbox.covered(sequence),
        }
    }
}

/// What is cut off is of unknown outcome, as any call that is dropped.
async fn publish(
    outbox: &mut Outbox,
    permit: &Permit,
    messages: &[Message],
) -> Result<Published, PublishError> {
    permit
        .check()
        .map_err(|refusal| not_permitted(refusal, Extent::Nothing))?;
    let published = permit.during(outbox.publish(messages)).await;
    published.unwrap_or_else(|refusal| Err(not_permitted(refusal, Extent::Unknown)))
}

fn not_permitted(refusal: Refusal, committed: Extent) -> PublishError {
    let cause = match &refusal {
        Refusal::Lapsed => anyhow::anyhow!(
            "the lease of the state could not be renewed in time, so nothing is published until it is: see that its store is reachable"
        ),
        Refusal::Lost(why) => anyhow::anyhow!("the lease of the state is lost: {why}"),
    };
    PublishError {
        committed,
        transient: refusal == Refusal::Lapsed,
        cause,
    }
}

fn overrun() -> PublishError {
    PublishError {
        committed: Extent::Nothing,
        transient: true,
        cause: anyhow::anyhow!("{WAITING_MAX} publishes are waiting already"),
    }
}

fn ended() -> PublishError {
    PublishError {
        committed: Extent::Nothing,
        transient: false,
        cause: anyhow::anyhow!(
            "publishing has ended, which is a defect of this program: start it again"
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use futures::FutureExt as _;
    use futures::future::BoxFuture;

    use super::*;
    use crate::account::Account;
    use crate::publisher::destination::{AppendError, Destination, Offset, Range, Tail, Wanted};
    use crate::publisher::outbox::Delivery;
    use crate::state_store::{LeaseTerms, MemoryRecords, OnConflict, States};

    /// Takes its time.
    struct Slow(Duration);

    impl Destination for Slow {
        fn name(&self) -> (&str, &str) {
            ("s", "t")
        }

        fn append<'a>(
            &'a mut self,
            _: &'a [Message],
        ) -> BoxFuture<'a, Result<Vec<Range>, AppendError>> {
            async {
                tokio::time::sleep(self.0).await;
                Ok(Vec::new())
            }
            .boxed()
        }

        fn ends(&mut self) -> BoxFuture<'_, Result<Vec<Offset>, AppendError>> {
            async { Ok(Vec::new()) }.boxed()
        }

        fn read<'a>(&'a mut self, _: &'a Wanted) -> BoxFuture<'a, Result<Tail, AppendError>> {
            async { Ok(Tail::default()) }.boxed()
        }

        fn abandon(&mut self) -> Duration {
            Duration::ZERO
        }
    }

    /// A permit of 30 s that nobody renews, for requests of up to 10 s.
    async fn permit() -> Permit {
        let terms = LeaseTerms {
            time: Duration::from_secs(30),
            request: Duration::from_secs(10),
        };
        let states = States::shared(Arc::new(MemoryRecords::default()), terms);
        let held = states.hold("id", OnConflict::Stop).await.unwrap();
        held.keeper.unwrap().abort();
        held.permit
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_published_when_the_lease_ends_before_it_would() {
        for (begins, takes, expected) in [
            (19, 10, None),
            (21, 0, Some(Extent::Nothing)),
            (15, 20, Some(Extent::Unknown)),
        ] {
            let slow = Box::new(Slow(Duration::from_secs(takes)));
            let outbox = Outbox::new(vec![slow], Delivery::AtLeastOnce);
            let queue = Queue::start(outbox, permit().await, Clock::system());
            tokio::time::sleep(Duration::from_secs(begins)).await;
            let message = Message {
                id: 1,
                key: None,
                payload: "{}".into(),
                headers: Vec::new(),
            };
            let outcome = queue.publish(vec![message], Account::default().messages(1, 0).unwrap());
            let outcome = outcome.unwrap().await.unwrap();
            let error = outcome.err();
            let committed = error.as_ref().map(|error| error.committed);
            assert_eq!(committed, expected, "{begins} {takes} {error:?}");
            assert!(error.is_none_or(|e| e.transient && e.to_string().contains("lease")));
        }
    }
}
