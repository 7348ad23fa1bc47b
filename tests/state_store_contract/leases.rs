//! What holds for stores that processes share: a holder that goes silent is succeeded, and
//! can not save any more. A lock needs no such case, as it ends with its process.

use super::broken::manager;
use super::*;

cases!(
    elasticsearch_in_process,
    [],
    Clusters::in_process(Product::OpenSearch),
    a_silent_holder_is_succeeded_and_can_not_save_any_more,
    the_lease_of_a_killed_process_goes_with_the_state,
);
cases!(
    elasticsearch,
    [cfg_attr(
        not(real_elasticsearch),
        ignore = "needs a real Elasticsearch: see README, \"Tests with real servers\""
    )],
    Clusters::real("ELASTICSEARCH_URL"),
    a_silent_holder_is_succeeded_and_can_not_save_any_more,
    the_lease_of_a_killed_process_goes_with_the_state,
);
cases!(
    redis,
    [cfg_attr(
        not(real_redis),
        ignore = "needs a real Redis: see README, \"Tests with real servers\""
    )],
    Redis::real(),
    a_silent_holder_is_succeeded_and_can_not_save_any_more,
    the_lease_of_a_killed_process_goes_with_the_state,
);

async fn a_silent_holder_is_succeeded_and_can_not_save_any_more(backend: &impl Backend) {
    let old = hold(backend, "id").await;
    let revision = old.slot.save(state("first"), None).await.unwrap();
    // Nothing renews it from here on, as when its process is stopped.
    old.keeper.as_ref().unwrap().abort();
    let new = hold(backend, "id").await;
    assert_eq!(old.permit.check(), Err(Refusal::Lapsed));
    for text in ["first", "second"] {
        let saved = old.slot.save(state(text), Some(&revision)).await;
        assert_conflict(saved, "id.lease");
    }
    assert_conflict(old.slot.load().await, "id.lease");
    let stored = new.slot.load().await.unwrap().unwrap();
    assert_eq!(stored.bytes, state("first"));
    let saved = new.slot.save(state("second"), Some(&stored.revision)).await;
    saved.unwrap();
    assert_eq!(new.permit.check(), Ok(()));
}

/// Whoever removes a state takes its lease first, and releases it by compare-and-swap: one that
/// somebody else has meanwhile stays.
async fn the_lease_of_a_killed_process_goes_with_the_state(backend: &impl Backend) {
    let records = backend.records().await.unwrap();
    let old = |id| {
        format!(r#"{{"id":"{id}","version":1,"data":{{}},"last_updated":"2020-01-01T00:00:00Z"}}"#)
    };
    for id in ["id", "other"] {
        let killed = hold(backend, id).await;
        killed.slot.save(old(id).into(), None).await.unwrap();
        killed.keeper.as_ref().unwrap().abort();
    }
    let manager = manager(backend).await;
    assert_eq!(manager.reset().await.unwrap(), None);
    let cleaned = manager.cleanup(Duration::from_secs(1)).await.unwrap();
    assert_eq!(cleaned.deleted, ["other"]);
    for name in ["id", "id.lease", "other", "other.lease"] {
        assert_eq!(records.load(name).await.unwrap(), None, "{name}");
    }
}
