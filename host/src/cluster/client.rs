//! The HTTP clients of clusters: their TLS, their proxy, and nothing from the environment.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use reqwest::header::{HeaderMap, HeaderName};
use reqwest::{Certificate, Client, ClientBuilder, Identity, redirect};

use super::authorization::secret;
use crate::config::{Access, ClusterTls, Proxy, Secret};

/// The longest wait for a connection, of whatever a request may take.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// HTTP clients, each shared by all clusters that are reached in the same way: reading what
/// the system trusts takes milliseconds and hundreds of KiB for each.
#[derive(Default)]
pub struct Clients(Mutex<Vec<(Way, Client)>>);

/// All that a client is made from, files as they are now.
#[derive(PartialEq, Eq)]
struct Way {
    timeout: Duration,
    headers: Vec<(HeaderName, Secret)>,
    proxy: Option<Proxy>,
    tls: ClusterTls,
    authorities: Option<Vec<u8>>,
    identity: Option<Vec<u8>>,
}

impl Clients {
    /// # Errors
    /// Names the file or the key that can not be used.
    pub(super) fn client(&self, access: &Access, timeout: Duration) -> anyhow::Result<Client> {
        if access.tls.danger_accept_invalid_certs {
            tracing::warn!(
                hosts = access.addresses(),
                "CERTIFICATES ARE NOT VERIFIED (danger_accept_invalid_certs): whoever is in between can read and change everything, and take the credentials; set ca_file instead"
            );
        }
        let way = Way::read(access, timeout)?;
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, client)) = clients.iter().find(|(known, _)| *known == way) {
            return Ok(client.clone());
        }
        let client = way.build()?;
        clients.push((way, client.clone()));
        Ok(client)
    }
}

impl Way {
    fn read(access: &Access, timeout: Duration) -> anyhow::Result<Self> {
        let tls = &access.tls;
        let authorities = tls.ca_file.as_deref().map(read);
        let identity = tls.identity.as_ref().map(|identity| {
            let mut pem = read(&identity.certificate_file)?;
            pem.push(b'\n');
            pem.extend(read(&identity.key_file)?);
            anyhow::Ok(pem)
        });
        Ok(Self {
            timeout,
            headers: access.headers.clone(),
            proxy: access.proxy.clone(),
            tls: tls.clone(),
            authorities: authorities.transpose()?,
            identity: identity.transpose()?,
        })
    }

    fn build(&self) -> anyhow::Result<Client> {
        let mut builder = Client::builder()
            .connect_timeout(self.timeout.min(CONNECT_MAX))
            .redirect(redirect::Policy::none())
            .tcp_nodelay(true)
            .no_proxy()
            .default_headers(headers(&self.headers)?)
            .user_agent(concat!("elasticsearch-source/", env!("CARGO_PKG_VERSION")));
        if let Some(proxy) = &self.proxy {
            // The cause may repeat the url, and the url may hold a password.
            let used = reqwest::Proxy::all(proxy.url.expose()).ok();
            builder = builder.proxy(used.with_context(|| {
                format!(
                    "\"proxy\", {}, can not be used: check its url",
                    proxy.address
                )
            })?);
        }
        self.with_tls(builder)?
            .build()
            .with_context(|| match &self.tls.identity {
                Some(identity) => format!(
                    "cannot set up https: does the key in {} belong to the certificate in {}?",
                    identity.key_file.display(),
                    identity.certificate_file.display()
                ),
                None => "cannot set up http".to_owned(),
            })
    }

    fn with_tls(&self, mut builder: ClientBuilder) -> anyhow::Result<ClientBuilder> {
        if let (Some(file), Some(pem)) = (&self.tls.ca_file, &self.authorities) {
            let unusable = || format!("ca_file {} holds no usable certificates", file.display());
            let authorities = Certificate::from_pem_bundle(pem).with_context(unusable)?;
            builder = builder.tls_certs_only(authorities);
        }
        if let (Some(files), Some(pem)) = (&self.tls.identity, &self.identity) {
            let unusable = || {
                format!(
                    "certificate_file {} and key_file {} can not be used: they are PEM files of certificates and of one private key",
                    files.certificate_file.display(),
                    files.key_file.display()
                )
            };
            builder = builder.identity(Identity::from_pem(pem).with_context(unusable)?);
        }
        Ok(builder.tls_danger_accept_invalid_certs(self.tls.danger_accept_invalid_certs))
    }
}

/// What every request says besides. A signature for AWS does not cover it, and need not.
fn headers(headers: &[(HeaderName, Secret)]) -> anyhow::Result<HeaderMap> {
    let headers = headers.iter();
    headers
        .map(|(name, value)| Ok((name.clone(), secret(value.expose())?)))
        .collect()
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).with_context(|| {
        format!(
            "{} can not be read: check the path and its permissions",
            file.display()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clusters_that_are_reached_in_the_same_way_share_a_client() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        let certificate = || {
            let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]);
            made.unwrap().cert.pem()
        };
        std::fs::write(&file, certificate()).unwrap();
        let open = |url: &str| Access::open(url.parse().unwrap());
        let trusting = || Access {
            tls: ClusterTls {
                ca_file: Some(file.clone()),
                ..ClusterTls::default()
            },
            ..open("https://localhost")
        };
        let clients = Clients::default();
        let long = Duration::from_secs(30);
        let count = |access: &Access, timeout| {
            clients.client(access, timeout).unwrap();
            clients.0.lock().unwrap().len()
        };
        assert_eq!(count(&open("http://localhost:9200"), long), 1);
        assert_eq!(count(&open("http://localhost:9201"), long), 1);
        assert_eq!(count(&open("http://localhost:9200"), long / 2), 2);
        assert_eq!(count(&trusting(), long), 3);
        assert_eq!(count(&trusting(), long), 3);
        std::fs::write(&file, certificate()).unwrap();
        assert_eq!(
            count(&trusting(), long),
            4,
            "the file holds another one by now"
        );
    }
}
