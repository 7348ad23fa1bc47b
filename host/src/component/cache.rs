//! Compiled components on the disk, so that not every start compiles.
//!
//! Compiled code is native code: who can change an entry can make this program do anything.
//! So an entry counts only if the folder and the file belong to this process's user and
//! nobody else may write there, as sshd asks of its files, and if its bytes have the digest
//! that was written with them, which rules out what disks and people do by accident. There
//! is no secret key: it would lie where the user's other files lie, and who can read it there
//! can replace this program as well. An entry that does not count is removed and compiled
//! anew; wasmtime's own cache would run it.

mod entry;
mod folder;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use etcetera::BaseStrategy as _;
use wasmtime::Engine;
use wasmtime::component::Component as Compiled;

use super::digest::Digest;
use crate::config;
use entry::Key;
use folder::Folder;

/// The name of the folder in the cache folder of the user.
const NAME: &str = "elasticsearch-source";

/// Where compiled components are kept.
#[derive(Debug)]
pub struct CompileCache {
    folder: Folder,
    max_size: u64,
}

impl CompileCache {
    /// The one that is configured, if one is wanted. The default folder is that of the
    /// user's caches; where there is none that can be used, there is no cache, which is
    /// logged.
    ///
    /// # Errors
    /// If a folder is configured that can not be used.
    pub fn configured(cache: &config::Cache) -> anyhow::Result<Option<Self>> {
        match (&cache.path, cache.enabled) {
            (_, false) => Ok(None),
            (Some(path), true) => Self::open(path, cache.max_size).map(Some),
            (None, true) => Ok(default_folder()
                .and_then(|path| Self::open(&path, cache.max_size))
                .inspect_err(|error| {
                    let error = format!("{error:#}");
                    tracing::warn!(error, "components are compiled at every start: set path, or enabled = false, in [cache]");
                })
                .ok()),
        }
    }

    /// The one in this folder, which is created where it is missing; of at most so many
    /// bytes.
    ///
    /// # Errors
    /// If it can not be created, or others may write there.
    pub fn open(path: &Path, max_size: u64) -> anyhow::Result<Self> {
        let folder = Folder::open(path)?;
        Ok(Self { folder, max_size })
    }

    /// What the component of this digest was compiled to, if that is known and can be
    /// trusted.
    pub(super) fn find(&self, engine: &Engine, component: Digest) -> Option<Compiled> {
        let key = Key::of(engine, component);
        let found = self.folder.read(&key.file_name()).transpose()?;
        let compiled = found.and_then(|sealed| load(engine, &key, &sealed));
        let refused = match compiled {
            Ok(compiled) => return Some(compiled),
            Err(refused) => format!("{refused:#}"),
        };
        let entry = self.folder.path(&key.file_name()).display().to_string();
        tracing::warn!(
            entry,
            reason = refused,
            "a compiled component is not what was kept, so it is removed and compiled anew"
        );
        self.folder.remove(&key.file_name());
        None
    }

    /// Keeps what a component was compiled to, and removes what was not used for longest
    /// where there is too much. Without room for it, the next start compiles again.
    pub(super) fn keep(&self, engine: &Engine, component: Digest, compiled: &Compiled) {
        let key = Key::of(engine, component);
        let serialized = compiled.serialize().map_err(anyhow::Error::from);
        let kept = serialized.and_then(|code| {
            self.folder.write(&key.file_name(), &key.seal(&code))?;
            self.folder.shrink(self.max_size)
        });
        if let Err(error) = kept {
            let error = format!("{error:#}");
            tracing::warn!(error, "a compiled component can not be kept");
        }
    }
}

fn default_folder() -> anyhow::Result<PathBuf> {
    let user = etcetera::choose_base_strategy().context("there is no folder for caches")?;
    Ok(user.cache_dir().join(NAME))
}

fn load(engine: &Engine, key: &Key, sealed: &[u8]) -> anyhow::Result<Compiled> {
    let code = key.unseal(sealed)?;
    #[expect(
        unsafe_code,
        reason = "native code is safe to load only if it is what a compiler wrote: the folder and the file belong to this user and are written by nobody else, the digest covers every byte and the key, and the key names this very version of wasmtime and its settings"
    )]
    // SAFETY: see above, and the documentation of this module.
    let compiled = unsafe { Compiled::deserialize(engine, code) };
    compiled.map_err(anyhow::Error::from)
}

#[cfg(test)]
mod tests;
