//! What every place for states must do, as one suite that every backend runs.
//!
//! A backend implements [`backends::Backend`] and adds one line of `state_store_contract!`
//! below; every case is then a test of its own, named after the backend and the case.
//! Records are JSON objects here, as one of the backends takes nothing else.

mod backends;
mod broken;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use elasticsearch_source::mini_elasticsearch::Product;
use elasticsearch_source::state_store::envelope::Envelope;
use elasticsearch_source::state_store::{
    Held, OnConflict, Records, Refusal, STATE_MAX, Slot, StateStore, StoreError,
};
use futures::FutureExt as _;

use backends::{Backend, Clusters, Files, Redis};
use broken::{
    a_damaged_state_can_be_held_reset_and_replaced,
    what_is_set_aside_is_what_was_found_and_makes_way,
};

/// One test of one backend; the attributes say what it needs.
macro_rules! case {
    ([$($attribute:meta),*], $case:ident, $new:expr) => {
        $(#[$attribute])*
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            let backend = $new;
            let outcome = AssertUnwindSafe(super::$case(&backend)).catch_unwind().await;
            backend.clean().await;
            if let Err(panic) = outcome {
                std::panic::resume_unwind(panic);
            }
        }
    };
}

macro_rules! cases {
    ($backend:ident, $needs:tt, $new:expr, $($case:ident,)+) => {
        mod $backend {
            use super::*;

            $(case!($needs, $case, $new);)+
        }
    };
}

macro_rules! state_store_contract {
    ($backend:ident, $needs:tt, $new:expr) => {
        cases!(
            $backend,
            $needs,
            $new,
            an_empty_store_has_no_state,
            what_was_saved_is_loaded,
            a_save_replaces_the_state_and_its_revision,
            a_save_on_a_stale_revision_is_a_conflict,
            a_save_that_expects_no_state_meets_one,
            a_save_that_expects_a_state_meets_none,
            the_same_save_again_is_a_success,
            a_state_survives_its_store,
            five_megabytes_pass,
            nothing_and_too_much_are_refused,
            concurrent_writers_lose_nothing,
            states_of_different_names_never_meet,
            hostile_names_are_refused,
            a_damaged_state_is_an_error_and_is_left_alone,
            what_is_set_aside_is_what_was_found_and_makes_way,
            a_damaged_state_can_be_held_reset_and_replaced,
            an_unwritable_place_is_found_at_open,
            a_removed_state_is_gone_and_its_revision_with_it,
            states_are_listed_without_their_leases,
            a_second_holder_is_refused_until_the_first_is_gone,
            whoever_stands_by_gets_the_state_when_it_is_free,
        );
    };
}

mod leases;
mod servers;

state_store_contract!(file, [], Files::new());
state_store_contract!(
    elasticsearch_in_process,
    [],
    Clusters::in_process(Product::Elasticsearch)
);
state_store_contract!(
    elasticsearch,
    [cfg_attr(
        not(real_elasticsearch),
        ignore = "needs a real Elasticsearch: see README, \"Tests with real servers\""
    )],
    Clusters::real("ELASTICSEARCH_URL")
);
state_store_contract!(
    opensearch,
    [cfg_attr(
        not(real_opensearch),
        ignore = "needs a real OpenSearch: see README, \"Tests with real servers\""
    )],
    Clusters::real("OPENSEARCH_URL")
);
state_store_contract!(
    redis,
    [cfg_attr(
        not(real_redis),
        ignore = "needs a real Redis: see README, \"Tests with real servers\""
    )],
    Redis::real()
);
/// A state that says this.
fn state(text: &str) -> Bytes {
    Bytes::from(serde_json::json!({ "says": text }).to_string())
}

async fn hold(backend: &impl Backend, state_id: &str) -> Held {
    let states = backend.states().await.unwrap();
    states.hold(state_id, OnConflict::Stop).await.unwrap()
}

/// Gives a state back.
async fn let_go(held: Held) {
    let Held {
        slot,
        permit,
        keeper,
    } = held;
    drop((slot, permit));
    if let Some(keeper) = keeper {
        keeper.await.unwrap();
    }
}

async fn loaded(slot: &Slot) -> Bytes {
    slot.load().await.unwrap().expect("a state").bytes
}

fn assert_conflict<T>(result: Result<T, StoreError>, place: &str) {
    match result {
        Err(StoreError::Conflict(cause)) => {
            assert!(format!("{cause:#}").contains(place), "{cause:#}")
        }
        Err(other) => panic!("no conflict: {other}"),
        Ok(_) => panic!("no conflict but a success"),
    }
}

async fn an_empty_store_has_no_state(backend: &impl Backend) {
    let slot = hold(backend, "id").await.slot;
    assert_eq!(slot.load().await.unwrap(), None);
    assert!(slot.describe().contains("id"));
}

async fn what_was_saved_is_loaded(backend: &impl Backend) {
    let slot = hold(backend, "id").await.slot;
    let pretty = "{\n  \"a\" : 1.0, \"ä\\u00e4\": [1e2, 12345678901234567890],\r\n \"b\": {}\n}";
    let revision = slot.save(Bytes::from(pretty), None).await.unwrap();
    let stored = slot.load().await.unwrap().unwrap();
    assert_eq!((stored.bytes, stored.revision), (pretty.into(), revision));
}

async fn a_save_replaces_the_state_and_its_revision(backend: &impl Backend) {
    let slot = hold(backend, "id").await.slot;
    let first = slot.save(state("a longer first"), None).await.unwrap();
    let second = slot.save(state("second"), Some(&first)).await.unwrap();
    assert_ne!(first, second);
    assert_eq!(loaded(&slot).await, state("second"));
}

async fn a_save_on_a_stale_revision_is_a_conflict(backend: &impl Backend) {
    let slot = hold(backend, "id").await.slot;
    let first = slot.save(state("first"), None).await.unwrap();
    slot.save(state("second"), Some(&first)).await.unwrap();
    for stale in [first.as_str(), "", "-", "no revision at all", "0:1"] {
        let saved = slot.save(state("third"), Some(stale)).await;
        assert_conflict(saved, &slot.describe());
    }
    assert_eq!(loaded(&slot).await, state("second"));
}

async fn a_save_that_expects_no_state_meets_one(backend: &impl Backend) {
    let slot = hold(backend, "id").await.slot;
    slot.save(state("first"), None).await.unwrap();
    assert_conflict(slot.save(state("second"), None).await, &slot.describe());
    assert_eq!(loaded(&slot).await, state("first"));
}

async fn a_save_that_expects_a_state_meets_none(backend: &impl Backend) {
    let (slot, other) = (
        hold(backend, "id").await.slot,
        hold(backend, "other").await.slot,
    );
    let revision = other.save(state("first"), None).await.unwrap();
    for expected in [revision.as_str(), "", "-", "?"] {
        let saved = slot.save(state("second"), Some(expected)).await;
        assert_conflict(saved, &slot.describe());
    }
    assert_eq!(slot.load().await.unwrap(), None);
}

/// The first answer was lost, and the caller expects what was there before.
async fn the_same_save_again_is_a_success(backend: &impl Backend) {
    let slot = hold(backend, "id").await.slot;
    for expected in [None, None] {
        slot.save(state("first"), expected).await.unwrap();
    }
    let first = slot.load().await.unwrap().unwrap().revision;
    slot.save(state("second"), Some(&first)).await.unwrap();
    let again = slot.save(state("second"), Some(&first)).await.unwrap();
    assert_eq!(loaded(&slot).await, state("second"));
    slot.save(state("third"), Some(&again)).await.unwrap();
}

async fn a_state_survives_its_store(backend: &impl Backend) {
    let held = hold(backend, "id").await;
    held.slot.save(state("first"), None).await.unwrap();
    let_go(held).await;
    let slot = hold(backend, "id").await.slot;
    let stored = slot.load().await.unwrap().unwrap();
    assert_eq!(stored.bytes, state("first"));
    let saved = slot.save(state("second"), Some(&stored.revision)).await;
    saved.unwrap();
}

async fn five_megabytes_pass(backend: &impl Backend) {
    let slot = hold(backend, "id").await.slot;
    let letters = ('a'..='z').cycle().take(5_000_000).collect::<String>();
    slot.save(state(&letters), None).await.unwrap();
    assert!(loaded(&slot).await == state(&letters));
}

async fn nothing_and_too_much_are_refused(backend: &impl Backend) {
    let slot = hold(backend, "id").await.slot;
    for refused in [Bytes::new(), vec![b'x'; STATE_MAX + 1].into()] {
        assert!(matches!(
            slot.save(refused, None).await,
            Err(StoreError::Invalid(_))
        ));
    }
    assert_eq!(slot.load().await.unwrap(), None);
}

/// Every writer appends a letter of its own.
async fn concurrent_writers_lose_nothing(backend: &impl Backend) {
    let records = backend.records().await.unwrap();
    records.save("id", state("-"), None).await.unwrap();
    let writers =
        (b'a'..=b'h').map(|letter| tokio::spawn(append(Arc::clone(&records), letter, 10)));
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let stored = records.load("id").await.unwrap().unwrap();
    let mut letters = says(&stored.bytes).into_bytes();
    letters.sort_unstable();
    let expected: Vec<u8> = (b'a'..=b'h').flat_map(|letter| [letter; 10]).collect();
    assert_eq!(&letters[1..], expected);
}

fn says(state: &[u8]) -> String {
    let state: serde_json::Value = serde_json::from_slice(state).unwrap();
    state["says"].as_str().unwrap().to_owned()
}

async fn append(records: Arc<dyn Records>, letter: u8, times: usize) {
    let mut appended = 0;
    while appended < times {
        let stored = records.load("id").await.unwrap().unwrap();
        let next = format!("{}{}", says(&stored.bytes), char::from(letter));
        let saved = records.save("id", state(&next), Some(&stored.revision));
        match saved.await {
            Ok(_) => appended += 1,
            Err(StoreError::Conflict(_)) => tokio::task::yield_now().await,
            Err(other) => panic!("{other}"),
        }
    }
}

/// Names that some backend might take for one another, or for a pattern.
const NAMES: [&str; 15] = [
    "a",
    "a.json",
    "a.json.json",
    "b",
    "a b",
    "a_b",
    "a-b",
    "ä",
    "a\u{308}",
    "a*",
    "a%2Fb",
    "a?b#c",
    "_doc",
    "lease",
    "tmp",
];

async fn states_of_different_names_never_meet(backend: &impl Backend) {
    let records = backend.records().await.unwrap();
    for name in NAMES {
        records.save(name, state(name), None).await.unwrap();
    }
    for name in NAMES {
        let stored = records.load(name).await.unwrap().unwrap();
        assert_eq!(stored.bytes, state(name));
    }
}

async fn hostile_names_are_refused(backend: &impl Backend) {
    let long = "x".repeat(201);
    let states = backend.states().await.unwrap();
    for name in [
        "", ".", "..", "../a", "/a", "a/b", "a\\b", "a\0", "a\nb", ".a", "a.lease", "a.tmp", &long,
    ] {
        match states.hold(name, OnConflict::Stop).await {
            Err(StoreError::Invalid(cause)) => {
                assert!(format!("{cause:#}").contains("state_id"), "{cause:#}")
            }
            Err(other) => panic!("{name:?} is refused as {other}"),
            Ok(_) => panic!("{name:?} was opened"),
        }
    }
}

async fn a_damaged_state_is_an_error_and_is_left_alone(backend: &impl Backend) {
    let slot = hold(backend, "id").await.slot;
    let sound = Bytes::from_static(br#"{"id":"id","version":1,"data":{}}"#);
    let revision = slot.save(sound, None).await.unwrap();
    for damage in backend.damages() {
        backend.damage("id", damage).await;
        let place = slot.describe();
        let read = match slot.load().await {
            Ok(stored) => {
                Envelope::unwrap(&stored.expect("not none").bytes, "id", 1, &place).map(drop)
            }
            Err(error) => Err(error),
        };
        assert!(
            matches!(&read, Err(StoreError::Corrupt(cause)) if cause.to_string().contains(&place)),
            "{read:?}"
        );
        for expected in [None, Some(revision.as_str())] {
            assert!(slot.save(state("new"), expected).await.is_err());
        }
        if let Ok(stored) = slot.load().await {
            assert_eq!(stored.unwrap().bytes, *damage);
        }
    }
}

async fn an_unwritable_place_is_found_at_open(backend: &impl Backend) {
    match backend.open_unwritable().await {
        Err(StoreError::Invalid(cause) | StoreError::Unavailable(cause)) => {
            assert!(format!("{cause:#}").contains("states"), "{cause:#}");
        }
        Err(other) => panic!("{other}"),
        Ok(()) => panic!("it was opened"),
    }
}

async fn a_removed_state_is_gone_and_its_revision_with_it(backend: &impl Backend) {
    let records = backend.records().await.unwrap();
    let first = records.save("id", state("first"), None).await.unwrap();
    let second = records.save("id", state("second"), Some(&first)).await;
    let second = second.unwrap();
    assert_conflict(records.remove("id", &first).await, &records.describe("id"));
    records.remove("id", &second).await.unwrap();
    assert_eq!(records.load("id").await.unwrap(), None);
    assert_conflict(records.remove("id", &second).await, "no state");
    records.save("id", state("third"), None).await.unwrap();
    for stale in [first, second] {
        let saved = records.save("id", state("fourth"), Some(&stale)).await;
        assert_conflict(saved, &records.describe("id"));
    }
}

async fn states_are_listed_without_their_leases(backend: &impl Backend) {
    let records = backend.records().await.unwrap();
    assert_eq!(records.list().await.unwrap(), []);
    let _held = hold(backend, "held").await;
    let mut expected = NAMES.map(str::to_owned);
    expected.sort();
    for name in NAMES {
        records.save(name, state("x"), None).await.unwrap();
    }
    let listed = records.list().await.unwrap();
    let names: Vec<_> = listed.iter().map(|state| state.name.clone()).collect();
    assert_eq!(names, expected);
    let size = state("x").len() as u64;
    assert!(
        listed
            .iter()
            .all(|state| state.bytes.is_none_or(|bytes| bytes == size))
    );
}

async fn a_second_holder_is_refused_until_the_first_is_gone(backend: &impl Backend) {
    let first = hold(backend, "id").await;
    let states = backend.states().await.unwrap();
    assert_conflict(states.hold("id", OnConflict::Stop).await.map(drop), "id");
    let holder = states.holder("id").await.unwrap().expect("a holder");
    assert!(
        holder.contains(&format!("process {} on ", std::process::id())),
        "{holder}"
    );
    first.slot.save(state("first"), None).await.unwrap();
    let_go(first).await;
    assert_eq!(states.holder("id").await.unwrap(), None);
    let second = hold(backend, "id").await;
    assert_eq!(loaded(&second.slot).await, state("first"));
}

async fn whoever_stands_by_gets_the_state_when_it_is_free(backend: &impl Backend) {
    let first = hold(backend, "id").await;
    let states = backend.states().await.unwrap();
    let waiting = tokio::spawn(async move { states.hold("id", OnConflict::Wait).await });
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert!(!waiting.is_finished());
    first.slot.save(state("first"), None).await.unwrap();
    let_go(first).await;
    let second = waiting.await.unwrap().unwrap();
    assert_eq!(loaded(&second.slot).await, state("first"));
}
