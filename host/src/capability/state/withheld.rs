//! States that are kept from their store for a while.
//!
//! As long as a new version of a component is on probation, the store keeps the last state that
//! the one before saved while it ran. Whatever ends the probation early, also the end of the
//! process, goes on from there as after a crash.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::anyhow;
use bytes::Bytes;

use crate::state_store::{StateStore, StoreError, Stored, check_size};

/// A store, and what is kept from it.
pub(super) struct Withheld {
    store: Arc<dyn StateStore>,
    content: Mutex<Content>,
}

#[derive(Default)]
struct Content {
    withholds: bool,
    newest: Option<Kept>,
    /// How many were kept, ever: no revision of one comes again.
    kept: u64,
    /// The revision under which a component knows what was kept last, and that of the store.
    released: Option<(String, String)>,
}

/// A state that the store does not have.
#[derive(Clone)]
struct Kept {
    state: Stored,
    /// What the store must still have.
    follows: Option<String>,
}

impl Withheld {
    pub(super) fn around(store: Arc<dyn StateStore>) -> Self {
        let content = Mutex::default();
        Self { store, content }
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn withholds(&self) -> bool {
        self.content().withholds
    }

    /// From now on, saves are kept from the store.
    pub(super) fn begin(&self) {
        self.content().withholds = true;
    }

    /// What was kept is forgotten, and saves go to the store again.
    pub(super) fn discard(&self) {
        let mut content = self.content();
        content.newest = None;
        content.withholds = false;
    }

    /// The store is given what was kept from it, and the saves that follow.
    ///
    /// # Errors
    /// The store's: it has the state from before then, or after
    /// [`StoreError::Unavailable`] maybe the new one. Saves are still kept from it.
    pub(super) async fn release(&self) -> Result<(), StoreError> {
        let newest = self.content().newest.clone();
        let released = match newest {
            Some(Kept { state, follows }) => {
                let saved = self.store.save(state.bytes, follows.as_deref()).await?;
                Some((state.revision, saved))
            }
            None => None,
        };
        let mut content = self.content();
        content.newest = None;
        content.withholds = false;
        content.released = released;
        Ok(())
    }

    pub(super) async fn load(&self) -> Result<Option<Stored>, StoreError> {
        let newest = self.content().newest.clone();
        match newest {
            Some(kept) => Ok(Some(kept.state)),
            None => self.store.load().await,
        }
    }

    pub(super) async fn save(
        &self,
        bytes: Bytes,
        expected: Option<&str>,
    ) -> Result<String, StoreError> {
        let expected = {
            let mut content = self.content();
            let expected = content.known_to_the_store(expected);
            // Without any state a start would repeat all: the first one is kept from nobody.
            let is_first = expected.is_none() && content.newest.is_none();
            if content.withholds && !is_first {
                check_size(&self.store.describe(), &bytes)?;
                return content.keep(bytes, expected).ok_or_else(|| {
                    StoreError::Conflict(anyhow!(
                        "{} was saved twice on top of the same state: this is a defect of the component",
                        self.store.describe()
                    ))
                });
            }
            expected
        };
        self.store.save(bytes, expected.as_deref()).await
    }

    pub(super) fn describe(&self) -> String {
        self.store.describe()
    }
}

impl Content {
    fn known_to_the_store(&self, expected: Option<&str>) -> Option<String> {
        let released = self.released.as_ref();
        let released = released.filter(|(known, _)| Some(known.as_str()) == expected);
        released
            .map(|(_, stored)| stored.clone())
            .or_else(|| expected.map(str::to_owned))
    }

    /// The revision of what is kept, `None` if it follows something else than was expected.
    /// What the first one follows is compared by the store when it is released.
    fn keep(&mut self, bytes: Bytes, expected: Option<String>) -> Option<String> {
        let follows = match &self.newest {
            Some(newest) if Some(&newest.state.revision) != expected.as_ref() => return None,
            Some(newest) => newest.follows.clone(),
            None => expected,
        };
        self.kept += 1;
        let revision = format!("withheld {}", self.kept);
        let state = Stored {
            bytes,
            revision: revision.clone(),
        };
        self.newest = Some(Kept { state, follows });
        Some(revision)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state_store::Slot;

    /// A store with the state `{}`, and its revision.
    async fn stored() -> (Arc<Slot>, Withheld, String) {
        let store = Arc::new(Slot::in_memory());
        let revision = store.save("{}".into(), None).await.unwrap();
        let withheld = Withheld::around(store.clone());
        withheld.begin();
        (store, withheld, revision)
    }

    async fn has(store: &Slot) -> Bytes {
        store.load().await.unwrap().unwrap().bytes
    }

    #[tokio::test]
    async fn what_is_withheld_is_loaded_and_the_store_has_it_when_it_is_released() {
        let (store, withheld, revision) = stored().await;
        let first = withheld.save("{1}".into(), Some(&revision)).await.unwrap();
        let again = withheld.save("{x}".into(), Some(&revision)).await;
        assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
        let second = withheld.save("{2}".into(), Some(&first)).await.unwrap();
        let loaded = withheld.load().await.unwrap().unwrap();
        assert_eq!(
            (&*loaded.bytes, loaded.revision),
            (&b"{2}"[..], second.clone())
        );
        assert_eq!(has(&store).await, "{}");
        withheld.release().await.unwrap();
        assert_eq!(has(&store).await, "{2}");
        withheld.save("{3}".into(), Some(&second)).await.unwrap();
        assert_eq!(has(&store).await, "{3}", "whoever saved it need not know");
        withheld.begin();
        let stale = withheld.save("{4}".into(), Some(&second)).await.unwrap();
        assert!(withheld.release().await.is_err(), "{stale} follows {{3}}");
        assert!(withheld.withholds());
    }

    #[tokio::test]
    async fn the_first_state_of_all_is_withheld_from_nobody() {
        let store = Arc::new(Slot::in_memory());
        let withheld = Withheld::around(store.clone());
        withheld.begin();
        let first = withheld.save("{1}".into(), None).await.unwrap();
        assert_eq!(has(&store).await, "{1}");
        withheld.save("{2}".into(), Some(&first)).await.unwrap();
        assert_eq!(has(&store).await, "{1}");
    }

    #[tokio::test]
    async fn what_is_discarded_was_never_there() {
        let (store, withheld, revision) = stored().await;
        let kept = withheld.save("{1}".into(), Some(&revision)).await.unwrap();
        withheld.discard();
        assert_eq!(withheld.load().await.unwrap().unwrap().bytes, "{}");
        assert!(withheld.save("{2}".into(), Some(&kept)).await.is_err());
        withheld.save("{3}".into(), Some(&revision)).await.unwrap();
        assert_eq!(has(&store).await, "{3}");
    }
}
