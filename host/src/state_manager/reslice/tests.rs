//! The number of slices changes, over a store in memory that is cut off at every write.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::*;
use crate::clock::Clock;
use crate::state_store::envelope::Owner;
use crate::state_store::{LeaseTerms, Listed, MemoryRecords, OnConflict, Records, States};

/// A store that takes so many writes and is then away; the last of them takes effect or not.
struct Store {
    records: MemoryRecords,
    writes: AtomicUsize,
    takes_effect: bool,
}

const UNLIMITED: usize = usize::MAX / 2;

impl Store {
    fn new(writes: usize, takes_effect: bool) -> Arc<Self> {
        Arc::new(Self {
            records: MemoryRecords::default(),
            writes: AtomicUsize::new(writes),
            takes_effect,
        })
    }

    /// Whether a write takes effect, and whether it is answered. Leases always are.
    fn write(&self, name: &str) -> (bool, bool) {
        if name.ends_with(".lease") {
            return (true, true);
        }
        let count = |writes: usize| Some(writes.saturating_sub(1));
        match self
            .writes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, count)
        {
            Ok(0) | Err(_) => (false, false),
            Ok(1) => (self.takes_effect, false),
            Ok(_) => (true, true),
        }
    }

    fn states(self: &Arc<Self>) -> States {
        let terms = LeaseTerms {
            time: Duration::from_secs(30),
            request: Duration::ZERO,
        };
        States::shared(Arc::clone(self) as _, terms)
    }

    fn manager(self: &Arc<Self>, slice: Slice) -> StateManager {
        let owner = Owner {
            state_id: slice.state_id("own"),
            connector_id: 1,
            index: "logs-*".to_owned(),
            slice,
            url: "http://localhost:9200".parse().unwrap(),
        };
        StateManager::new(self.states(), owner, [], Clock::new(|| 0))
    }

    fn managers(self: &Arc<Self>, of: u32) -> Vec<StateManager> {
        Slice::all(of).map(|slice| self.manager(slice)).collect()
    }

    /// As processes leave it that have begun to read in so many slices.
    async fn begun(self: &Arc<Self>, of: u32) {
        for slice in Slice::all(of) {
            self.states().claim("own", slice).await.unwrap();
            let document = json!({
                "id": slice.state_id("own"), "version": 2, "data": {"read": slice.to_string()},
                "metadata": {"index": "logs-*", "url": "http://localhost:9200", "slice": slice.to_string()},
            });
            let name = slice.state_id("own");
            let saved = self.records.save(&name, document.to_string().into(), None);
            saved.await.unwrap();
        }
    }

    async fn change(self: &Arc<Self>, before: u32, after: u32) -> Result<(), StoreError> {
        let (before, after) = (self.managers(before), self.managers(after));
        StateManager::reslice(&before, &after, &Fake).await
    }

    async fn names(&self) -> BTreeSet<String> {
        let listed = self.records.list().await.unwrap();
        listed.into_iter().map(|listed| listed.name).collect()
    }

    async fn json(&self, name: &str) -> Value {
        let stored = self.records.load(name).await.unwrap();
        serde_json::from_slice(&stored.unwrap().bytes).unwrap()
    }

    /// Which of these numbers of slices may be read.
    async fn readable(self: &Arc<Self>, numbers: [u32; 2]) -> Vec<u32> {
        let mut readable = Vec::new();
        for of in numbers {
            let slice = Slice::all(of).last().unwrap();
            let claimed = self.states().claim("own", slice).await;
            readable.extend(claimed.is_ok().then_some(of));
        }
        readable
    }
}

impl Records for Store {
    fn load<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
        self.records.load(name)
    }

    fn save<'a>(
        &'a self,
        name: &'a str,
        bytes: Bytes,
        expected: Option<&'a str>,
    ) -> BoxFuture<'a, Result<String, StoreError>> {
        async move {
            let (takes_effect, is_answered) = self.write(name);
            let revision = match takes_effect {
                true => self.records.save(name, bytes, expected).await?,
                false => String::new(),
            };
            is_answered.then_some(revision).ok_or_else(down)
        }
        .boxed()
    }

    fn remove<'a>(
        &'a self,
        name: &'a str,
        expected: &'a str,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        async move {
            let (takes_effect, is_answered) = self.write(name);
            if takes_effect {
                self.records.remove(name, expected).await?;
            }
            is_answered.then_some(()).ok_or_else(down)
        }
        .boxed()
    }

    fn set_aside<'a>(
        &'a self,
        name: &'a str,
        expected: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Option<String>, StoreError>> {
        self.records.set_aside(name, expected)
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Listed>, StoreError>> {
        self.records.list()
    }

    fn describe(&self, name: &str) -> String {
        format!("state {name}")
    }
}

fn down() -> StoreError {
    StoreError::Unavailable(anyhow!("down"))
}

/// Says what it was given.
struct Fake;

impl Resliced for Fake {
    async fn divide(&self, before: &[Saved], slice: Slice) -> anyhow::Result<Saved> {
        let before = before
            .iter()
            .map(|saved| (saved.version, String::from_utf8_lossy(&saved.data)));
        let before: Vec<_> = before.collect();
        let data = json!({"read": slice.to_string(), "before": before}).to_string();
        Ok(Saved {
            data: data.into_bytes(),
            version: 3,
        })
    }

    async fn try_out(&self, document: Bytes, slice: Slice) -> anyhow::Result<()> {
        let text = String::from_utf8_lossy(&document).replace(' ', "");
        anyhow::ensure!(text.contains(&format!("\"read\":\"{slice}\"")), "{text}");
        Ok(())
    }
}

/// The states of so many slices, made of those of before, and nothing else.
async fn assert_changed(store: &Store, before: u32, after: u32) {
    let names = Slice::all(after).map(|slice| slice.state_id("own"));
    assert_eq!(store.names().await, names.collect());
    let all: Vec<_> = Slice::all(before)
        .map(|slice| json!([2, format!("{{\"read\":\"{slice}\"}}")]))
        .collect();
    for slice in Slice::all(after) {
        let state = store.json(&slice.state_id("own")).await;
        assert_eq!(state["data"]["before"], json!(all), "{slice}");
        let shown = slice.is_part().then(|| slice.to_string());
        assert_eq!(state["metadata"]["slice"], json!(shown));
    }
    assert_eq!(store.json("own.slices").await, json!({"slices": after}));
}

#[tokio::test(start_paused = true)]
async fn a_change_that_is_cut_off_at_any_write_and_done_again_is_done_once() {
    for (before, after) in [(1, 3), (3, 2), (3, 1), (2, 4)] {
        for takes_effect in [false, true] {
            let mut cut_off = 0;
            for writes in 1.. {
                let store = Store::new(UNLIMITED, takes_effect);
                store.begun(before).await;
                store.writes.store(writes, Ordering::Relaxed);
                let done = store.change(before, after).await;
                store.writes.store(UNLIMITED, Ordering::Relaxed);
                let what = format!("{before} to {after}, write {writes}, {takes_effect}: {done:?}");
                let readable = store.readable([before, after]).await;
                let [counts] = readable[..] else {
                    panic!("{what}: {readable:?}")
                };
                let names = store.names().await;
                let whole = Slice::all(counts).all(|slice| names.contains(&slice.state_id("own")));
                assert!(whole, "{what}: {names:?}");
                if done.is_ok() {
                    break;
                }
                cut_off += 1;
                let again = store.change(before, after).await;
                assert!(
                    again.is_ok() || names.len() == after as usize,
                    "{what}: {again:?}"
                );
                assert_changed(&store, before, after).await;
            }
            assert!(cut_off as u32 > 2 * before + after, "{cut_off}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_cut_off_change_left_is_replaced_by_what_the_states_are_by_then() {
    let store = Store::new(UNLIMITED, true);
    store.begun(2).await;
    let left = json!({"id": "own.0-of-3", "version": 1, "data": {}}).to_string();
    store
        .records
        .save("own.0-of-3", left.into(), None)
        .await
        .unwrap();
    store.change(2, 3).await.unwrap();
    assert_changed(&store, 2, 3).await;
}

#[tokio::test(start_paused = true)]
async fn a_change_that_is_refused_leaves_everything_as_it_was() {
    let store = Store::new(UNLIMITED, true);
    store.begun(3).await;
    let before = store.names().await;
    let running = store
        .states()
        .hold("own.1-of-3", OnConflict::Stop)
        .await
        .unwrap();
    let refused = store.change(3, 2).await.unwrap_err().to_string();
    assert!(refused.contains("stop that process"), "{refused}");
    running.release().await;
    let refused = store.change(4, 2).await.unwrap_err().to_string();
    let parts = ["in 3 slices", "own.slices", "slice = \"0/4\""];
    assert!(parts.iter().all(|part| refused.contains(part)), "{refused}");
    let stored = store.records.load("own.2-of-3").await.unwrap().unwrap();
    store
        .records
        .remove("own.2-of-3", &stored.revision)
        .await
        .unwrap();
    let refused = store.change(3, 2).await.unwrap_err().to_string();
    assert!(
        refused.contains("there is no state own.2-of-3"),
        "{refused}"
    );
    let strange = String::from_utf8_lossy(&stored.bytes).replace("logs-*", "audit");
    store
        .records
        .save("own.2-of-3", strange.into(), None)
        .await
        .unwrap();
    let refused = store.change(3, 2).await.unwrap_err().to_string();
    assert!(refused.contains("its index is \"audit\""), "{refused}");
    assert_eq!(store.names().await, before);
    assert_eq!(store.readable([3, 2]).await, [3]);
}

#[tokio::test(start_paused = true)]
async fn another_number_begins_only_when_no_state_is_left() {
    let store = Store::new(UNLIMITED, true);
    store.begun(2).await;
    assert_eq!(store.readable([2, 1]).await, [2]);
    for manager in store.managers(2) {
        assert_eq!(store.readable([2, 1]).await, [2]);
        manager.reset().await.unwrap();
    }
    assert_eq!(store.names().await, BTreeSet::new());
    assert_eq!(store.readable([3, 2]).await, [3], "the first one that asks");
    let left = store.manager(Slice::parse("2/3").unwrap());
    left.reset().await.unwrap();
    assert_eq!(store.readable([2, 3]).await, [2]);
    store.begun(2).await;
    let import = store.managers(3).remove(0);
    let document = store.json("own.0-of-2").await.to_string();
    let imported = import.import(
        document.as_bytes(),
        super::super::Import::default(),
        |_| async { Ok(()) },
    );
    let refused = imported.await.unwrap_err().to_string();
    assert!(refused.contains("in 2 slices"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn the_first_process_says_how_many_there_are_and_one_that_read_all_counts_as_one() {
    let store = Store::new(UNLIMITED, true);
    assert_eq!(store.readable([1, 3]).await, [1, 3], "nothing is read yet");
    assert_eq!(store.readable([1, 3]).await, [3]);
    let store = Store::new(UNLIMITED, true);
    store.begun(1).await;
    assert_eq!(store.readable([3, 1]).await, [1]);
}
