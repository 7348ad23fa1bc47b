//! The HTTP client of a cluster: its TLS, its proxy, and nothing from the environment.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use reqwest::header::HeaderMap;
use reqwest::{Certificate, Client, ClientBuilder, Identity, Proxy, redirect};

use super::authorization::secret;
use crate::config::{Access, ClusterTls};

/// The longest wait for a connection, of whatever a request may take.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// # Errors
/// Names the file or the key that can not be used.
pub(super) fn build(access: &Access, timeout: Duration) -> anyhow::Result<Client> {
    let mut builder = Client::builder()
        .connect_timeout(timeout.min(CONNECT_MAX))
        .redirect(redirect::Policy::none())
        .tcp_nodelay(true)
        .no_proxy()
        .default_headers(headers(access)?)
        .user_agent(concat!("elasticsearch-source/", env!("CARGO_PKG_VERSION")));
    if let Some(proxy) = &access.proxy {
        // The cause may repeat the url, and the url may hold a password.
        let used = Proxy::all(proxy.url.expose()).ok();
        builder = builder.proxy(used.with_context(|| {
            format!(
                "\"proxy\", {}, can not be used: check its url",
                proxy.address
            )
        })?);
    }
    if access.tls.danger_accept_invalid_certs {
        tracing::warn!(
            hosts = access.addresses(),
            "CERTIFICATES ARE NOT VERIFIED (danger_accept_invalid_certs): whoever is in between can read and change everything, and take the credentials; set ca_file instead"
        );
    }
    let builder = with_tls(builder, &access.tls)?;
    builder.build().with_context(|| match &access.tls.identity {
        Some(identity) => format!(
            "cannot set up https: does the key in {} belong to the certificate in {}?",
            identity.key_file.display(),
            identity.certificate_file.display()
        ),
        None => "cannot set up http".to_owned(),
    })
}

/// What every request says besides. A signature for AWS does not cover it, and need not.
fn headers(access: &Access) -> anyhow::Result<HeaderMap> {
    let headers = access.headers.iter();
    headers
        .map(|(name, value)| Ok((name.clone(), secret(value.expose())?)))
        .collect()
}

fn with_tls(mut builder: ClientBuilder, tls: &ClusterTls) -> anyhow::Result<ClientBuilder> {
    if let Some(file) = &tls.ca_file {
        let unusable = || format!("ca_file {} holds no usable certificates", file.display());
        let authorities = Certificate::from_pem_bundle(&read(file)?).with_context(unusable)?;
        builder = builder.tls_certs_only(authorities);
    }
    if let Some(identity) = &tls.identity {
        let mut pem = read(&identity.certificate_file)?;
        pem.push(b'\n');
        pem.extend(read(&identity.key_file)?);
        let unusable = || {
            format!(
                "certificate_file {} and key_file {} can not be used: they are PEM files of certificates and of one private key",
                identity.certificate_file.display(),
                identity.key_file.display()
            )
        };
        builder = builder.identity(Identity::from_pem(&pem).with_context(unusable)?);
    }
    Ok(builder.tls_danger_accept_invalid_certs(tls.danger_accept_invalid_certs))
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).with_context(|| {
        format!(
            "{} can not be read: check the path and its permissions",
            file.display()
        )
    })
}
