//! The state in the caller's hands: export, import, reset and cleanup, open and not.

use std::time::Duration;

use elasticsearch_source::mini_elasticsearch::{Effect, Fault};
use elasticsearch_source::{ElasticsearchSource, ErrorKind, StateManagerExt};
use serde_json::{Value, json};

use super::world::{ID, World, assert_each_once, ids, poll_all};

/// The stores that need no server but the cluster.
const STORES: [&str; 2] = ["", "state = { storage_type = \"elasticsearch\" }"];

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Opens the source or closes it, as it is to be.
async fn set_open(source: &mut ElasticsearchSource, open: bool) {
    match open {
        true => source.open().await.unwrap(),
        false => source.close().await.unwrap(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_imported_state_goes_on_exactly_where_it_was_exported() {
    for keys in STORES {
        for open in [true, false] {
            let world = World::of(400).keys(keys);
            let mut source = world.opened().await;
            let first = source.poll().await.unwrap();
            let second = source.poll().await.unwrap();
            let exported = source.export_state().await.unwrap();
            assert_eq!(exported["data"]["total_documents_fetched"], first.len());
            let rest = poll_all(&mut source).await;
            assert_eq!(first.len() + second.len() + rest.len(), 400);
            if !open {
                set_open(&mut source, open).await;
            }
            source.import_state(exported).await.unwrap();
            if !open {
                set_open(&mut source, true).await;
            }
            let mut messages = poll_all(&mut source).await;
            assert_eq!(ids(&messages), ids(&[second, rest].concat()));
            messages.extend(first);
            assert_each_once(&messages, 400);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_reset_everything_comes_again_with_the_same_ids() {
    for keys in STORES {
        for open in [true, false] {
            let world = World::of(250).keys(keys);
            let mut source = world.opened().await;
            let messages = poll_all(&mut source).await;
            if !open {
                set_open(&mut source, open).await;
            }
            source.reset_state().await.unwrap();
            if !open {
                assert_eq!(source.get_state().await.unwrap(), None);
                set_open(&mut source, true).await;
            }
            let again = poll_all(&mut source).await;
            assert_eq!(ids(&again), ids(&messages));
            source.close().await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_were_not_taken_are_forgotten_with_a_state_that_is_replaced() {
    let world = World::of(250);
    let mut source = world.opened().await;
    let begin = source.export_state().await.unwrap();
    let given = source.poll().await.unwrap();
    source.import_state(begin).await.unwrap();
    assert_eq!(world.covered(), 0);
    let again = poll_all(&mut source).await;
    assert!(ids(&again).starts_with(&ids(&given)));
    assert_each_once(&again, 250);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_does_not_fit_is_refused_and_the_source_goes_on() {
    type Change = fn(&mut Value);
    let rows: [(Change, &str); 4] = [
        (
            |state| state["metadata"]["index"] = json!("other"),
            "its index is \"other\" and not \"logs\"",
        ),
        (|state| state["version"] = json!(99), "version"),
        (
            |state| state["data"]["reading"] = json!(7),
            "the component would not go on from this state",
        ),
        (|state| *state = json!([]), "this is no state document"),
    ];
    for open in [true, false] {
        for (change, expected) in rows {
            let world = World::of(250);
            let mut source = world.opened().await;
            let mut messages = source.poll().await.unwrap();
            if !open {
                set_open(&mut source, open).await;
            }
            let mut state = source.export_state().await.unwrap();
            change(&mut state);
            let error = source.import_state(state).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Permanent);
            assert!(error.to_string().contains(expected), "{error}");
            if !open {
                set_open(&mut source, true).await;
            }
            messages.extend(poll_all(&mut source).await);
            assert_each_once(&messages, 250);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_another_source_has_open_can_be_looked_at_and_not_changed() {
    let world = World::of(50);
    let _holder = world.opened().await;
    let mut other = world.source();
    other.load_state().await.unwrap();
    let state = other.export_state().await.unwrap();
    for refused in [other.import_state(state).await, other.reset_state().await] {
        let error = refused.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        let holder = format!("process {} on ", std::process::id());
        assert!(error.to_string().contains(&holder), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_is_loaded_if_the_component_goes_on_from_it() {
    let world = World::of(50);
    world.source().load_state().await.unwrap();
    let mut source = world.opened().await;
    source.close().await.unwrap();
    source.load_state().await.unwrap();
    let mut state = world.state().unwrap();
    state["data"]["reading"] = json!(7);
    std::fs::write(world.state_file(), state.to_string()).unwrap();
    let error = source.load_state().await.unwrap_err();
    assert!(error.to_string().contains("can not be read"), "{error}");
    std::fs::write(world.state_file(), "{").unwrap();
    for error in [
        source.load_state().await.unwrap_err(),
        source.get_state().await.map(drop).unwrap_err(),
        source.open().await.unwrap_err(),
    ] {
        assert!(
            error.to_string().contains("holds no readable state"),
            "{error}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_without_a_state_has_none_to_work_with() {
    let world = World::of(50).keys("state = { enabled = false }");
    let mut source = world.opened().await;
    assert!(source.get_state_manager().is_none());
    for outcome in [
        source.load_state().await,
        source.get_state().await.map(drop),
        source.export_state().await.map(drop),
        source.import_state(json!({})).await,
        source.reset_state().await,
    ] {
        let error = outcome.unwrap_err();
        assert!(error.to_string().contains("keeps no state"), "{error}");
    }
    assert_eq!(source.poll().await.unwrap().len(), 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn old_states_are_counted_and_cleaned_up_and_the_own_one_stays() {
    let world = World::of(0);
    let source = world.opened().await;
    let folder = world.state_file().with_file_name("");
    for (name, year) in [("old", 2020), ("young", 9999), ("test", 2020)] {
        let mut state = world.state().unwrap();
        state["id"] = json!(name);
        state["last_updated"] = json!(format!("{year}-01-01T00:00:00Z"));
        std::fs::write(folder.join(format!("{name}.json")), state.to_string()).unwrap();
    }
    drop(source);
    let source = ElasticsearchSource::new(ID, world.config());
    let manager = source.get_state_manager().unwrap();
    assert_eq!(manager.get_state_stats().await.unwrap().total_states, 3);
    let mut named = world.config();
    named.state.state_id = "old".to_owned();
    let keeping = manager.clone().also_configured(&[named]);
    assert_eq!(keeping.cleanup_old_states(30).await.unwrap(), 0);
    let kept = keeping.cleanup(30 * DAY).await.unwrap().kept;
    let reasons = ["configured", "configured", "in the future"];
    for (kept, (id, why)) in kept
        .iter()
        .zip(["old", "test", "young"].into_iter().zip(reasons))
    {
        assert!(kept.id == id && kept.why.contains(why), "{kept:?}");
    }
    assert_eq!(manager.cleanup_old_states(30).await.unwrap(), 1);
    assert!(!folder.join("old.json").exists());
    assert_eq!(manager.get_state_stats().await.unwrap().total_states, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forced_import_takes_another_index_and_the_place_of_what_can_not_be_read() {
    for open in [true, false] {
        let world = World::of(50);
        let mut source = world.opened().await;
        assert_each_once(&poll_all(&mut source).await, 50);
        source.close().await.unwrap();
        let mut state = source.export_state().await.unwrap();
        state["metadata"]["index"] = json!("logs-alias");
        if open {
            source.open().await.unwrap();
        }
        source.import_state(state.clone()).await.unwrap_err();
        std::fs::write(world.state_file(), "").unwrap();
        let refused = source.import_state(source_of(&state)).await.unwrap_err();
        assert!(refused.to_string().contains("it is empty"), "{refused}");
        source.force_import_state(state).await.unwrap();
        if !open {
            source.open().await.unwrap();
        }
        assert!(poll_all(&mut source).await.is_empty());
        assert_eq!(world.state().unwrap()["metadata"]["index"], "logs");
        assert!(world.state_file().with_extension("json.broken").exists());
    }
}

/// The same state as that of the index that the source reads.
fn source_of(state: &Value) -> Value {
    let mut state = state.clone();
    state["metadata"]["index"] = json!("logs");
    state
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_shows_what_happened_to_its_state_in_the_store() {
    let world = World::of(250).keys("state = { storage_type = \"elasticsearch\" }");
    let mut source = world.source();
    let numbers = source.state_numbers();
    assert_eq!(
        (numbers.store, numbers.loads.attempted),
        ("elasticsearch", 0)
    );
    source.open().await.unwrap();
    assert!(!source.poll().await.unwrap().is_empty());
    let put = Fault::new(Effect::unavailable()).method("PUT");
    world.cluster.inject(put.path("/_doc/test?"));
    source.poll().await.unwrap_err();
    let numbers = source.state_numbers();
    assert_eq!((numbers.loads.succeeded, numbers.saves.unavailable), (1, 1));
    poll_all(&mut source).await;
    source.close().await.unwrap();
    let closed = source.state_numbers();
    assert!(closed.saves.succeeded > numbers.saves.succeeded && closed.saved_bytes > 0);
    source.open().await.unwrap();
    assert_eq!(source.state_numbers().loads.succeeded, 2);
}
