//! Files of certificates and keys, which are looked at before they are needed.

use std::fmt::Display;
use std::fs::File;
use std::io::{Read as _, Take};
use std::path::PathBuf;

use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::tree::Node;
use super::value::text;

/// What is behind this is not looked at here, in bytes.
const FILE_MAX: u64 = 16 << 20;

/// The path of a file that can be read and has certificates.
pub(super) fn certificates(node: &Node) -> Result<PathBuf, String> {
    let path = text(node)?;
    let unusable = |why: &dyn Display| {
        format!("{path:?} is no readable PEM file of certificates ({why}): check the path")
    };
    let file = open(&path).map_err(|error| unusable(&error))?;
    let mut certificates = CertificateDer::pem_reader_iter(file);
    match certificates.next() {
        Some(Ok(_)) => Ok(PathBuf::from(path)),
        Some(Err(error)) => Err(unusable(&error)),
        None => Err(unusable(&"there is none in it")),
    }
}

/// The path of a file that can be read and has a private key that needs no password.
pub(super) fn private_key(node: &Node) -> Result<PathBuf, String> {
    let path = text(node)?;
    let unusable = |why: &dyn Display| {
        format!(
            "{path:?} is no readable PEM file of a private key without a password ({why}): check the path"
        )
    };
    let file = open(&path).map_err(|error| unusable(&error))?;
    match PrivateKeyDer::from_pem_reader(file) {
        Ok(_) => Ok(PathBuf::from(path)),
        Err(error) => Err(unusable(&error)),
    }
}

fn open(path: &str) -> std::io::Result<Take<File>> {
    Ok(File::open(path)?.take(FILE_MAX))
}
