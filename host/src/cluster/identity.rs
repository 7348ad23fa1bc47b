//! That all hosts of a list are one cluster: each is asked for its cluster's uuid before
//! anything else, and nothing is read from a host that names another one.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use reqwest::Url;
use serde::Deserialize;

use super::{HttpError, Response};

/// What a cluster says that has not found itself yet.
const UNDECIDED: &str = "_na_";

/// Which cluster it is, and which hosts are known to be of it.
#[derive(Default)]
pub(super) struct Identity(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// The first host that named its cluster, and that cluster's uuid.
    first: Option<(Url, String)>,
    /// Hosts that were asked, and are of that cluster or may not say.
    asked: BTreeSet<Url>,
}

#[derive(Deserialize)]
struct Root {
    cluster_uuid: String,
}

impl Identity {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this host was asked.
    pub(super) fn knows(&self, host: &Url) -> bool {
        self.lock().asked.contains(host)
    }

    /// Takes what a host answered to `GET /`.
    ///
    /// # Errors
    /// [`HttpError::OtherCluster`] names the host and the one it does not belong to.
    pub(super) fn learn(&self, host: &Url, root: &Response) -> Result<(), HttpError> {
        let mut known = self.lock();
        match (uuid(root), &known.first) {
            (Some(uuid), _) if uuid == UNDECIDED => return Ok(()),
            (Some(uuid), Some((first, of_first))) if uuid != *of_first => {
                return Err(HttpError::OtherCluster(format!(
                    "{host} belongs to the cluster {uuid}, and {first} to {of_first}: write hosts of one cluster in \"url\""
                )));
            }
            (Some(_), Some(_)) => {}
            (Some(uuid), None) => known.first = Some((host.clone(), uuid)),
            (None, _) => tracing::debug!(
                %host,
                status = root.status,
                "the host does not say which cluster it belongs to, it is taken for one of this"
            ),
        }
        known.asked.insert(host.clone());
        Ok(())
    }
}

/// Whether the question was not answered at all, and may be later.
pub(super) fn is_setback(root: &Response) -> bool {
    matches!(root.status, 408 | 429 | 500..)
}

fn uuid(root: &Response) -> Option<String> {
    let root: Root = serde_json::from_slice(&root.body).ok()?;
    Some(root.cluster_uuid)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn learn(identity: &Identity, name: &str, status: u16, body: &'static str) -> Option<String> {
        let root = Response {
            status,
            headers: Vec::new(),
            body: Bytes::from_static(body.as_bytes()),
        };
        match identity.learn(&host(name), &root) {
            Ok(()) => None,
            Err(HttpError::OtherCluster(message)) => Some(message),
            Err(other) => panic!("{other:?}"),
        }
    }

    fn host(name: &str) -> Url {
        format!("http://{name}").parse().unwrap()
    }

    #[test]
    fn a_host_is_of_the_cluster_of_the_first_one_that_named_its() {
        let identity = Identity::default();
        let (one, other) = (r#"{"cluster_uuid":"one"}"#, r#"{"cluster_uuid":"other"}"#);
        let undecided = r#"{"cluster_uuid":"_na_"}"#;
        let rows = [
            ("silent", 403, "{}", false, true),
            ("early", 200, undecided, false, false),
            ("first", 200, one, false, true),
            ("second", 200, one, false, true),
            ("early", 200, one, false, true),
            ("bare", 200, "{}", false, true),
            ("stray", 200, other, true, false),
            ("stray", 200, one, false, true),
        ];
        for (name, status, body, refused, known) in rows {
            let refusal = learn(&identity, name, status, body);
            assert_eq!(refusal.is_some(), refused, "{name}: {refusal:?}");
            assert_eq!(identity.knows(&host(name)), known, "{name}");
            for part in ["stray/ belongs to the cluster other", "first/ to one"] {
                assert!(refusal.as_ref().is_none_or(|it| it.contains(part)));
            }
        }
    }
}
