//! One entry: what it is called, and how it shows that it is whole.

use std::hash::{Hash as _, Hasher};

use anyhow::ensure;
use sha2::{Digest as _, Sha256};
use wasmtime::Engine;

use crate::component::digest::Digest;

/// What names of entries end with.
pub(super) const EXTENSION: &str = "compiled";
/// The length of the digest at the start of an entry, in bytes.
const SEAL: usize = 32;

/// What compiled code depends on: the component, the version of wasmtime, its settings, and
/// the machine's instructions.
pub(super) struct Key(Digest);

impl Key {
    pub(super) fn of(engine: &Engine, component: Digest) -> Self {
        let mut hasher = Sha256Hasher(Sha256::new());
        engine.precompile_compatibility_hash().hash(&mut hasher);
        hasher.write(component.as_bytes());
        Self(Digest::from(<[u8; 32]>::from(hasher.0.finalize())))
    }

    pub(super) fn file_name(&self) -> String {
        format!("{}.{EXTENSION}", self.0)
    }

    /// The code, behind a digest of the key and of all of it.
    pub(super) fn seal(&self, code: &[u8]) -> Vec<u8> {
        [self.digest(code).as_bytes(), code].concat()
    }

    /// The code, if it is what was sealed with this key.
    ///
    /// # Errors
    /// If a byte is missing or another.
    pub(super) fn unseal<'a>(&self, sealed: &'a [u8]) -> anyhow::Result<&'a [u8]> {
        let split = sealed.split_at_checked(SEAL);
        let whole = split.filter(|(seal, code)| self.digest(code).as_bytes() == seal);
        ensure!(whole.is_some(), "its bytes are not those that were written");
        Ok(whole.map_or(&[], |(_, code)| code))
    }

    fn digest(&self, code: &[u8]) -> Digest {
        let digest = Sha256::new()
            .chain_update(self.0.as_bytes())
            .chain_update(code);
        Digest::from(<[u8; 32]>::from(digest.finalize()))
    }
}

/// Takes what wasmtime hashes of itself, without the collisions of a short hash.
struct Sha256Hasher(Sha256);

impl Hasher for Sha256Hasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Not asked for: the digest is longer.
    fn finish(&self) -> u64 {
        0
    }
}
