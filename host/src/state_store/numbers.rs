//! What happens to a state: how many saves and loads, how they went, how long they took.
//!
//! A decorator over any [`StateStore`]. It exports nothing; whoever has the [`Numbers`] may
//! read them at any time, also while the source runs.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::{StateStore, StoreError, Stored};
use crate::clock::Clock;

/// The numbers of one state, shared by all clones.
#[derive(Debug, Clone)]
pub struct Numbers(Arc<Mutex<StateNumbers>>);

/// The numbers of one state, as they were at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StateNumbers {
    /// The kind of the store: `memory`, or its `storage_type`.
    pub store: &'static str,
    /// Saves.
    pub saves: Calls,
    /// Loads.
    pub loads: Calls,
    /// How large the state was that was saved last, in bytes.
    pub saved_bytes: u64,
    /// When that was, in milliseconds since the epoch; 0 before the first save.
    pub saved_at_ms: u64,
}

/// Calls of one kind. A call that is under way, or was dropped, is attempted and no more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Calls {
    /// All that began.
    pub attempted: u64,
    /// Those that worked.
    pub succeeded: u64,
    /// Those that met another writer, [`StoreError::Conflict`].
    pub conflict: u64,
    /// Those that the store did not answer, [`StoreError::Unavailable`].
    pub unavailable: u64,
    /// Those that found no state where one should be, [`StoreError::Corrupt`].
    pub corrupt: u64,
    /// Those that can never work, [`StoreError::Invalid`].
    pub invalid: u64,
    /// How long all of those took together.
    pub elapsed: Duration,
}

impl Numbers {
    /// Zero, for a store of this kind.
    pub fn of(store: &'static str) -> Self {
        let numbers = StateNumbers {
            store,
            ..StateNumbers::default()
        };
        Self(Arc::new(Mutex::new(numbers)))
    }

    /// What they are now; all of the same moment.
    pub fn read(&self) -> StateNumbers {
        self.change(|numbers| numbers.clone())
    }

    fn change<T>(&self, change: impl FnOnce(&mut StateNumbers) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Calls {
    fn end<T>(&mut self, outcome: &Result<T, StoreError>, elapsed: Duration) {
        let count = match outcome {
            Ok(_) => &mut self.succeeded,
            Err(StoreError::Conflict(_)) => &mut self.conflict,
            Err(StoreError::Unavailable(_)) => &mut self.unavailable,
            Err(StoreError::Corrupt(_)) => &mut self.corrupt,
            Err(StoreError::Invalid(_)) => &mut self.invalid,
        };
        *count += 1;
        self.elapsed += elapsed;
    }
}

/// A state store that counts.
pub struct Counted {
    store: Arc<dyn StateStore>,
    numbers: Numbers,
    clock: Clock,
}

impl Counted {
    /// Counts what happens to this store, and when by this clock.
    pub fn new(store: Arc<dyn StateStore>, numbers: Numbers, clock: Clock) -> Self {
        Self {
            store,
            numbers,
            clock,
        }
    }

    async fn count<T>(
        &self,
        calls: fn(&mut StateNumbers) -> &mut Calls,
        call: BoxFuture<'_, Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.numbers.change(|numbers| calls(numbers).attempted += 1);
        let began = Instant::now();
        let outcome = call.await;
        let elapsed = began.elapsed();
        self.numbers
            .change(|numbers| calls(numbers).end(&outcome, elapsed));
        outcome
    }

    async fn save_and_note(
        &self,
        bytes: Bytes,
        expected: Option<&str>,
    ) -> Result<String, StoreError> {
        let length = bytes.len() as u64;
        let save = self.store.save(bytes, expected);
        let revision = self.count(|numbers| &mut numbers.saves, save).await?;
        let now_ms = self.clock.now_ms();
        self.numbers.change(|numbers| {
            numbers.saved_bytes = length;
            numbers.saved_at_ms = now_ms;
        });
        Ok(revision)
    }
}

impl StateStore for Counted {
    fn load(&self) -> BoxFuture<'_, Result<Option<Stored>, StoreError>> {
        self.count(|numbers| &mut numbers.loads, self.store.load())
            .boxed()
    }

    fn save<'a>(
        &'a self,
        bytes: Bytes,
        expected: Option<&'a str>,
    ) -> BoxFuture<'a, Result<String, StoreError>> {
        self.save_and_note(bytes, expected).boxed()
    }

    fn describe(&self) -> String {
        self.store.describe()
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;
    use futures::future::ready;

    use super::*;
    use crate::state_store::Slot;

    /// Fails in one way.
    struct Failing(fn(anyhow::Error) -> StoreError);

    impl StateStore for Failing {
        fn load(&self) -> BoxFuture<'_, Result<Option<Stored>, StoreError>> {
            ready(Err((self.0)(anyhow!("so be it")))).boxed()
        }

        fn save<'a>(
            &'a self,
            _: Bytes,
            _: Option<&'a str>,
        ) -> BoxFuture<'a, Result<String, StoreError>> {
            ready(Err((self.0)(anyhow!("so be it")))).boxed()
        }

        fn describe(&self) -> String {
            "nowhere".to_owned()
        }
    }

    /// A store that counts, at 1,000 ms since the epoch.
    fn counted(store: impl StateStore + 'static) -> (Counted, Numbers) {
        let numbers = Numbers::of("memory");
        let clock = Clock::new(|| 1_000);
        let counted = Counted::new(Arc::new(store), numbers.clone(), clock);
        (counted, numbers)
    }

    /// The counts, without the time that they took.
    fn counts(calls: &Calls) -> [u64; 6] {
        let Calls {
            attempted,
            succeeded,
            conflict,
            unavailable,
            corrupt,
            invalid,
            ..
        } = *calls;
        [
            attempted,
            succeeded,
            conflict,
            unavailable,
            corrupt,
            invalid,
        ]
    }

    #[tokio::test]
    async fn saves_and_loads_are_counted_with_the_size_and_time_of_the_last_save() {
        let (store, numbers) = counted(Slot::in_memory());
        assert_eq!(numbers.read().saved_at_ms, 0);
        store.load().await.unwrap();
        let first = store.save("{}".into(), None).await.unwrap();
        store.save("{ }".into(), Some(&first)).await.unwrap();
        store.save("{  }".into(), Some(&first)).await.unwrap_err();
        let read = numbers.read();
        assert_eq!(counts(&read.saves), [3, 2, 1, 0, 0, 0]);
        assert_eq!(counts(&read.loads), [1, 1, 0, 0, 0, 0]);
        assert_eq!((read.saved_bytes, read.saved_at_ms), (3, 1_000));
        assert_eq!(read.store, "memory");
    }

    #[tokio::test]
    async fn failures_are_counted_by_what_the_caller_can_do() {
        type Kind = fn(anyhow::Error) -> StoreError;
        let rows: [(Kind, [u64; 6]); 4] = [
            (StoreError::Conflict, [1, 0, 1, 0, 0, 0]),
            (StoreError::Unavailable, [1, 0, 0, 1, 0, 0]),
            (StoreError::Corrupt, [1, 0, 0, 0, 1, 0]),
            (StoreError::Invalid, [1, 0, 0, 0, 0, 1]),
        ];
        for (kind, expected) in rows {
            let (store, numbers) = counted(Failing(kind));
            store.load().await.unwrap_err();
            store.save("{}".into(), None).await.unwrap_err();
            let read = numbers.read();
            assert_eq!(counts(&read.loads), expected);
            assert_eq!(counts(&read.saves), expected);
            assert_eq!((read.saved_bytes, read.saved_at_ms), (0, 0));
        }
    }

    #[tokio::test]
    async fn a_call_that_is_under_way_or_dropped_is_attempted_only() {
        let (store, numbers) = counted(Slot::in_memory());
        let save = store.count::<String>(|all| &mut all.saves, std::future::pending().boxed());
        assert!(save.now_or_never().is_none());
        assert_eq!(counts(&numbers.read().saves), [1, 0, 0, 0, 0, 0]);
    }
}
