//! Which host of a cluster is asked next.
//!
//! The first one that has not failed lately, so that nothing changes while all is well. A
//! request that may have reached a host is not repeated here: it fails, and the next one
//! goes elsewhere. What may be asked again is known to the component alone.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::Url;
use tokio::time::Instant;

use super::{HttpError, Response};

/// How long a host that failed is asked last.
const PASSED_OVER: Duration = Duration::from_secs(60);

/// The hosts of one cluster.
pub(super) struct Hosts(Mutex<Vec<Host>>);

struct Host {
    url: Url,
    /// Until when the others come first.
    passed_over: Option<Instant>,
}

impl Hosts {
    pub(super) fn new(urls: Vec<Url>) -> Self {
        let hosts = urls.into_iter().map(|url| Host {
            url,
            passed_over: None,
        });
        Self(Mutex::new(hosts.collect()))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Host>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All of them: as configured, then those that failed, whose turn comes first first.
    pub(super) fn in_order(&self) -> Vec<Url> {
        let now = Instant::now();
        let mut hosts = self.lock();
        for host in hosts.iter_mut() {
            host.passed_over = host.passed_over.filter(|until| *until > now);
        }
        let mut order: Vec<_> = hosts.iter().collect();
        order.sort_by_key(|host| host.passed_over);
        order.into_iter().map(|host| host.url.clone()).collect()
    }

    /// Remembers what came of asking a host.
    pub(super) fn note(&self, url: &Url, outcome: &Result<Response, HttpError>) {
        let mut hosts = self.lock();
        let others = hosts.len() > 1;
        let Some(host) = hosts.iter_mut().find(|host| host.url == *url) else {
            return;
        };
        let failure = failure(outcome);
        if let Some(reason) = failure
            .as_deref()
            .filter(|_| others && host.passed_over.is_none())
        {
            tracing::warn!(
                host = %url,
                reason,
                seconds = PASSED_OVER.as_secs(),
                "a host of the cluster failed, the others are asked before it for a while"
            );
        }
        host.passed_over = failure.map(|_| Instant::now() + PASSED_OVER);
    }
}

/// What another host may do better. An answer that is too large is as large everywhere, and a
/// host of another cluster is a mistake that no other host corrects.
fn failure(outcome: &Result<Response, HttpError>) -> Option<String> {
    match outcome {
        Ok(response) if matches!(response.status, 502..=504) => {
            Some(format!("it answered with status {}", response.status))
        }
        Ok(_) | Err(HttpError::TooLarge(_) | HttpError::OtherCluster(_)) => None,
        Err(
            HttpError::Connect(reason) | HttpError::Timeout(reason) | HttpError::Protocol(reason),
        ) => Some(reason.clone()),
    }
}

impl fmt::Debug for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts = self.lock();
        let urls = hosts.iter().map(|host| host.url.as_str());
        f.debug_list().entries(urls).finish()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn answer(status: u16) -> Result<Response, HttpError> {
        Ok(Response {
            status,
            headers: Vec::new(),
            body: Bytes::new(),
        })
    }

    fn order(hosts: &Hosts) -> String {
        let names = hosts.in_order();
        names.iter().filter_map(Url::host_str).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_that_failed_is_asked_last_for_a_while() {
        let urls = ["a", "b", "c"].map(|name| Url::parse(&format!("http://{name}")).unwrap());
        let hosts = Hosts::new(urls.to_vec());
        let [a, b, c] = urls;
        assert_eq!(order(&hosts), "abc");
        hosts.note(&a, &Err(HttpError::Connect("refused".to_owned())));
        assert_eq!(order(&hosts), "bca");
        tokio::time::advance(PASSED_OVER / 2).await;
        hosts.note(&b, &answer(503));
        assert_eq!(order(&hosts), "cab");
        hosts.note(&c, &Err(HttpError::Timeout("late".to_owned())));
        assert_eq!(order(&hosts), "abc", "none is left out");
        hosts.note(&a, &answer(200));
        assert_eq!(order(&hosts), "abc");
        tokio::time::advance(PASSED_OVER).await;
        assert_eq!(order(&hosts), "abc");
    }

    #[test]
    fn what_every_host_would_answer_says_nothing_about_a_host() {
        for outcome in [
            answer(200),
            answer(404),
            answer(429),
            answer(500),
            Err(HttpError::TooLarge(1)),
            Err(HttpError::OtherCluster("other".to_owned())),
        ] {
            assert_eq!(failure(&outcome), None, "{outcome:?}");
        }
    }
}
