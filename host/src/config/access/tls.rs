//! `tls`: how a cluster and this program know each other.

use std::path::PathBuf;

use reqwest::Url;

use crate::config::pem;
use crate::config::section::Section;
use crate::config::value::flag;

/// How an encrypted connection begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClusterTls {
    /// A PEM file of the authorities to trust instead of those that the system trusts.
    pub ca_file: Option<PathBuf>,
    /// What this program shows of itself.
    pub identity: Option<Identity>,
    /// Whether any certificate of the cluster is taken, whoever made it for whatever name;
    /// then whoever is in between can read everything, and the credentials.
    pub danger_accept_invalid_certs: bool,
}

/// A client's certificate, and the key that proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// A PEM file of the certificate, and those between it and an authority.
    pub certificate_file: PathBuf,
    /// A PEM file of its private key, not encrypted.
    pub key_file: PathBuf,
}

/// The hosts, if they are known: without an encrypted one, these keys would mean nothing.
pub(super) fn read(section: &Section<'_>, hosts: Option<&[Url]>) -> ClusterTls {
    let plain = |hosts: &[Url]| hosts.iter().all(|host| host.scheme() == "http");
    if section.exists() && hosts.is_some_and(plain) {
        section.refuse_table("means nothing without a url that begins with https://");
    }
    let danger = section.optional("danger_accept_invalid_certs", flag);
    let tls = ClusterTls {
        ca_file: section.optional("ca_file", pem::certificates),
        identity: read_identity(section),
        danger_accept_invalid_certs: danger.unwrap_or(false),
    };
    if tls.danger_accept_invalid_certs && tls.ca_file.is_some() {
        section.refuse(
            "danger_accept_invalid_certs",
            "takes any certificate, so that ca_file means nothing: keep ca_file",
        );
    }
    tls
}

fn read_identity(section: &Section<'_>) -> Option<Identity> {
    let certificate_file = section.optional("certificate_file", pem::certificates);
    let key_file = section.optional("key_file", pem::private_key);
    section.needs_both(["certificate_file", "key_file"]);
    Some(Identity {
        certificate_file: certificate_file?,
        key_file: key_file?,
    })
}
