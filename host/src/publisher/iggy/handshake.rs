//! Why a connection did not come up. The SDK says only that it did not, so a TLS handshake
//! of our own finds out what the two sides disagree on; nothing is sent in it.

use std::sync::Arc;

use anyhow::anyhow;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{CertificateError, ClientConfig, Error, RootCertStore};

use super::experience::Refusal;
use super::refusal::Action;
use super::{IggyConfig, TlsConfig};
use crate::publisher::destination::AppendError;

/// What a server makes of a handshake.
enum Answer {
    /// It speaks TLS and is trusted.
    Trusted,
    /// It speaks TLS, and one side refused the other.
    Refused(Error),
    /// It answers something else, or nothing.
    NoTls(anyhow::Error),
}

/// What is wrong about TLS, if anything is; to be asked after connecting has failed. Takes
/// no longer than the timeout.
pub(super) async fn explain(config: &IggyConfig) -> Option<Refusal> {
    let (transient, remedy, cause) = match (&config.tls, shake_hands(config).await?) {
        (None, Answer::Trusted | Answer::Refused(_)) => (
            false,
            "the server speaks TLS: set enabled = true in [iggy.tls]".to_owned(),
            anyhow!("connected without TLS"),
        ),
        // Certificates change because somebody changes them.
        (Some(tls), Answer::Refused(error)) => (
            !matches!(error, Error::InvalidCertificate(_)),
            remedy(tls, &error),
            error.into(),
        ),
        // A server that just goes away does the same.
        (Some(_), Answer::NoTls(error)) => (
            true,
            "the server does not speak TLS there: see [iggy] address, or set enabled = false in [iggy.tls]"
                .to_owned(),
            error,
        ),
        _ => return None,
    };
    let cause = cause.context(format!(
        "cannot connect to iggy at {}, {remedy}",
        config.address
    ));
    Some(match transient {
        true => AppendError::transient(cause).into(),
        false => Refusal {
            error: AppendError::permanent(cause),
            revoked: Some(Action::Connect),
        },
    })
}

fn remedy(tls: &TlsConfig, error: &Error) -> String {
    use CertificateError as E;
    match error {
        Error::InvalidCertificate(E::NotValidForName | E::NotValidForNameContext { .. }) => {
            "its certificate is for another name: set domain in [iggy.tls] to one that it is for"
                .to_owned()
        }
        Error::InvalidCertificate(E::UnknownIssuer | E::BadSignature) => {
            let known = tls.ca_file.as_deref().unwrap_or("the public list");
            format!(
                "its certificate is from no authority in {known}: name its authority's file with ca_file in [iggy.tls]"
            )
        }
        Error::InvalidCertificate(_) => {
            "its certificate can not be accepted: replace it on the server".to_owned()
        }
        _ => "the TLS handshake failed: see the server's log".to_owned(),
    }
}

/// None where there is no server, or nothing to shake hands with.
async fn shake_hands(config: &IggyConfig) -> Option<Answer> {
    let tls = config.tls.clone().unwrap_or_default();
    let connector = TlsConnector::from(Arc::new(client_config(&tls)?));
    let name = server_name(&config.address, &tls)?;
    let answer = async {
        let stream = TcpStream::connect(&config.address).await.ok()?;
        let shaken = connector.connect(name, stream).await;
        Some(shaken.map_or_else(judge, |_| Answer::Trusted))
    };
    let silence = || {
        Some(Answer::NoTls(anyhow!(
            "no answer within {:?}",
            config.timeout
        )))
    };
    tokio::time::timeout(config.timeout, answer)
        .await
        .unwrap_or_else(|_| silence())
}

fn judge(error: std::io::Error) -> Answer {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    match inner {
        None | Some(Error::InvalidMessage(_)) => Answer::NoTls(error.into()),
        Some(refused) => Answer::Refused(Error::clone(refused)),
    }
}

/// Trusts whom the SDK trusts.
fn client_config(tls: &TlsConfig) -> Option<ClientConfig> {
    let mut roots = RootCertStore::empty();
    match &tls.ca_file {
        Some(file) => {
            let certificates = CertificateDer::pem_file_iter(file).ok()?;
            roots.add_parsable_certificates(certificates.filter_map(Result::ok));
        }
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().ok()?;
    Some(builder.with_root_certificates(roots).with_no_client_auth())
}

fn server_name(address: &str, tls: &TlsConfig) -> Option<ServerName<'static>> {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    ServerName::try_from(tls.domain.clone().unwrap_or_else(|| host.to_owned())).ok()
}
