//! Saves whose outcome nobody knows, and states that are not what was saved last.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::anyhow;

use super::*;
use crate::state_store::{LeaseTerms, Listed, OnConflict, States};

/// Records that lose the answers of some calls, and refuse others.
#[derive(Default)]
struct Unreliable {
    records: MemoryRecords,
    calls: Mutex<VecDeque<Trouble>>,
}

#[derive(Clone, Copy)]
enum Trouble {
    None,
    Refused,
    AnswerLost,
    /// Takes effect, and whoever called goes away.
    Dropped,
}

impl Unreliable {
    async fn play<T>(&self, call: BoxFuture<'_, Result<T, StoreError>>) -> Result<T, StoreError> {
        let trouble = self.calls.lock().unwrap().pop_front();
        let down = || StoreError::Unavailable(anyhow!("down"));
        match trouble.unwrap_or(Trouble::None) {
            Trouble::None => call.await,
            Trouble::Refused => Err(down()),
            Trouble::AnswerLost => call.await.and_then(|_| Err(down())),
            Trouble::Dropped => {
                call.await?;
                std::future::pending().await
            }
        }
    }
}

impl Records for Unreliable {
    fn load<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
        self.play(self.records.load(name)).boxed()
    }

    fn save<'a>(
        &'a self,
        name: &'a str,
        bytes: Bytes,
        expected: Option<&'a str>,
    ) -> BoxFuture<'a, Result<String, StoreError>> {
        self.play(self.records.save(name, bytes, expected)).boxed()
    }

    fn remove<'a>(
        &'a self,
        name: &'a str,
        expected: &'a str,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        self.play(self.records.remove(name, expected)).boxed()
    }

    fn set_aside<'a>(
        &'a self,
        name: &'a str,
        expected: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Option<String>, StoreError>> {
        self.play(self.records.set_aside(name, expected)).boxed()
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Listed>, StoreError>> {
        self.records.list()
    }

    fn describe(&self, name: &str) -> String {
        self.records.describe(name)
    }
}

fn conflict<T>(result: Result<T, StoreError>) -> String {
    match result {
        Err(StoreError::Conflict(cause)) => cause.to_string(),
        Err(other) => panic!("no conflict: {other}"),
        Ok(_) => panic!("no conflict but a success"),
    }
}

#[tokio::test]
async fn saves_whose_answers_were_lost_are_known_again_however_many_failed_since() {
    use Trouble::{AnswerLost, Dropped, None, Refused};
    let rows: [&[Trouble]; 6] = [
        &[AnswerLost],
        &[Dropped],
        &[AnswerLost, Refused, Refused],
        &[Refused, AnswerLost, Refused],
        &[Refused, Dropped, Refused],
        // The second save finds the first, and then loses its own answer.
        &[AnswerLost, None, None, AnswerLost, Refused],
    ];
    for troubles in rows {
        for same in [true, false] {
            let records = Arc::new(Unreliable::default());
            let slot = Slot::of(records.clone(), "id");
            let first = slot.save("0".into(), Option::None).await.unwrap();
            records.calls.lock().unwrap().extend(troubles);
            let mut number = 0;
            while !records.calls.lock().unwrap().is_empty() {
                number += usize::from(number == 0 || !same);
                let saved = slot.save(number.to_string().into(), Some(&first));
                assert!(!matches!(saved.now_or_never(), Some(Ok(_))));
            }
            let last = if same { "1" } else { "99" };
            let saved = slot.save(last.into(), Some(&first)).await;
            assert!(saved.is_ok(), "{:?}", saved.unwrap_err());
            assert_eq!(slot.load().await.unwrap().unwrap().bytes, last);
        }
    }
}

#[tokio::test]
async fn another_writers_state_is_a_conflict_also_after_a_save_without_an_answer() {
    let records = Arc::new(Unreliable::default());
    let [ours, other] = [(); 2].map(|()| Slot::of(records.clone(), "id"));
    let first = ours.save("0".into(), None).await.unwrap();
    records.calls.lock().unwrap().push_back(Trouble::Refused);
    ours.save("1".into(), Some(&first)).await.unwrap_err();
    other.save("2".into(), Some(&first)).await.unwrap();
    let said = conflict(ours.save("3".into(), Some(&first)).await);
    assert!(said.contains("somebody else changed it"), "{said}");
}

#[tokio::test]
async fn a_save_that_was_answered_is_not_gone_back_to() {
    let records = Arc::new(Unreliable::default());
    let [ours, other] = [(); 2].map(|()| Slot::of(records.clone(), "id"));
    records.calls.lock().unwrap().push_back(Trouble::AnswerLost);
    ours.save("0".into(), None).await.unwrap_err();
    let first = ours.save("1".into(), None).await.unwrap();
    // Somebody brings back what was there before.
    other.save("0".into(), Some(&first)).await.unwrap();
    conflict(ours.save("2".into(), Some(&first)).await);
}

#[tokio::test]
async fn a_leased_state_that_is_not_what_was_saved_last_may_be_what_its_store_went_back_to() {
    let records: Arc<dyn Records> = Arc::new(MemoryRecords::default());
    let terms = LeaseTerms {
        time: Duration::from_secs(30),
        request: Duration::ZERO,
    };
    let states = States::shared(Arc::clone(&records), terms);
    let held = states.hold("id", OnConflict::Stop).await.unwrap();
    let first = held.slot.save("1".into(), None).await.unwrap();
    let second = held.slot.save("2".into(), Some(&first)).await.unwrap();
    let older = records.save("id", "1".into(), Some(&second)).await.unwrap();
    let said = conflict(held.slot.save("3".into(), Some(&second)).await);
    for part in ["state id in memory", "lost saves", "start again"] {
        assert!(said.contains(part), "{said}");
    }
    records.remove("id", &older).await.unwrap();
    let said = conflict(held.slot.save("3".into(), Some(&second)).await);
    for part in ["is gone", "restore a backup"] {
        assert!(said.contains(part), "{said}");
    }
}
