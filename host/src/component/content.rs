//! The bytes of a component, before anything is made of them.

use std::borrow::Cow;
use std::fs::OpenOptions;
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::OnceLock;

use anyhow::{Context as _, bail, ensure};
use rustix::fs::OFlags;

use super::digest::Digest;
use super::origin::Origin;
use super::registry;
use crate::config::Registry;

/// The component that is built with the program.
const EMBEDDED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/component.wasm"));
/// Larger components are refused, in bytes: compiling takes time and memory with the size.
pub const COMPONENT_MAX: u64 = 64 * 1024 * 1024;

/// A component as it was found, not looked into yet.
#[derive(Clone)]
pub struct Content {
    origin: Origin,
    bytes: Cow<'static, [u8]>,
    digest: Digest,
}

impl Content {
    /// What a configured path names, read or fetched whole.
    ///
    /// # Errors
    /// If there is no such component, it can not be had, is empty, or is larger than
    /// [`COMPONENT_MAX`].
    pub async fn find(path: Option<&Path>, registry: &Registry) -> anyhow::Result<Self> {
        Self::fetch(Origin::find(path)?, registry).await
    }

    /// The same of a place that was found before.
    ///
    /// # Errors
    /// As [`Content::find`].
    pub async fn fetch(origin: Origin, registry: &Registry) -> anyhow::Result<Self> {
        if let Origin::Registry(reference) = &origin {
            let bytes = registry::pull(reference, registry).await?;
            return Ok(Self::of(origin, bytes));
        }
        let read = tokio::task::spawn_blocking(|| Self::read(origin));
        read.await.context("a defect of the program")?
    }

    /// Reads what is on this machine.
    ///
    /// # Errors
    /// If it can not be read, is empty, is larger than [`COMPONENT_MAX`], or is in a registry.
    pub fn read(origin: Origin) -> anyhow::Result<Self> {
        match &origin {
            Origin::Embedded => Ok(Self {
                origin,
                bytes: Cow::Borrowed(EMBEDDED),
                digest: embedded_digest(),
            }),
            Origin::File(path) => {
                let bytes = read(path)?;
                Ok(Self::of(origin, bytes))
            }
            Origin::Registry(_) => bail!("{origin} has to be fetched"),
        }
    }

    fn of(origin: Origin, bytes: Vec<u8>) -> Self {
        let digest = Digest::of(&bytes);
        Self {
            origin,
            bytes: Cow::Owned(bytes),
            digest,
        }
    }

    /// Whether it is the one that was pinned, or none was.
    ///
    /// # Errors
    /// Names both digests.
    pub fn is_pinned(&self, expected: Option<&Digest>) -> anyhow::Result<()> {
        match expected {
            Some(expected) if *expected != self.digest => bail!(
                "{} is not the one that was pinned: its sha256 is {}, and \"sha256\" says {expected}; restore the right one, or set the new digest if the change is wanted",
                self.origin,
                self.digest
            ),
            _ => Ok(()),
        }
    }

    /// Where it came from.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// What it is.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The SHA-256 of all of it.
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

/// Worked out once, however many sources use it.
fn embedded_digest() -> Digest {
    static DIGEST: OnceLock<Digest> = OnceLock::new();
    *DIGEST.get_or_init(|| Digest::of(EMBEDDED))
}

/// What is read is what was measured: a file that grows meanwhile is refused as well. Opening
/// waits for nobody, as a pipe would have it wait for its writer.
fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let shown = path.display();
    let refused = || format!("component {shown} can not be read: check its permissions");
    let mut bytes = Vec::new();
    let mut options = OpenOptions::new();
    options.custom_flags(OFlags::NONBLOCK.bits().cast_signed());
    let file = options.read(true).open(path).with_context(refused)?;
    let found = file.metadata().with_context(refused)?;
    let remedy = "name the component's file";
    ensure!(
        !found.is_dir(),
        "component {shown} is a directory: {remedy}"
    );
    ensure!(
        found.is_file(),
        "component {shown} is a pipe or a device: {remedy}"
    );
    let limit = COMPONENT_MAX >> 20;
    let too_large = || {
        format!(
            "component {shown} is larger than {limit} MiB, which no component may be: check \"path\""
        )
    };
    ensure!(found.len() <= COMPONENT_MAX, too_large());
    let mut limited = file.take(COMPONENT_MAX + 1);
    limited.read_to_end(&mut bytes).with_context(refused)?;
    ensure!(bytes.len() as u64 <= COMPONENT_MAX, too_large());
    ensure!(!bytes.is_empty(), "component {shown} is empty");
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn a_file_that_is_too_large_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large.wasm");
        let file = File::create(&path).unwrap();
        file.set_len(COMPONENT_MAX + 1).unwrap();
        let error = Content::read(Origin::File(path)).err().unwrap().to_string();
        assert!(error.contains("larger than 64 MiB"), "{error}");
    }

    #[test]
    fn a_pinned_component_is_that_one_or_an_error_that_names_both_digests() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mine.wasm");
        std::fs::write(&path, "one").unwrap();
        let read = || Content::read(Origin::File(path.clone())).unwrap();
        let (one, two) = (Digest::of(b"one"), Digest::of(b"two"));
        assert!(read().is_pinned(None).is_ok() && read().is_pinned(Some(&one)).is_ok());
        let error = read().is_pinned(Some(&two)).unwrap_err().to_string();
        for part in [one.to_string(), two.to_string(), path.display().to_string()] {
            assert!(error.contains(&part), "{error}");
        }
        let embedded = Content::read(Origin::Embedded).unwrap();
        let error = embedded.is_pinned(Some(&one)).unwrap_err().to_string();
        assert!(error.contains("the embedded component"), "{error}");
    }
}
