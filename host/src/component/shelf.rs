//! Components that are in use, by what they are: sources with the same one share its code.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use super::digest::Digest;
use crate::bindings::SourceConnectorPre;
use crate::source_state::SourceState;

/// A component that is compiled, checked, and linked with the imports.
pub(super) struct Linked {
    pub(super) pre: SourceConnectorPre<SourceState>,
    /// The names of its imports, sorted.
    pub(super) imports: Vec<String>,
}

/// Those of one sandbox. One that no source uses any more is let go, but for the one that is
/// built with the program.
#[derive(Default)]
pub(crate) struct Shelf {
    used: Mutex<HashMap<Digest, Weak<Linked>>>,
    /// Those that are compiled now.
    turns: Mutex<HashMap<Digest, Weak<Mutex<()>>>>,
    embedded: OnceLock<Arc<Linked>>,
}

impl Shelf {
    /// The one with this digest, if it is in use.
    pub(super) fn find(&self, digest: Digest) -> Option<Arc<Linked>> {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.get(&digest)?.upgrade()
    }

    /// Held by whoever compiles this one: the others that need it wait, and find it then.
    pub(super) fn turn(&self, digest: Digest) -> Arc<Mutex<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| turn.strong_count() > 0);
        let turn = turns.get(&digest).and_then(Weak::upgrade);
        turn.unwrap_or_else(|| {
            let turn = Arc::default();
            turns.insert(digest, Arc::downgrade(&turn));
            turn
        })
    }

    /// Keeps one as long as it is used, or for good. Whoever compiled the same meanwhile gets the
    /// one that was there first.
    pub(super) fn keep(&self, digest: Digest, linked: Linked, for_good: bool) -> Arc<Linked> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.retain(|_, linked| linked.strong_count() > 0);
        let first = used.get(&digest).and_then(Weak::upgrade);
        let linked = first.unwrap_or_else(|| {
            let linked = Arc::new(linked);
            used.insert(digest, Arc::downgrade(&linked));
            linked
        });
        if for_good {
            self.embedded.get_or_init(|| Arc::clone(&linked));
        }
        linked
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Component, Content, Origin};
    use super::*;
    use crate::sandbox::Sandbox;

    #[test]
    fn sources_with_the_same_bytes_share_one_and_what_nobody_uses_is_let_go_but_for_the_embedded() {
        let (sandbox, folder) = (Sandbox::new().unwrap(), tempfile::tempdir().unwrap());
        let bytes = Content::read(Origin::Embedded).unwrap().bytes().to_vec();
        let load = |name: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, &bytes).unwrap();
            let content = Content::read(Origin::File(path)).unwrap();
            Component::load(&sandbox, &content).unwrap()
        };
        let (one, other) = (load("one.wasm"), load("other.wasm"));
        assert!(Arc::ptr_eq(&one.linked, &other.linked));
        assert_ne!(one.origin(), other.origin());
        let digest = one.digest();
        // As if both had been compiled at the same time.
        let (pre, imports) = (one.linked.pre.clone(), one.linked.imports.clone());
        let late = sandbox.shelf().keep(digest, Linked { pre, imports }, false);
        assert!(Arc::ptr_eq(&one.linked, &late));
        drop(late);
        drop(one);
        assert!(sandbox.shelf().find(digest).is_some());
        drop(other);
        assert!(sandbox.shelf().find(digest).is_none());
        let embedded = Content::read(Origin::Embedded).unwrap();
        drop(Component::load(&sandbox, &embedded).unwrap());
        assert!(sandbox.shelf().find(digest).is_some(), "for good");
    }
}
