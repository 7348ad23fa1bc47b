//! Saves whose outcome nobody knows, and states that are not what was saved last.

use std::time::Duration;

use super::*;
use crate::state_store::troubled::{Trouble, Troubled, conflict};
use crate::state_store::{LeaseTerms, OnConflict, States};

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
            let records = Arc::new(Troubled::default());
            let slot = Slot::of(records.clone(), "id");
            let first = slot.save("0".into(), Option::None).await.unwrap();
            records.next(troubles);
            let mut number = 0;
            while !records.is_over() {
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
    let records = Arc::new(Troubled::default());
    let [ours, other] = [(); 2].map(|()| Slot::of(records.clone(), "id"));
    let first = ours.save("0".into(), None).await.unwrap();
    records.next(&[Trouble::Refused]);
    ours.save("1".into(), Some(&first)).await.unwrap_err();
    other.save("2".into(), Some(&first)).await.unwrap();
    let said = conflict(ours.save("3".into(), Some(&first)).await);
    assert!(said.contains("somebody else changed it"), "{said}");
}

#[tokio::test]
async fn a_save_that_was_answered_is_not_gone_back_to() {
    let records = Arc::new(Troubled::default());
    let [ours, other] = [(); 2].map(|()| Slot::of(records.clone(), "id"));
    records.next(&[Trouble::AnswerLost]);
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
