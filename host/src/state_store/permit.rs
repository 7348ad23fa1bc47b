//! Whether this process may publish: as long as it holds its state.
//!
//! Time is that of [`Instant`], which is CLOCK_MONOTONIC on Linux: it goes on while a
//! process is stopped, so that one that wakes up late finds that its lease is over. It
//! stands still while the machine is suspended.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// How far ahead the end of a permit is that has none.
const UNLIMITED: Duration = Duration::from_secs(3_600);

/// What the holder of a lease or a lock knows of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nobody takes it while this process lives.
    Unlimited,
    /// Nobody takes it before this.
    Until(Instant),
    /// Somebody else has it, or has removed it: what the store said.
    Lost(Arc<str>),
}

/// Why nothing may be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The lease could not be renewed in time; if it can be again, nobody took it meanwhile.
    Lapsed,
    /// The lease is lost for good: why.
    Lost(Arc<str>),
}

impl Standing {
    /// Until when it lasts, if something may begin that takes as long as this, and if not, why.
    fn allows(&self, takes: Duration, now: Instant) -> Result<Instant, Refusal> {
        match self {
            Self::Lost(why) => Err(Refusal::Lost(Arc::clone(why))),
            Self::Unlimited => Ok(now + UNLIMITED),
            Self::Until(end) if now + takes < *end => Ok(*end),
            Self::Until(_) => Err(Refusal::Lapsed),
        }
    }
}

/// The right to publish. The lease behind it is released when the last one is dropped.
#[derive(Debug, Clone)]
pub struct Permit(Option<Leased>);

#[derive(Debug, Clone)]
struct Leased {
    standing: watch::Receiver<Standing>,
    /// How long one request to the output may take.
    request: Duration,
}

impl Permit {
    /// For a state that nobody else can hold.
    pub fn always() -> Self {
        Self(None)
    }

    /// For nothing, ever: why.
    pub(crate) fn never(why: &str) -> Self {
        let (_, standing) = watch::channel(Standing::Lost(why.into()));
        Self::leased(standing, Duration::ZERO)
    }

    /// For as long as this says, by something whose single requests take up to `request`.
    pub(super) fn leased(standing: watch::Receiver<Standing>, request: Duration) -> Self {
        Self(Some(Leased { standing, request }))
    }

    /// Whether a request may begin now: the lease must outlive it.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self) -> Result<(), Refusal> {
        match &self.0 {
            None => Ok(()),
            Some(leased) => leased.allows(leased.request).map(drop),
        }
    }

    /// Does this work only while the lease lasts, looking at the clock before every step.
    ///
    /// # Errors
    /// Why it was dropped before it was done.
    pub async fn during<T>(&self, work: impl Future<Output = T>) -> Result<T, Refusal> {
        match &self.0 {
            None => Ok(work.await),
            Some(leased) => leased.during(work).await,
        }
    }
}

impl Leased {
    fn allows(&self, takes: Duration) -> Result<Instant, Refusal> {
        self.standing.borrow().allows(takes, Instant::now())
    }

    async fn during<T>(&self, work: impl Future<Output = T>) -> Result<T, Refusal> {
        let mut work = pin!(work);
        loop {
            let end = self.allows(Duration::ZERO)?;
            // A timer is late where the process was stopped, so it alone is not enough.
            let step = poll_fn(|context| match self.allows(Duration::ZERO) {
                Ok(_) => work.as_mut().poll(context).map(Ok),
                Err(refusal) => Poll::Ready(Err(refusal)),
            });
            tokio::select! {
                biased;
                // Renewed meanwhile, or over.
                () = sleep_until(end) => {}
                done = step => return done,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test]
    async fn what_is_never_permitted_is_not_begun() {
        let permit = Permit::never("only tried");
        let lost = Err(Refusal::Lost("only tried".into()));
        assert_eq!(permit.check(), lost);
        assert_eq!(permit.during(async {}).await, lost);
    }

    #[test]
    fn something_may_begin_that_ends_before_the_lease_does() {
        let now = Instant::now();
        let lost = Standing::Lost("b has it".into());
        let rows = [
            (Standing::Until(now + 11 * SECOND), 10, Ok(())),
            (Standing::Until(now + 10 * SECOND), 10, Err(Refusal::Lapsed)),
            (Standing::Until(now + SECOND), 0, Ok(())),
            (Standing::Until(now), 0, Err(Refusal::Lapsed)),
            (Standing::Unlimited, 10, Ok(())),
            (lost, 0, Err(Refusal::Lost("b has it".into()))),
        ];
        for (standing, seconds, expected) in rows {
            let allowed = standing.allows(seconds * SECOND, now);
            assert_eq!(allowed.map(drop), expected, "{standing:?}, {seconds} s");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn work_goes_on_over_renewals_and_is_dropped_at_the_end_of_the_lease() {
        for (renewed, expected) in [(true, Ok(())), (false, Err(Refusal::Lapsed))] {
            let start = Instant::now();
            let (standing, watched) = watch::channel(Standing::Until(start + 10 * SECOND));
            let permit = Permit::leased(watched, SECOND);
            tokio::spawn(async move {
                tokio::time::sleep(5 * SECOND).await;
                if renewed {
                    standing.send_replace(Standing::Until(start + 20 * SECOND));
                }
                std::future::pending::<()>().await;
            });
            let done = permit.during(tokio::time::sleep(15 * SECOND)).await;
            assert_eq!(done, expected);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn work_takes_no_further_step_when_what_had_no_end_is_lost() {
        let start = Instant::now();
        let (standing, watched) = watch::channel(Standing::Unlimited);
        let permit = Permit::leased(watched, Duration::ZERO);
        let work = async {
            tokio::time::sleep(5 * SECOND).await;
            standing.send_replace(Standing::Lost("b has it".into()));
            tokio::time::sleep(10 * SECOND).await;
        };
        let done = permit.during(work).await;
        assert_eq!(done, Err(Refusal::Lost("b has it".into())));
        assert!(start.elapsed() <= 15 * SECOND, "{:?}", start.elapsed());
    }

    /// As when the process is stopped: its work is ready before its timers are looked at.
    #[tokio::test]
    async fn work_that_wakes_up_late_takes_no_further_step() {
        let end = Instant::now() + Duration::from_millis(20);
        let (_standing, watched) = watch::channel(Standing::Until(end));
        let permit = Permit::leased(watched, Duration::ZERO);
        let steps = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&steps);
        let work = poll_fn(move |context| {
            counted.fetch_add(1, Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(40));
            context.waker().wake_by_ref();
            Poll::<()>::Pending
        });
        let during = tokio::spawn(async move { permit.during(work).await });
        assert_eq!(during.await.unwrap(), Err(Refusal::Lapsed));
        assert_eq!(steps.load(Ordering::Relaxed), 1);
    }
}
