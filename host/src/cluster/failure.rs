//! Why a host gave no answer, with what to do about it.

use std::error::Error;
use std::io;

use reqwest::Url;
use tokio_rustls::rustls::{self, CertificateError};

use super::HttpError;

/// What became of a request to this host, by way of the proxy at this address.
pub(super) fn of(error: &reqwest::Error, host: &Url, proxy: Option<&str>) -> HttpError {
    let cause = innermost(error);
    let way = match proxy {
        Some(proxy) => format!("{host} through the proxy {proxy}"),
        None => host.to_string(),
    };
    let remedy = tls_failure(error).map(remedy);
    if error.is_connect() {
        let remedy = remedy.unwrap_or(match proxy {
            Some(_) => "are both running, and \"url\" and \"proxy\" right?",
            None => "is the cluster running, and \"url\" right?",
        });
        return HttpError::Connect(format!("cannot connect to {way}: {cause}; {remedy}"));
    }
    if error.is_timeout() {
        return HttpError::Timeout(format!("no answer from {way}: {cause}"));
    }
    let remedy = remedy
        .map(|remedy| format!("; {remedy}"))
        .unwrap_or_default();
    HttpError::Protocol(format!("the connection to {way} broke: {cause}{remedy}"))
}

/// Nothing came through.
pub(super) fn refused_by_proxy(address: &str) -> HttpError {
    HttpError::Connect(format!(
        "the proxy {address} lets nobody through with these credentials (status 407); set user and password in \"proxy\""
    ))
}

/// The innermost reason, without the address, which the caller adds.
pub(crate) fn innermost(error: &reqwest::Error) -> String {
    causes(error)
        .last()
        .map(ToString::to_string)
        .unwrap_or_default()
}

/// Whether whoever answered does not speak TLS.
pub(crate) fn is_no_tls(error: &reqwest::Error) -> bool {
    matches!(tls_failure(error), Some(rustls::Error::InvalidMessage(_)))
}

fn tls_failure(error: &reqwest::Error) -> Option<&rustls::Error> {
    causes(error).find_map(tls_failure_in)
}

/// Errors of a stream hide what they are made of from [`Error::source`], and may be made of
/// each other.
fn tls_failure_in<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    match error.downcast_ref::<io::Error>() {
        Some(outer) => tls_failure_in(outer.get_ref()?),
        None => error.downcast_ref(),
    }
}

/// The error, its cause, the cause of that, and so on.
fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    let first: &(dyn Error + 'static) = error;
    std::iter::successors(Some(first), |error| (*error).source())
}

fn remedy(error: &rustls::Error) -> &'static str {
    use CertificateError as Certificate;
    use rustls::{AlertDescription as Alert, Error};
    match error {
        Error::InvalidCertificate(Certificate::UnknownIssuer | Certificate::BadSignature) => {
            "its certificate is from no authority that is trusted: name its authority's file with ca_file in \"tls\""
        }
        Error::InvalidCertificate(
            Certificate::NotValidForName | Certificate::NotValidForNameContext { .. },
        ) => "its certificate is for another name: write a name that it is for in \"url\"",
        Error::InvalidCertificate(_) => {
            "its certificate can not be accepted: replace it on the server"
        }
        Error::InvalidMessage(_) => {
            "does the server speak TLS? otherwise \"url\" begins with http://"
        }
        Error::AlertReceived(Alert::CertificateRequired | Alert::HandshakeFailure) => {
            "it wants to see a certificate: set certificate_file and key_file in \"tls\""
        }
        Error::AlertReceived(_) => {
            "it does not accept this side: check certificate_file and key_file in \"tls\""
        }
        _ => "the TLS handshake failed: see the server's log",
    }
}
