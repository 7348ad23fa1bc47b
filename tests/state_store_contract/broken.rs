//! What is in the place of a state and is none: it makes way when somebody wants it to, and
//! never by accident.

use elasticsearch_source::clock::Clock;
use elasticsearch_source::state_manager::{Import, StateManager};
use elasticsearch_source::state_store::Slice;
use elasticsearch_source::state_store::envelope::Owner;

use super::*;

/// The own state of this one is `id`.
pub async fn manager(backend: &impl Backend) -> StateManager {
    let owner = Owner {
        state_id: "id".to_owned(),
        connector_id: 1,
        index: "logs".to_owned(),
        slice: Slice::WHOLE,
        url: "http://localhost:9200".parse().unwrap(),
    };
    let states = backend.states().await.unwrap();
    StateManager::new(states, owner, [], Clock::system())
}

/// A document that an import takes.
const SOUND: &str = r#"{"id":"id","version":1,"data":{},"metadata":{"index":"logs","url":"http://localhost:9200"}}"#;

/// What is there now, as it is to be named to be set aside.
async fn found(records: &dyn Records) -> Option<String> {
    match records.load("id").await {
        Ok(stored) => Some(stored.expect("something").revision),
        Err(StoreError::Corrupt(_)) => None,
        Err(other) => panic!("{other}"),
    }
}

pub async fn what_is_set_aside_is_what_was_found_and_makes_way(backend: &impl Backend) {
    let records = backend.records().await.unwrap();
    let nothing = records.set_aside("id", None).await;
    assert_conflict(nothing, &records.describe("id"));
    let sound = records.save("id", SOUND.into(), None).await.unwrap();
    for other in [None, Some("no revision at all"), Some("?")] {
        let kept = records.set_aside("id", other).await;
        assert_conflict(kept, &records.describe("id"));
    }
    assert_eq!(records.load("id").await.unwrap().unwrap().bytes, SOUND);
    for damage in backend.damages() {
        backend.damage("id", damage).await;
        let found = found(records.as_ref()).await;
        for other in [Some(sound.as_str()), Some("no revision at all")] {
            assert!(records.set_aside("id", other).await.is_err(), "{damage:?}");
        }
        let kept = records.set_aside("id", found.as_deref()).await.unwrap();
        assert!(kept.unwrap().contains(".broken"), "{damage:?}");
        assert_eq!(records.load("id").await.unwrap(), None, "{damage:?}");
        assert_eq!(records.list().await.unwrap(), [], "{damage:?}");
    }
    records.save("id", SOUND.into(), None).await.unwrap();
}

pub async fn a_damaged_state_can_be_held_reset_and_replaced(backend: &impl Backend) {
    let manager = manager(backend).await;
    let fit = |_| async { Ok(()) };
    for damage in backend.damages() {
        for forced in [false, true] {
            backend.damage("id", damage).await;
            let how = Import {
                replace: true,
                force: false,
            };
            match manager.import(SOUND.as_bytes(), how, fit).await {
                Err(StoreError::Corrupt(cause)) => {
                    assert!(
                        cause.to_string().contains("state import --force"),
                        "{cause}"
                    );
                }
                other => panic!("{damage:?}: {other:?}"),
            }
            let broken = match forced {
                true => {
                    let how = Import { force: true, ..how };
                    let imported = manager.import(SOUND.as_bytes(), how, fit).await;
                    imported.unwrap().broken
                }
                false => manager.reset().await.unwrap(),
            };
            let kept = broken.unwrap().kept.expect("a place");
            assert!(kept.contains(".broken"), "{kept}");
            assert_eq!(manager.export().await.unwrap().is_some(), forced);
        }
    }
}
