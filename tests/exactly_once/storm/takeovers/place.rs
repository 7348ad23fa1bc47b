//! Where the two processes keep their state, and the way of each to it, which can be cut.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use reqwest::Url;
use serde_json::json;

use super::strike::Strike;
use crate::support::proxy::{Proxy, Way};
use crate::support::servers::Cluster;

/// Names the server of [`Store::Redis`].
pub const REDIS: &str = "REDIS_URL";

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Store {
    Files,
    Redis,
    Elasticsearch,
}

impl Store {
    /// What can befall who has a state there.
    pub fn strikes(self) -> &'static [Strike] {
        use Strike::{Cut, Kill, Pause, Terminate};
        match self {
            Self::Files => &[Kill, Pause, Terminate],
            Self::Redis | Self::Elasticsearch => {
                &[Kill, Pause, Cut(Way::Cut), Cut(Way::Stuck), Terminate]
            }
        }
    }
}

pub struct Place {
    store: Store,
    /// The server, where there is one.
    url: Option<Url>,
    /// The folder, prefix or index of this storm.
    name: String,
}

impl Place {
    pub async fn new(store: Store, cluster: &Cluster, folder: &Path) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let (url, name) = match store {
            Store::Files => (None, folder.join("states").display().to_string()),
            Store::Redis => {
                let url = std::env::var(REDIS).unwrap();
                (Some(url), format!("storm-{}:", now.as_millis()))
            }
            Store::Elasticsearch => {
                let states = cluster.create("states", 1, json!({"dynamic": false}));
                (Some(cluster.url().to_owned()), states.await)
            }
        };
        let url = url.map(|url| url.parse().unwrap());
        Self { store, url, name }
    }

    pub fn store(&self) -> Store {
        self.store
    }

    /// Whether only the end of its holder frees the state.
    pub fn is_locked(&self) -> bool {
        self.store == Store::Files
    }

    /// Another process's way to the server.
    pub async fn proxy(&self) -> Option<Proxy> {
        let url = self.url.as_ref()?;
        let port = url.port_or_known_default().unwrap_or(6379);
        Some(Proxy::to(format!("{}:{port}", url.host_str().unwrap())).await)
    }

    /// The keys of `state` that name it, by this way or directly.
    pub fn state(&self, proxy: Option<&Proxy>) -> String {
        let name = &self.name;
        let url = self.url.clone().map(|mut url| {
            if let Some(proxy) = proxy {
                url.set_host(Some("127.0.0.1")).unwrap();
                url.set_port(Some(proxy.port)).unwrap();
            }
            format!("url = \"{url}\"")
        });
        let url = url.unwrap_or_default();
        let (kind, keys) = match self.store {
            Store::Files => ("file", format!("base_path = '{name}'")),
            Store::Redis => ("redis", format!("{url}, key_prefix = \"{name}\"")),
            Store::Elasticsearch => ("elasticsearch", format!("{url}, index = \"{name}\"")),
        };
        let lease = if self.is_locked() {
            ""
        } else {
            ", lease_time = \"2s\""
        };
        format!(
            "storage_type = \"{kind}\", storage_config = {{ {keys} }}, on_conflict = \"wait\"{lease}"
        )
    }

    /// Removes what nobody else removes.
    pub async fn clean(&self) {
        if let (Store::Redis, Some(url)) = (self.store, &self.url) {
            let client = redis::Client::open(url.as_str()).unwrap();
            let mut connection = client.get_multiplexed_async_connection().await.unwrap();
            let state = redis::Cmd::del(format!("{}storm", self.name));
            let removed: i64 = state.query_async(&mut connection).await.unwrap();
            assert_eq!(removed, 1, "the state is there, under its name");
        }
    }
}
