//! What a manifest says, which whoever pushed it wrote.

use anyhow::{Context as _, bail, ensure};
use oci_client::Reference;
use oci_client::manifest::{ImageIndexEntry, OciDescriptor, OciManifest, WASM_LAYER_MEDIA_TYPE};

use super::super::content::COMPONENT_MAX;
use super::{Digest, SCHEME, sha256};
use crate::capability::text::shown;

/// What the layer of a component is called, today and before.
const LAYERS: [&str; 2] = ["application/wasm", WASM_LAYER_MEDIA_TYPE];
/// So many platforms of an index are named.
const PLATFORMS_MAX: usize = 8;

/// The digest of the one component that there is.
///
/// # Errors
/// What the manifest describes instead.
pub(super) fn component(manifest: &[u8], reference: &Reference) -> anyhow::Result<Digest> {
    let read = serde_json::from_slice(manifest).ok();
    let layers = match read.context("the registry answers with no manifest of an artifact")? {
        OciManifest::Image(image) => image.layers,
        OciManifest::ImageIndex(index) => bail!(of_platforms(reference, &index.manifests)),
    };
    let layer = only_component(&layers)?;
    let size = layer.size;
    let size = u64::try_from(size).ok().with_context(|| {
        format!("its manifest says that it has {size} bytes, which nothing has: push it again")
    })?;
    ensure!(
        size <= COMPONENT_MAX,
        "it is larger than {} MiB, which no component may be",
        COMPONENT_MAX >> 20
    );
    sha256(&layer.digest)
}

fn of_platforms(reference: &Reference, entries: &[ImageIndexEntry]) -> String {
    let (host, name) = (reference.registry(), reference.repository());
    let entries = entries.iter().take(PLATFORMS_MAX).map(|entry| {
        let platform = entry.platform.as_ref();
        let platform = platform.map(|of| format!(" ({}/{})", of.os, of.architecture));
        format!("{}{}", entry.digest, platform.unwrap_or_default())
    });
    let entries = entries.map(|entry| format!("{SCHEME}{host}/{name}@{entry}"));
    format!(
        "it is an index of several platforms, and a component is the same on all of them: name the artifact of one instead, such as {}",
        shown(&entries.collect::<Vec<_>>().join(" or "))
    )
}

fn only_component(layers: &[OciDescriptor]) -> anyhow::Result<&OciDescriptor> {
    let wanted = LAYERS.join(" or ");
    let is_component = |layer: &&OciDescriptor| LAYERS.contains(&layer.media_type.as_str());
    let mut components = layers.iter().filter(is_component);
    match (components.next(), components.next()) {
        (Some(layer), None) => Ok(layer),
        (None, _) if layers.is_empty() => {
            bail!("it is no component: it has no layers, and a component has one of {wanted}")
        }
        (None, _) => {
            let types: Vec<_> = layers.iter().map(|layer| &*layer.media_type).collect();
            bail!(
                "it is no component: it has layers of {}, and none of {wanted}",
                shown(&types.join(", ")),
            )
        }
        (Some(_), Some(_)) => bail!("it has several components, and only one can be meant"),
    }
}
