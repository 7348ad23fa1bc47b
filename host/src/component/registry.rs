//! Components in a registry, where container tools keep images: an artifact with one layer that
//! is a component, as `wkg oci push` writes it.

mod client;
mod manifest;
mod token;

use std::time::Duration;

use anyhow::{Context as _, anyhow, bail, ensure};
use reqwest::Url;

use super::content::COMPONENT_MAX;
use super::digest::Digest;
use crate::capability::text::shown;
use crate::config::Registry;
use client::Client;

pub use oci_client::Reference;

/// How a path begins that names one.
pub(crate) const SCHEME: &str = "oci://";
/// How the digests begin that are understood.
const SHA256: &str = "sha256:";
/// What is easily mistaken.
const DIGESTS: &str = "behind @sha256: stands the digest of the manifest, as the registry shows it; that of the component, which sha256sum prints, belongs in the key \"sha256\"";
/// Of all of it: 64 MiB at 4.5 Mbit/s.
const PULL_TIMEOUT: Duration = Duration::from_secs(120);

/// What stands behind the scheme of a path that has it, in whatever letters.
pub(crate) fn in_registry(path: &str) -> Option<&str> {
    let (scheme, rest) = path.split_at_checked(SCHEME.len())?;
    scheme.eq_ignore_ascii_case(SCHEME).then_some(rest)
}

/// What a path names that begins so.
///
/// # Errors
/// If that is no reference, or has neither a tag nor a digest.
pub(super) fn parse(rest: &str) -> anyhow::Result<Reference> {
    let example = "write oci://HOST/NAME:TAG, or oci://HOST/NAME@sha256:DIGEST";
    let hint = match rest.contains('@') {
        true => format!("; {DIGESTS}"),
        false => String::new(),
    };
    let refused = || format!("{SCHEME}{rest} names nothing in a registry: {example}{hint}");
    let reference: Reference = rest.parse().with_context(refused)?;
    let last = rest.rsplit('/').next().unwrap_or(rest);
    let is_exact = last.contains([':', '@']);
    ensure!(rest.contains('/') && is_exact, refused());
    let host = format!("https://{}", reference.resolve_registry());
    Url::parse(&host).with_context(refused)?;
    digest(&reference).with_context(refused)?;
    Ok(reference)
}

/// That of the manifest, where a reference has one.
fn digest(reference: &Reference) -> anyhow::Result<Option<Digest>> {
    reference.digest().map(sha256).transpose()
}

fn sha256(text: &str) -> anyhow::Result<Digest> {
    let digits = text.strip_prefix(SHA256).and_then(|text| text.parse().ok());
    digits.with_context(|| format!("the digest {} is no {SHA256}DIGEST", shown(text)))
}

/// The bytes of a component.
///
/// # Errors
/// If the registry is not reached, knows nothing of that name or does not let us have it, if it
/// is no component, or larger than [`COMPONENT_MAX`]. Says what to do.
pub(super) async fn pull(reference: &Reference, registry: &Registry) -> anyhow::Result<Vec<u8>> {
    pull_within(PULL_TIMEOUT, reference, registry).await
}

async fn pull_within(
    time: Duration,
    reference: &Reference,
    registry: &Registry,
) -> anyhow::Result<Vec<u8>> {
    let pulled = tokio::time::timeout(time, pull_now(reference, registry)).await;
    let late = || anyhow!("the registry did not give it in {} s", time.as_secs());
    let pulled = pulled.unwrap_or_else(|_| Err(late()));
    pulled.with_context(|| {
        format!(
            "component {SCHEME}{reference} can not be had: check \"path\", the registry, and [sources.NAME.registry]"
        )
    })
}

async fn pull_now(reference: &Reference, registry: &Registry) -> anyhow::Result<Vec<u8>> {
    let mut client = Client::new(reference, registry)?;
    let manifest = client.manifest().await?;
    is_named(&manifest, digest(reference)?)?;
    let layer = manifest::component(&manifest, reference)?;
    let bytes = client.blob(&layer, COMPONENT_MAX).await?;
    let got = Digest::of(&bytes);
    ensure!(
        got == layer,
        "its bytes have the digest {SHA256}{got}, and its manifest says {SHA256}{layer}: push it again"
    );
    ensure!(!bytes.is_empty(), "it is empty");
    Ok(bytes)
}

/// Whether a manifest is the one that was asked for.
fn is_named(manifest: &[u8], named: Option<Digest>) -> anyhow::Result<()> {
    let got = Digest::of(manifest);
    match named {
        Some(named) if named != got => bail!(
            "the registry gives a manifest with the digest {SHA256}{got}, which is not the one that \"path\" names; {DIGESTS}"
        ),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[test]
    fn a_reference_names_its_registry_and_a_tag_or_digest() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for good in [
            "registry.example/me/source:1.2".to_owned(),
            "127.0.0.1:5000/source:latest".to_owned(),
            format!("registry.example/me/source@{digest}"),
        ] {
            assert_eq!(parse(&good).unwrap().whole(), good);
        }
        let sha512 = format!("registry.example/source@sha512:{}", "a".repeat(128));
        for bad in [
            "",
            "source",
            "source:1",
            "registry.example/source",
            "registry.example/S:1",
            "registry.example:99999/source:1",
            "a b/c:1",
            &sha512,
        ] {
            let error = parse(bad).unwrap_err().to_string();
            assert!(
                error.contains("write oci://HOST/NAME:TAG"),
                "{bad}: {error}"
            );
        }
        let mistaken = format!("registry.example/source@{}", "a".repeat(64));
        let error = parse(&mistaken).unwrap_err().to_string();
        assert!(error.contains("belongs in the key \"sha256\""), "{error}");
    }

    #[test]
    fn another_manifest_than_the_one_that_is_named_is_refused() {
        let digest = Digest::of(b"one");
        assert!(is_named(b"one", Some(digest)).is_ok() && is_named(b"two", None).is_ok());
        let error = is_named(b"two", Some(digest)).unwrap_err().to_string();
        assert!(error.contains("the digest of the manifest"), "{error}");
    }

    #[tokio::test]
    async fn a_registry_that_drips_has_one_deadline() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            assert_ne!(stream.read(&mut request).await.unwrap(), 0);
            let head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n";
            stream.write_all(head).await.unwrap();
            while stream.write_all(b" ").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        let registry = Registry {
            plain_http: true,
            ..Registry::default()
        };
        let reference = parse(&format!("{host}/source:1")).unwrap();
        let pulled = pull_within(Duration::from_secs(1), &reference, &registry).await;
        let error = format!("{:#}", pulled.unwrap_err());
        assert!(error.ends_with("did not give it in 1 s"), "{error}");
    }
}
