//! What can be done with states, over a store in memory: every effect, and every refusal
//! with what it leaves.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::*;
use crate::state_store::envelope::tests::SAMPLE;
use crate::state_store::{LeaseTerms, Listed, MemoryRecords, Records, StateStore as _};

const MONTH: Duration = Duration::from_secs(30 * 86_400);

/// A store that can be told to fail.
#[derive(Default)]
struct Store {
    records: MemoryRecords,
    /// Gives back other states than were saved.
    twists: AtomicBool,
    /// Can not remove states.
    keeps: AtomicBool,
    /// Gives no answer to the next save of a state, which takes effect or does not.
    loses_answer: Mutex<Option<Effect>>,
    /// Gives no answer to a load of a state after a save.
    falls_silent: AtomicBool,
}

#[derive(Clone, Copy, PartialEq)]
enum Effect {
    Saved,
    NotSaved,
}

impl Records for Store {
    fn load<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
        let twists = self.twists.load(Ordering::Relaxed) && !name.ends_with(".lease");
        let silent = self.falls_silent.load(Ordering::Relaxed) && !name.ends_with(".lease");
        async move {
            let loaded = self.records.load(name).await?;
            if silent && loaded.is_some() {
                return Err(down());
            }
            Ok(loaded.map(|stored| match twists {
                true => Stored {
                    bytes: "{}".into(),
                    ..stored
                },
                false => stored,
            }))
        }
        .boxed()
    }

    fn save<'a>(
        &'a self,
        name: &'a str,
        bytes: Bytes,
        expected: Option<&'a str>,
    ) -> BoxFuture<'a, Result<String, StoreError>> {
        let lost = match name.ends_with(".lease") {
            true => None,
            false => self.loses_answer.lock().unwrap().take(),
        };
        async move {
            if lost != Some(Effect::NotSaved) {
                let revision = self.records.save(name, bytes, expected).await?;
                if lost.is_none() {
                    return Ok(revision);
                }
            }
            Err(down())
        }
        .boxed()
    }

    fn remove<'a>(
        &'a self,
        name: &'a str,
        expected: &'a str,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        match self.keeps.load(Ordering::Relaxed) && !name.ends_with(".lease") {
            true => async { Err(down()) }.boxed(),
            false => self.records.remove(name, expected),
        }
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
        format!("state {name} in {:p}", &self.records)
    }
}

fn down() -> StoreError {
    StoreError::Unavailable(anyhow!("down"))
}

impl Store {
    /// As another process has it.
    fn states(self: &Arc<Self>) -> States {
        let terms = LeaseTerms {
            time: Duration::from_secs(30),
            request: Duration::ZERO,
        };
        let records: Arc<dyn Records> = Arc::clone(self) as _;
        States::shared(records, terms)
    }

    /// A manager whose own state is `own`, beside the configured `other`.
    fn manager(self: &Arc<Self>) -> StateManager {
        let owner = Owner {
            state_id: "own".to_owned(),
            connector_id: 1,
            index: "logs-*".to_owned(),
            slice: Slice::WHOLE,
            url: "http://localhost:9200".parse().unwrap(),
        };
        let now = "2026-03-01T00:00:00Z".parse::<chrono::DateTime<chrono::Utc>>();
        let now_ms = u64::try_from(now.unwrap().timestamp_millis()).unwrap();
        let configured = ["other".to_owned()];
        StateManager::new(self.states(), owner, configured, Clock::new(move || now_ms))
    }

    async fn save(&self, id: &str, document: impl Into<Bytes>) {
        self.records.save(id, document.into(), None).await.unwrap();
    }

    async fn text(&self, id: &str) -> Option<String> {
        let stored = self.records.load(id).await.unwrap()?;
        Some(String::from_utf8(stored.bytes.to_vec()).unwrap())
    }

    async fn json(&self, id: &str) -> Value {
        serde_json::from_str(&self.text(id).await.unwrap()).unwrap()
    }
}

fn saved(id: &str, last_updated: &str) -> String {
    json!({
        "id": id, "last_updated": last_updated, "version": 1,
        "data": {"total_documents_fetched": 7},
        "metadata": {"index": "logs-*", "url": "http://localhost:9200/"},
    })
    .to_string()
}

fn own() -> String {
    saved("own", "2026-01-01T00:00:00Z")
}

async fn fit(_document: Bytes) -> anyhow::Result<()> {
    Ok(())
}

async fn unfit(_document: Bytes) -> anyhow::Result<()> {
    Err(anyhow!("query is another one"))
}

fn assert_says<T>(what: &str, result: Result<T, StoreError>, parts: &[&str]) {
    let Err(error) = result else {
        panic!("{what} was done");
    };
    let said = error.to_string();
    for part in parts {
        assert!(said.contains(part), "{what}: {part:?} is missing: {said}");
    }
}

#[tokio::test]
async fn an_export_is_the_document_byte_for_byte_if_it_could_be_restored() {
    let document = format!(" {}\n", own());
    let rows = [
        (None, Ok(None)),
        (Some(document.as_str()), Ok(Some(document.as_str()))),
        (Some("{\"id\":"), Err("no readable state")),
        (
            Some(r#"{"id":"x","version":1,"data":{}}"#),
            Err("its id is \"x\""),
        ),
    ];
    for (stored, expected) in rows {
        let store = Arc::new(Store::default());
        if let Some(stored) = stored {
            store.save("own", stored.to_owned()).await;
        }
        let manager = store.manager();
        let readable = matches!(expected, Ok(Some(_)));
        assert_eq!(manager.has_state().await.unwrap(), readable);
        match (manager.export().await, expected) {
            (Ok(exported), Ok(expected)) => {
                assert_eq!(exported.as_deref(), expected.map(str::as_bytes))
            }
            (exported, Err(part)) => assert_says("export", exported, &[part]),
            (Err(error), Ok(_)) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn the_sample_of_the_reference_becomes_the_own_state_with_all_that_it_says() {
    let store = Arc::new(Store::default());
    let sample = SAMPLE.replacen("\"id\"", "\"note\": [1.10],\n  \"id\"", 1);
    let (manager, how) = (store.manager(), Import::default());
    let imported = manager.import(sample.as_bytes(), how, fit).await.unwrap();
    assert_eq!(
        (imported.id.as_str(), imported.replaced),
        ("elasticsearch_logs_connector", false)
    );
    let (stored, sample) = (
        store.text("own").await.unwrap(),
        Envelope::read(sample.as_bytes()),
    );
    let envelope = Envelope::of(stored.as_bytes(), "own", "x").unwrap();
    assert_eq!(envelope.data(), sample.unwrap().data());
    assert_eq!(envelope.last_updated(), Some("2026-03-01T00:00:00Z"));
    assert!(stored.contains("\"note\": [1.10]"), "{stored}");
    assert_eq!(store.text("own.lease").await, None);
}

#[tokio::test]
async fn an_import_that_is_refused_names_the_reason_and_leaves_what_was_there() {
    let other = |from: &str, to: &str| own().replace(from, to);
    let (replace, force) = (
        Import {
            replace: true,
            force: false,
        },
        Import {
            replace: true,
            force: true,
        },
    );
    let rows = [
        ("cut off", own()[..40].to_owned(), force, "no complete json"),
        ("no state", "{}".to_owned(), force, "it has no \"id\""),
        (
            "no data",
            other("\"data\"", "\"date\""),
            force,
            "it has no \"data\"",
        ),
        (
            "another index",
            other("logs-*", "audit"),
            replace,
            "its index is \"audit\" and not \"logs-*\"",
        ),
        (
            "another cluster",
            other("localhost", "elsewhere"),
            replace,
            "its url is \"http://elsewhere:9200\" and not \"http://localhost:9200\"",
        ),
        (
            "of nobody",
            other("\"url\"", "\"uri\""),
            replace,
            "it does not say its url",
        ),
        ("over a state", own(), Import::default(), "already"),
    ];
    for (what, document, how, part) in rows {
        let store = Arc::new(Store::default());
        store.save("own", own()).await;
        let imported = store.manager().import(document.as_bytes(), how, fit).await;
        assert_says(what, imported, &[part]);
        assert_eq!(store.text("own").await, Some(own()), "{what}");
    }
    for how in [replace, force] {
        let store = Arc::new(Store::default());
        let imported = store.manager().import(own().as_bytes(), how, unfit).await;
        assert_says(
            "unfit",
            imported,
            &["would not go on", "query is another one"],
        );
        assert_eq!(store.text("own").await, None);
    }
}

#[tokio::test]
async fn a_forced_import_may_name_another_index_and_cluster_and_then_says_the_own() {
    let store = Arc::new(Store::default());
    store.save("own", "{").await;
    let document = own()
        .replace("logs-*", "audit")
        .replace("localhost", "elsewhere");
    let how = Import {
        replace: true,
        force: true,
    };
    let imported = store
        .manager()
        .import(document.as_bytes(), how, fit)
        .await
        .unwrap();
    assert!(!imported.replaced && imported.broken.is_some());
    assert_eq!(store.text("own.broken").await.as_deref(), Some("{"));
    let metadata = &store.json("own").await["metadata"];
    assert_eq!(
        (&metadata["index"], &metadata["url"]),
        (&json!("logs-*"), &json!("http://localhost:9200"))
    );
}

#[tokio::test]
async fn what_is_no_readable_state_makes_way_for_a_forced_import_only_and_after_the_trial() {
    let (replace, force) = (true, true);
    let store = Arc::new(Store::default());
    store.save("own", "{").await;
    let (manager, document) = (store.manager(), own());
    let unforced = Import {
        replace,
        force: false,
    };
    let imported = manager.import(document.as_bytes(), unforced, fit).await;
    assert_says(
        "unforced",
        imported,
        &["no complete json", "state import --force"],
    );
    let how = Import { replace, force };
    let imported = manager.import(document.as_bytes(), how, unfit).await;
    assert_says("unfit", imported, &["would not go on"]);
    assert_eq!(store.text("own").await.as_deref(), Some("{"));
    assert_eq!(store.text("own.broken").await, None);
}

#[tokio::test]
async fn the_component_tries_the_very_document_that_is_saved() {
    let store = Arc::new(Store::default());
    let (tried, seen) = tokio::sync::oneshot::channel();
    let trial =
        |document: Bytes| async move { tried.send(document).map_err(|_| anyhow!("nobody looks")) };
    store
        .manager()
        .import(
            SAMPLE.as_bytes(),
            Import {
                force: true,
                ..Import::default()
            },
            trial,
        )
        .await
        .unwrap();
    assert_eq!(seen.await.unwrap(), store.text("own").await.unwrap());
}

#[tokio::test]
async fn a_reset_removes_the_state_and_sets_aside_what_is_none() {
    let rows = [
        (own(), None),
        ("{".to_owned(), Some("no complete json")),
        (
            saved("other", "2026-01-01T00:00:00Z"),
            Some("its id is \"other\""),
        ),
    ];
    for (document, why) in rows {
        let store = Arc::new(Store::default());
        store.save("own", document.clone()).await;
        let broken = store.manager().reset().await.unwrap();
        let expected = why.map(|_| document);
        assert_eq!(store.text("own.broken").await, expected);
        match (broken, why) {
            (None, None) => {}
            (Some(broken), Some(why)) => {
                assert!(broken.error.contains(why), "{broken:?}");
                assert!(
                    broken.to_string().contains("kept as state own.broken"),
                    "{broken}"
                );
            }
            (broken, _) => panic!("{broken:?}"),
        }
        assert_eq!(
            (store.text("own").await, store.text("own.lease").await),
            (None, None)
        );
        assert_says(
            "nothing to reset",
            store.manager().reset().await,
            &["there is no state own"],
        );
    }
}

/// Time passes by itself: whoever wants a lease watches it for a while.
#[tokio::test(start_paused = true)]
async fn nothing_that_a_process_holds_is_changed_and_the_process_is_named() {
    let (here, there) = (Arc::new(Store::default()), Arc::new(Store::default()));
    here.save("own", own()).await;
    let held = here.states().hold("own", OnConflict::Stop).await.unwrap();
    let process = format!("held by process {} on ", std::process::id());
    let (manager, other) = (here.manager(), there.manager());
    let how = Import {
        replace: true,
        force: true,
    };
    assert_says(
        "import",
        manager.import(own().as_bytes(), how, fit).await,
        &[&process],
    );
    assert_says("reset", manager.reset().await, &[&process]);
    assert_says(
        "migrate from",
        manager.migrate(&other, fit).await,
        &[&process],
    );
    there.save("own", own()).await;
    assert_says(
        "migrate to",
        other.migrate(&manager, fit).await,
        &[&process],
    );
    for store in [&here, &there] {
        assert_eq!(store.text("own").await, Some(own()));
    }
    assert_eq!(manager.export().await.unwrap().unwrap(), own());
    held.release().await;
    manager.reset().await.unwrap();
}

/// `own` and `other` are configured, `held` is held; all but one are old.
async fn crowd() -> (Arc<Store>, Held) {
    let store = Arc::new(Store::default());
    for id in ["own", "other", "held", "old", "older"] {
        store.save(id, saved(id, "2025-01-01T00:00:00Z")).await;
    }
    store.save("broken", "{").await;
    store
        .save("dateless", r#"{"id":"dateless","version":1,"data":{}}"#)
        .await;
    store
        .save("future", saved("future", "2027-01-01T00:00:00Z"))
        .await;
    store
        .save("young", saved("young", "2026-02-28T00:00:00Z"))
        .await;
    let held = store.states().hold("held", OnConflict::Stop).await.unwrap();
    (store, held)
}

#[tokio::test]
async fn all_states_are_listed_the_unreadable_with_their_error() {
    let (store, _held) = crowd().await;
    let entries = store.manager().list().await.unwrap();
    let ids: Vec<_> = entries.iter().map(|entry| entry.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "broken", "dateless", "future", "held", "old", "older", "other", "own", "young"
        ]
    );
    let of = |id: &str| entries.iter().find(|entry| entry.id == id).unwrap();
    let own = of("own");
    assert_eq!(
        (
            own.last_updated.as_deref(),
            own.version,
            own.bytes,
            own.documents,
            own.configured
        ),
        (
            Some("2025-01-01T00:00:00Z"),
            Some(1),
            Some(saved("own", "2025-01-01T00:00:00Z").len() as u64),
            Some(7),
            true
        )
    );
    assert!(of("other").configured && !of("old").configured);
    assert!(of("held").holder.as_ref().unwrap().contains("process ") && own.holder.is_none());
    let broken = of("broken");
    assert!(broken.error.as_ref().unwrap().contains("state broken") && broken.version.is_none());
    assert_eq!(
        (
            of("dateless").last_updated.as_deref(),
            of("dateless").documents
        ),
        (None, None)
    );
    let stats = StateStats::of(&entries);
    assert_eq!(stats, store.manager().stats().await.unwrap());
    assert_eq!(
        (stats.total_states, stats.leased, stats.unreadable),
        (9, 1, 1)
    );
    assert_eq!(
        stats.total_bytes,
        entries.iter().filter_map(|entry| entry.bytes).sum::<u64>()
    );
    assert_eq!(stats.oldest.as_deref(), Some("2025-01-01T00:00:00Z"));
    assert_eq!(stats.newest.as_deref(), Some("2027-01-01T00:00:00Z"));
}

#[tokio::test(start_paused = true)]
async fn a_cleanup_removes_the_state_of_a_process_that_was_killed() {
    let (store, _held) = crowd().await;
    let killed = store.states().hold("old", OnConflict::Stop).await.unwrap();
    killed.keeper.unwrap().abort();
    assert!(store.text("old.lease").await.is_some());
    let cleaned = store.manager().cleanup(MONTH).await.unwrap();
    assert_eq!(cleaned.deleted, ["old", "older"]);
    assert_eq!(store.text("old.lease").await, None);
}

#[tokio::test(start_paused = true)]
async fn a_cleanup_removes_what_is_old_and_nobodys_and_says_why_it_kept_the_rest() {
    let (store, held) = crowd().await;
    let cleaned = store.manager().cleanup(MONTH).await.unwrap();
    assert_eq!(cleaned.deleted, ["old", "older"]);
    let rows = [
        ("broken", "no readable state"),
        ("dateless", "does not say when"),
        ("future", "in the future"),
        ("held", "held by process"),
        ("other", "configured"),
        ("own", "configured"),
        ("young", "not that long ago"),
    ];
    assert_eq!(cleaned.kept.len(), rows.len(), "{cleaned:?}");
    for (kept, (id, why)) in cleaned.kept.iter().zip(rows) {
        assert!(kept.id == id && kept.why.contains(why), "{kept:?}");
        assert!(store.text(id).await.is_some(), "{id}");
    }
    assert_eq!(
        (store.text("old").await, store.text("old.lease").await),
        (None, None)
    );
    held.release().await;
    assert_eq!(
        store.manager().cleanup(MONTH).await.unwrap().deleted,
        ["held"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_state_that_is_saved_or_taken_after_it_was_listed_stays() {
    for (taken, why) in [(false, "not that long ago"), (true, "held by process")] {
        let (store, _held) = crowd().await;
        let manager = store.manager();
        let entries = manager.list().await.unwrap();
        let old = entries.iter().find(|entry| entry.id == "old").unwrap();
        let by_another = store.states().hold("old", OnConflict::Stop).await.unwrap();
        let stored = by_another.slot.load().await.unwrap().unwrap();
        let young = saved("old", "2026-02-28T00:00:00Z");
        if !taken {
            by_another
                .slot
                .save(young.into(), Some(&stored.revision))
                .await
                .unwrap();
            by_another.release().await;
        }
        let kept = manager.clean(old, MONTH).await.unwrap_err();
        assert!(kept.contains(why), "{kept}");
        assert!(store.text("old").await.is_some());
    }
}

#[tokio::test]
async fn a_state_moves_with_its_data_and_is_in_one_place_afterwards() {
    let (here, there) = (Arc::new(Store::default()), Arc::new(Store::default()));
    here.save("own", own()).await;
    here.manager().migrate(&there.manager(), fit).await.unwrap();
    assert_eq!(
        there.json("own").await["data"],
        json!({"total_documents_fetched": 7})
    );
    for (store, id) in [(&here, "own"), (&here, "own.lease"), (&there, "own.lease")] {
        assert_eq!(store.text(id).await, None, "{id}");
    }
}

#[tokio::test]
async fn a_move_that_is_refused_leaves_the_state_where_it_was() {
    let elsewhere = own().replace("localhost", "elsewhere");
    let rows = [
        ("nothing to move", None, None, "there is no state own"),
        (
            "unreadable",
            Some("{".to_owned()),
            None,
            "no state document",
        ),
        ("of another source", Some(elsewhere), None, "its url is"),
        ("one is there", Some(own()), Some(own()), "already"),
    ];
    for (what, stored, other, part) in rows {
        let (here, there) = (Arc::new(Store::default()), Arc::new(Store::default()));
        for (store, stored) in [(&here, &stored), (&there, &other)] {
            if let Some(stored) = stored {
                store.save("own", stored.clone()).await;
            }
        }
        let moved = here.manager().migrate(&there.manager(), fit).await;
        assert_says(what, moved, &[part]);
        assert_eq!(
            (here.text("own").await, there.text("own").await),
            (stored, other),
            "{what}"
        );
    }
    let (here, there) = (Arc::new(Store::default()), Arc::new(Store::default()));
    here.save("own", own()).await;
    assert_says(
        "to itself",
        here.manager().migrate(&here.manager(), fit).await,
        &["both configurations"],
    );
    let moved = here.manager().migrate(&there.manager(), unfit).await;
    assert_says("unfit", moved, &["would not go on"]);
    assert_eq!(
        (here.text("own").await, there.text("own").await),
        (Some(own()), None)
    );
}

#[tokio::test]
async fn a_state_that_did_not_arrive_stays_and_one_that_could_not_be_removed_is_told() {
    let (here, there) = (Arc::new(Store::default()), Arc::new(Store::default()));
    here.save("own", own()).await;
    there.twists.store(true, Ordering::Relaxed);
    let moved = here.manager().migrate(&there.manager(), fit).await;
    assert_says(
        "twisted",
        moved,
        &["gave back something else", "stays in state own"],
    );
    assert_eq!(here.text("own").await, Some(own()));
    let there = Arc::new(Store::default());
    here.keeps.store(true, Ordering::Relaxed);
    let moved = here.manager().migrate(&there.manager(), fit).await;
    assert_says(
        "kept",
        moved,
        &["could not be removed", "(down)", "reset one of them"],
    );
}

#[tokio::test]
async fn a_move_whose_outcome_nobody_knows_says_that_the_state_may_be_in_both_places() {
    fn lost(store: &Store, effect: Effect) {
        *store.loses_answer.lock().unwrap() = Some(effect);
    }
    type Trouble = fn(&Store);
    let rows: [(&str, Trouble, bool); 3] = [
        ("saved", |store| lost(store, Effect::Saved), true),
        ("not saved", |store| lost(store, Effect::NotSaved), false),
        (
            "not read back",
            |store| store.falls_silent.store(true, Ordering::Relaxed),
            true,
        ),
    ];
    for (what, trouble, arrived) in rows {
        let (here, there) = (Arc::new(Store::default()), Arc::new(Store::default()));
        here.save("own", own()).await;
        trouble(&there);
        let moved = here.manager().migrate(&there.manager(), fit).await;
        assert_says(
            what,
            moved,
            &[
                "still in state own",
                "may be in state own",
                "reset it there",
            ],
        );
        assert_eq!(here.text("own").await, Some(own()), "{what}");
        assert_eq!(there.text("own").await.is_some(), arrived, "{what}");
        there.falls_silent.store(false, Ordering::Relaxed);
        if arrived {
            there.manager().reset().await.unwrap();
        }
        here.manager().migrate(&there.manager(), fit).await.unwrap();
        assert_eq!(here.text("own").await, None, "{what}");
    }
}
