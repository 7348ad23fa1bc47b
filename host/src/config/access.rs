//! How a cluster is reached, and who asks: addresses, credentials, TLS, a proxy, headers.

mod cloud_id;
mod credentials;
mod headers;
mod hosts;
mod proxy;
mod tls;

use reqwest::Url;
use reqwest::header::HeaderName;

use super::secret::Secret;
use super::section::Section;

pub use credentials::{Aws, AwsService, Credentials};
pub use proxy::Proxy;
pub use tls::{ClusterTls, Identity};

pub(super) use credentials::{KEYS as CREDENTIALS, read as read_credentials};
pub(super) use headers::KEYS as HEADERS;
pub(super) use hosts::KEYS as HOSTS;

/// A cluster, the way there, and who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// One to 64 addresses of the same cluster, asked in this order: `http` or `https`,
    /// maybe with a path in front of all paths, never with credentials, a query or a
    /// fragment.
    pub hosts: Vec<Url>,
    /// The one of them that the cluster is called by, in whatever order they stand.
    pub url: Url,
    /// Who asks; absent, nobody in particular.
    pub credentials: Option<Credentials>,
    /// How the cluster and this program know each other.
    pub tls: ClusterTls,
    /// What stands between; absent, nothing, whatever the environment says.
    pub proxy: Option<Proxy>,
    /// What every request says besides, in the order of the names; the values are secrets.
    pub headers: Vec<(HeaderName, Secret)>,
    /// The major version of Elasticsearch, 7 to 9, whose API requests ask for; absent, that of
    /// the cluster.
    pub compatible_with: Option<u32>,
}

impl Access {
    /// A cluster of one host that lets everybody in.
    pub fn open(url: Url) -> Self {
        Self {
            hosts: vec![url.clone()],
            url,
            credentials: None,
            tls: ClusterTls::default(),
            proxy: None,
            headers: Vec::new(),
            compatible_with: None,
        }
    }

    /// All addresses, for people.
    pub fn addresses(&self) -> String {
        let hosts: Vec<_> = self.hosts.iter().map(Url::as_str).collect();
        hosts.join(", ")
    }
}

pub(super) fn read(config: &Section<'_>) -> Option<Access> {
    let hosts = hosts::read(config);
    let credentials = read_credentials(config);
    let tls = tls::read(&config.section("tls"), hosts.as_deref());
    let proxy = config.optional("proxy", proxy::proxy);
    let headers = headers::read(config);
    let compatible_with = headers::read_compatible_with(config, &headers);
    let hosts = hosts?;
    Some(Access {
        url: hosts.iter().min()?.clone(),
        hosts,
        credentials,
        tls,
        proxy,
        headers,
        compatible_with,
    })
}
