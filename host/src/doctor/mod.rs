//! What a user needs to know before trusting a source: the doctor asks its cluster, and
//! says it in words.
//!
//! ```text
//! plan: what is configured ──▶ question ──▶ asking ──▶ answers ──▶ one judge a topic ──▶ examination
//! ```
//!
//! The judges are pure functions from answers to findings: `server`, `indices`, `mapping`,
//! `tiebreaker`, `kept`, `documents`, `group`, `settings`, `limits`, `size`, `access`, and `verdict` over
//! all of them. Nothing is written but a point in time, opened and closed again. What the
//! cluster does not say is a finding, too, never a guess.

mod access;
mod answers;
mod asking;
mod documents;
mod examination;
mod field;
mod finding;
mod group;
mod indices;
mod kept;
mod limits;
mod mapping;
mod plan;
mod question;
mod server;
mod settings;
mod size;
mod tiebreaker;
mod verdict;
mod words;

use chrono::{DateTime, Utc};
use futures::future::join_all;
use reqwest::Url;

pub use examination::{Examination, Figures};
pub use finding::{Finding, Level, Topic};
pub use plan::Pagination;
pub use server::Product;

use crate::cluster::{Cluster, ClusterConfig};
use crate::config::{Access, Source};
use asking::{Asked, Asking};
use plan::Plan;
use question::Question;
use server::Root;

/// Examines what a source would read, with the source's own access and limits; `now` is
/// what timestamps in the future are measured by.
///
/// # Errors
/// What of the configuration can not be used. What the cluster refuses, or that it does not
/// answer, is a finding.
pub async fn examine(source: &Source, now: DateTime<Utc>) -> anyhow::Result<Examination> {
    let plan = Plan::of(source)?;
    let cluster = reach(source, source.access.clone())?;
    let asking = Asking {
        way: &cluster,
        plan: &plan,
    };
    let addresses = source.access.addresses();
    let examination = match answers::ask_all(asking, now).await {
        Ok(answers) => Examination::of_answers(&plan, &addresses, &answers),
        Err(why) => return Ok(Examination::of(vec![Topic::Server.problem(why)])),
    };
    let mut more = server::judge_hosts(&ask_hosts(source, &plan).await?);
    if source.access.tls.danger_accept_invalid_certs {
        more.push(Topic::Server.note("certificates are not verified (danger_accept_invalid_certs): whoever is in between can read and change everything; set ca_file instead"));
    }
    Ok(examination.and_of_server(more))
}

/// What each of several hosts says by itself.
async fn ask_hosts(source: &Source, plan: &Plan) -> anyhow::Result<Vec<(String, Asked<Root>)>> {
    let hosts = source.access.hosts.iter();
    let hosts = hosts.filter(|_| source.access.hosts.len() > 1);
    let ways: Vec<_> = hosts
        .map(|url| Ok((url, reach(source, only(source, url))?)))
        .collect::<anyhow::Result<_>>()?;
    let asked = ways.iter().map(|(url, way)| async move {
        let asking = Asking { way, plan };
        (url.to_string(), asking.ask(Question::Root).await)
    });
    Ok(join_all(asked).await)
}

fn only(source: &Source, url: &Url) -> Access {
    Access {
        hosts: vec![url.clone()],
        ..source.access.clone()
    }
}

fn reach(source: &Source, access: Access) -> anyhow::Result<Cluster> {
    Cluster::new(ClusterConfig {
        access,
        timeout: source.timeout,
        max_response_bytes: source.max_response_bytes,
    })
}
