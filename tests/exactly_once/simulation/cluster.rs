//! The way to the cluster, with faults.

use std::sync::Arc;

use bytes::Bytes;
use elasticsearch_source::cluster::{HttpError, Request, Response, Transport};
use elasticsearch_source::mini_elasticsearch::{Effect as Answer, Fault as Rule};
use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::fault::{Effect, Fault, Operation};
use super::stage::{Stage, TIMEOUT};

/// Requests to the in-process Elasticsearch, without a connection.
pub struct SimulatedTransport(pub Arc<Stage>);

impl Transport for SimulatedTransport {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, HttpError>> {
        async move {
            let about = format!("{} {}", request.method, request.path);
            match self.0.call(operation(&request), &about).await {
                None => self.answer(request).await,
                Some(Fault::Error(effect)) => {
                    let what = self.take_effect(request, effect).await;
                    Err(HttpError::Protocol(format!("{what} was cut off")))
                }
                Some(Fault::Hang(effect)) => {
                    let what = self.take_effect(request, effect).await;
                    tokio::time::sleep(TIMEOUT).await;
                    Err(HttpError::Timeout(format!("{what} timed out")))
                }
                Some(Fault::Kill(effect)) => {
                    self.take_effect(request, effect).await;
                    self.0.die().await
                }
                Some(fault) => {
                    self.0.cluster.inject(Rule::new(answer_to(fault)));
                    self.answer(request).await
                }
            }
        }
        .boxed()
    }
}

impl SimulatedTransport {
    async fn answer(&self, request: Request) -> Result<Response, HttpError> {
        let body = Bytes::from(request.body.unwrap_or_default());
        let (method, cluster) = (request.method.as_str(), &self.0.cluster);
        let answered = cluster.answer(method, &request.path, body).await;
        let answered = answered.map_err(|error| HttpError::Protocol(error.to_string()))?;
        Ok(Response {
            status: answered.status,
            headers: answered.headers,
            body: answered.body,
        })
    }

    async fn take_effect(&self, request: Request, effect: Effect) -> String {
        let what = format!("{} {}", request.method, request.path);
        if effect != Effect::Never {
            let _unseen = self.answer(request).await;
        }
        what
    }
}

fn operation(request: &Request) -> Operation {
    let body = request.body.as_deref().unwrap_or_default();
    let in_pit = body.windows(6).any(|window| window == b"\"pit\":");
    match request.path.split('?').next().unwrap_or_default() {
        path if path.ends_with("/_search") && in_pit => Operation::SearchInPit,
        "/_search/scroll" if request.method == "POST" => Operation::SearchInPit,
        path if path.ends_with("/_search") || path.ends_with("/_count") => Operation::Search,
        _ => Operation::Ask,
    }
}

fn answer_to(fault: Fault) -> Answer {
    match fault {
        Fault::TooManyRequests => Answer::too_many_requests(1),
        Fault::Unavailable => Answer::unavailable(),
        Fault::CircuitBreaker => Answer::circuit_breaker(),
        Fault::LostPit => Answer::LoseContext,
        Fault::LostShard => Answer::LoseShard(1),
        Fault::TimedOut => Answer::TimeOut,
        Fault::LostHit => Answer::LoseHit(3),
        Fault::Twice => Answer::Twice,
        other => panic!("{other:?} is no fault of a cluster"),
    }
}
