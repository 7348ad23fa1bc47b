//! When to try again: exponentially later, with jitter, and not before the server's wish.
//! What keeps failing opens the breaker: from then on it is tried at the longest wait, until
//! something works.

use std::time::Duration;

/// How often and how fast a failed poll is tried again.
#[derive(Debug, Clone, Copy)]
pub struct RetryPolicy {
    /// The wait after the first failure.
    pub first: Duration,
    /// The longest wait, unless a server asks for more.
    pub longest: Duration,
    /// The part of a wait that is drawn at random, 0 to 1.
    pub jitter: f64,
    /// Failures in a row that open the breaker, and after which a run with an end gives up.
    pub attempts: u32,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(500),
            longest: Duration::from_secs(60),
            jitter: 0.5,
            attempts: 5,
        }
    }
}

/// Failures in a row.
#[derive(Debug)]
pub struct Backoff {
    policy: RetryPolicy,
    failures: u32,
}

impl Backoff {
    /// No failure yet.
    pub fn new(policy: RetryPolicy) -> Self {
        Self {
            policy,
            failures: 0,
        }
    }

    /// Something worked.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// Something failed. Returns how long to wait: of the exponential wait, a part at random,
    /// so that many sources do not come back together. With an open breaker, it is the
    /// longest at once.
    pub fn wait(&mut self, asked: Option<Duration>) -> Duration {
        let doubled = self.policy.first.saturating_mul(1 << self.failures.min(20));
        self.failures += 1;
        let wait = match self.is_open() {
            true => self.policy.longest,
            false => doubled.min(self.policy.longest),
        };
        let jittered = wait.mul_f64(1.0 - self.policy.jitter * rand::random::<f64>());
        jittered.max(asked.unwrap_or_default())
    }

    /// Whether the breaker is open: so much has failed in a row that a run with an end gives
    /// up, and another one only probes.
    pub fn is_open(&self) -> bool {
        self.failures >= self.policy.attempts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_until_the_breaker_is_open_with_jitter_and_respect_the_server() {
        let policy = RetryPolicy {
            first: Duration::from_millis(100),
            longest: Duration::from_secs(10),
            jitter: 0.5,
            attempts: 5,
        };
        let mut backoff = Backoff::new(policy);
        for (most, open) in [
            (100, false),
            (200, false),
            (400, false),
            (800, false),
            (10_000, true),
            (10_000, true),
        ] {
            let wait = backoff.wait(None);
            let most = Duration::from_millis(most);
            assert!(wait >= most / 2 && wait <= most, "{wait:?} for {most:?}");
            assert_eq!(backoff.is_open(), open, "{most:?}");
        }
        assert_eq!(
            backoff.wait(Some(Duration::from_secs(70))),
            Duration::from_secs(70)
        );
        backoff.reset();
        assert!(!backoff.is_open() && backoff.wait(None) <= Duration::from_millis(100));
    }
}
