//! Faults on command: what the server does to the next requests that match.

use std::time::Duration;

/// What to do to which requests.
#[derive(Debug, Clone)]
pub struct Fault {
    effect: Effect,
    method: Option<String>,
    path: Option<String>,
    body: Option<String>,
    skip: usize,
    times: usize,
}

/// What happens to a request instead of, or on the way to, its answer.
#[derive(Debug, Clone)]
pub enum Effect {
    /// This answer; the request has no other effect.
    Respond {
        /// The HTTP status.
        status: u16,
        /// Names and values of headers.
        headers: Vec<(String, String)>,
        /// The body, whatever it is.
        body: String,
    },
    /// Nothing for this long, then the connection is closed; the request has no effect.
    Hang(Duration),
    /// The answer comes this much later. The request takes effect before.
    Delay(Duration),
    /// The connection is closed at once; the request has no effect.
    LoseRequest,
    /// The request takes effect; the connection is closed before an answer.
    LoseAnswer,
    /// The request takes effect twice, as something in between sent it again; the second answer
    /// comes.
    Twice,
    /// The request takes effect; the connection is closed in the middle of the body.
    CutAnswer,
    /// A search answers 200 without the documents of this shard (counted over all
    /// indices of the search), with a smaller total and `_shards.failed` 1. It does so
    /// even where the request refuses partial answers.
    LoseShard(usize),
    /// A search answers 200 with `timed_out` and the first half of its hits.
    TimeOut,
    /// The PIT or the scroll of the request is gone, for good: 404.
    LoseContext,
    /// A search answers without the hit at this position of the page, and nothing in
    /// the answer tells.
    LoseHit(usize),
}

impl Fault {
    /// A fault for the next request.
    pub fn new(effect: Effect) -> Self {
        Self {
            effect,
            method: None,
            path: None,
            body: None,
            skip: 0,
            times: 1,
        }
    }

    /// Only requests with this method.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
        self
    }

    /// Only requests whose path, query included, contains this.
    #[must_use]
    pub fn path(mut self, part: &str) -> Self {
        self.path = Some(part.to_owned());
        self
    }

    /// Only requests whose body contains this.
    #[must_use]
    pub fn body(mut self, part: &str) -> Self {
        self.body = Some(part.to_owned());
        self
    }

    /// The first so many requests that match go through untouched.
    #[must_use]
    pub fn after(mut self, requests: usize) -> Self {
        self.skip = requests;
        self
    }

    /// How many requests it happens to, one by default.
    #[must_use]
    pub fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    fn matches(&self, method: &str, path: &str, body: &[u8]) -> bool {
        let part = |part: &String| {
            part.is_empty()
                || body
                    .windows(part.len())
                    .any(|window| window == part.as_bytes())
        };
        self.method
            .as_ref()
            .is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
            && self.path.as_ref().is_none_or(|part| path.contains(part))
            && self.body.as_ref().is_none_or(part)
    }
}

impl Effect {
    /// 429 as a full queue gives it, with `Retry-After`.
    pub fn too_many_requests(retry_after_s: u32) -> Self {
        let reason = r#"{"type":"es_rejected_execution_exception","reason":"rejected execution of task on QueueResizingEsThreadPoolExecutor[name = mini/search, queue capacity = 1000]"}"#;
        Self::Respond {
            status: 429,
            headers: vec![json(), ("retry-after".into(), retry_after_s.to_string())],
            body: format!(
                r#"{{"error":{{"root_cause":[{reason}],"type":"search_phase_execution_exception","reason":"all shards failed","phase":"query","grouped":true,"failed_shards":[{{"shard":0,"index":"mini","node":"mini","reason":{reason}}}]}},"status":429}}"#
            ),
        }
    }

    /// 503 as a proxy gives it, in HTML.
    pub fn unavailable() -> Self {
        Self::Respond {
            status: 503,
            headers: vec![("content-type".into(), "text/html".into())],
            body: "<html><body><h1>503 Service Unavailable</h1>\nNo server is available to handle this request.\n</body></html>\n".into(),
        }
    }

    /// 429 as a circuit breaker gives it.
    pub fn circuit_breaker() -> Self {
        let cause = r#""type":"circuit_breaking_exception","reason":"[parent] Data too large, data for [<http_request>] would be [1039994134/991.8mb], which is larger than the limit of [1020054732/972.7mb]","bytes_wanted":1039994134,"bytes_limit":1020054732,"durability":"PERMANENT""#;
        let body = format!(r#"{{"error":{{"root_cause":[{{{cause}}}],{cause}}},"status":429}}"#);
        Self::Respond {
            status: 429,
            headers: vec![json()],
            body,
        }
    }
}

fn json() -> (String, String) {
    ("content-type".into(), "application/json".into())
}

/// The faults that are still to come, in the order in which they were asked for.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<Fault>);

impl Faults {
    pub(super) fn inject(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    /// How many are still to come.
    pub(super) fn pending(&self) -> usize {
        self.0.iter().map(|fault| fault.times).sum()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// What happens to this request: the first fault that matches and has nothing left
    /// to skip.
    pub(super) fn take(&mut self, method: &str, path: &str, body: &[u8]) -> Option<Effect> {
        let matching = self
            .0
            .iter_mut()
            .filter(|fault| fault.matches(method, path, body));
        let mut taken = None;
        for fault in matching {
            match (fault.skip, &taken) {
                (1.., _) => fault.skip -= 1,
                (0, None) => {
                    fault.times = fault.times.saturating_sub(1);
                    taken = Some(fault.effect.clone());
                }
                _ => {}
            }
        }
        self.0.retain(|fault| fault.times > 0);
        taken
    }
}
