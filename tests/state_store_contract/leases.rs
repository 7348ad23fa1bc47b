//! What holds for stores that processes share: a holder that goes silent is succeeded, and
//! can not save any more. A lock needs no such case, as it ends with its process.

use super::*;

cases!(
    elasticsearch_in_process,
    [],
    Clusters::in_process(Product::OpenSearch),
    a_silent_holder_is_succeeded_and_can_not_save_any_more,
);
cases!(
    elasticsearch,
    [cfg_attr(
        not(real_elasticsearch),
        ignore = "needs a real Elasticsearch: see README, \"Tests with real servers\""
    )],
    Clusters::real("ELASTICSEARCH_URL"),
    a_silent_holder_is_succeeded_and_can_not_save_any_more,
);
cases!(
    redis,
    [cfg_attr(
        not(real_redis),
        ignore = "needs a real Redis: see README, \"Tests with real servers\""
    )],
    Redis::real(),
    a_silent_holder_is_succeeded_and_can_not_save_any_more,
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
