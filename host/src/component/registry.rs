//! Components in a registry, where container tools keep images: an artifact with one layer that
//! is a component, as `wkg oci push` writes it.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use futures::TryStreamExt as _;
use oci_client::Client;
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::manifest::{OciDescriptor, WASM_LAYER_MEDIA_TYPE};
use oci_client::secrets::RegistryAuth;

use super::content::COMPONENT_MAX;
use crate::config::Registry;

pub use oci_client::Reference;

/// How a path begins that names one.
pub(crate) const SCHEME: &str = "oci://";
/// What the layer of a component is called, today and before.
const LAYERS: [&str; 2] = ["application/wasm", WASM_LAYER_MEDIA_TYPE];
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// Of all of it.
const PULL_TIMEOUT: Duration = Duration::from_secs(300);

/// What a path names that begins so.
///
/// # Errors
/// If that is no reference, or has neither a tag nor a digest.
pub(super) fn parse(rest: &str) -> anyhow::Result<Reference> {
    let example = "write oci://HOST/NAME:TAG, or oci://HOST/NAME@sha256:DIGEST";
    let refused = || format!("{SCHEME}{rest} names nothing in a registry: {example}");
    let reference: Reference = rest.parse().with_context(refused)?;
    let last = rest.rsplit('/').next().unwrap_or(rest);
    let is_exact = last.contains([':', '@']);
    ensure!(rest.contains('/') && is_exact, refused());
    Ok(reference)
}

/// The bytes of a component.
///
/// # Errors
/// If the registry is not reached, knows nothing of that name or does not let us have it, if it
/// is no component, or larger than [`COMPONENT_MAX`]. Says what to do.
pub(super) async fn pull(reference: &Reference, registry: &Registry) -> anyhow::Result<Vec<u8>> {
    let pulled = tokio::time::timeout(PULL_TIMEOUT, pull_now(reference, registry)).await;
    let pulled = pulled.unwrap_or_else(|_| {
        bail!(
            "the registry did not give it in {} s",
            PULL_TIMEOUT.as_secs()
        )
    });
    pulled.with_context(|| {
        format!(
            "component {SCHEME}{reference} can not be had: check \"path\", the registry, and [sources.NAME.registry]"
        )
    })
}

async fn pull_now(reference: &Reference, registry: &Registry) -> anyhow::Result<Vec<u8>> {
    let client = Client::try_from(client_config(registry))?;
    let auth = match &registry.user {
        None => RegistryAuth::Anonymous,
        Some((name, password)) => RegistryAuth::Basic(name.clone(), password.expose().to_owned()),
    };
    let (manifest, _) = client.pull_image_manifest(reference, &auth).await?;
    let layer = only_component(&manifest.layers)?;
    let limit = COMPONENT_MAX >> 20;
    let fits = |length: u64| ensure_fits(length, limit);
    fits(u64::try_from(layer.size).unwrap_or(u64::MAX))?;
    let mut stream = client.pull_blob_stream(reference, layer).await?;
    let mut bytes = Vec::new();
    // Its end compares the digest of all of it with what the manifest says.
    while let Some(more) = stream.try_next().await? {
        bytes.extend_from_slice(&more);
        fits(bytes.len() as u64)?;
    }
    ensure!(!bytes.is_empty(), "it is empty");
    Ok(bytes)
}

fn ensure_fits(length: u64, limit: u64) -> anyhow::Result<()> {
    ensure!(
        length <= COMPONENT_MAX,
        "it is larger than {limit} MiB, which no component may be"
    );
    Ok(())
}

fn client_config(registry: &Registry) -> ClientConfig {
    ClientConfig {
        protocol: match registry.plain_http {
            true => ClientProtocol::Http,
            false => ClientProtocol::Https,
        },
        // A component is the same on every platform.
        platform_resolver: None,
        connect_timeout: Some(CONNECT_TIMEOUT),
        read_timeout: Some(READ_TIMEOUT),
        user_agent: concat!("elasticsearch-source/", env!("CARGO_PKG_VERSION")),
        ..ClientConfig::default()
    }
}

fn only_component(layers: &[OciDescriptor]) -> anyhow::Result<&OciDescriptor> {
    let is_component = |layer: &&OciDescriptor| LAYERS.contains(&layer.media_type.as_str());
    let mut components = layers.iter().filter(is_component);
    match (components.next(), components.next()) {
        (Some(layer), None) => Ok(layer),
        (None, _) => {
            let types: Vec<_> = layers.iter().map(|layer| &*layer.media_type).collect();
            bail!(
                "it is no component: it has layers of {}, and none of {}",
                types.join(", "),
                LAYERS.join(" or ")
            )
        }
        (Some(_), Some(_)) => bail!("it has several components, and only one can be meant"),
    }
}

#[cfg(test)]
mod tests {
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
        for bad in [
            "",
            "source",
            "source:1",
            "registry.example/source",
            "registry.example/S:1",
            "a b/c:1",
        ] {
            let error = parse(bad).unwrap_err().to_string();
            assert!(
                error.contains("write oci://HOST/NAME:TAG"),
                "{bad}: {error}"
            );
        }
    }
}
