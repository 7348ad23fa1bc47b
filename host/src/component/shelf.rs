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
    places: Mutex<HashMap<Digest, Arc<Place>>>,
    embedded: OnceLock<Arc<Linked>>,
}

/// Where one is as long as it is used. Locked while it is compiled: others that need it wait.
type Place = Mutex<Weak<Linked>>;

impl Shelf {
    /// The one with this digest, which is made unless it is in use. A new one is kept for good
    /// where that is asked for.
    ///
    /// # Errors
    /// Why it can not be made; whoever waited for it tries again.
    pub(super) fn find_or_make(
        &self,
        digest: Digest,
        for_good: bool,
        make: impl FnOnce() -> anyhow::Result<Linked>,
    ) -> anyhow::Result<Arc<Linked>> {
        let place = self.place(digest);
        let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(linked) = place.upgrade() {
            return Ok(linked);
        }
        let linked = Arc::new(make()?);
        *place = Arc::downgrade(&linked);
        if for_good {
            self.embedded.get_or_init(|| Arc::clone(&linked));
        }
        Ok(linked)
    }

    fn place(&self, digest: Digest) -> Arc<Place> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.retain(|_, place| is_used(place));
        Arc::clone(places.entry(digest).or_default())
    }
}

/// Somebody is at this place, or uses what is there.
fn is_used(place: &Arc<Place>) -> bool {
    let kept = || {
        place
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .strong_count()
            > 0
    };
    Arc::strong_count(place) > 1 || kept()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

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
        let find = || {
            let made = || anyhow::bail!("it is not there");
            sandbox.shelf().find_or_make(digest, false, made).ok()
        };
        assert!(Arc::ptr_eq(&one.linked, &find().unwrap()));
        drop(one);
        assert!(find().is_some());
        drop(other);
        assert!(find().is_none());
        let embedded = Content::read(Origin::Embedded).unwrap();
        drop(Component::load(&sandbox, &embedded).unwrap());
        assert!(find().is_some(), "for good");
    }

    #[test]
    fn what_many_need_at_once_is_made_once() {
        let sandbox = Sandbox::new().unwrap();
        let embedded = Content::read(Origin::Embedded).unwrap();
        let component = Component::load(&sandbox, &embedded).unwrap();
        let (shelf, made) = (Shelf::default(), AtomicUsize::new(0));
        let make = || {
            made.fetch_add(1, Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(50));
            let (pre, imports) = (&component.linked.pre, &component.linked.imports);
            let (pre, imports) = (pre.clone(), imports.clone());
            Ok(Linked { pre, imports })
        };
        let find = || shelf.find_or_make(component.digest(), false, make).unwrap();
        std::thread::scope(|scope| {
            let all: Vec<_> = (0..8).map(|_| scope.spawn(find)).collect();
            let all: Vec<_> = all.into_iter().map(|one| one.join().unwrap()).collect();
            assert!(all.iter().all(|one| Arc::ptr_eq(one, &all[0])));
        });
        assert_eq!(made.into_inner(), 1);
    }
}
