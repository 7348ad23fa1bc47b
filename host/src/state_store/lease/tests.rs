//! Two processes and one lease, in virtual time.

use bytes::Bytes;

use super::*;
use crate::state_store::troubled::{Trouble, Troubled, conflict};
use crate::state_store::{Held, MemoryRecords, Refusal, StateStore as _, States};

const SECOND: Duration = Duration::from_secs(1);
const TERMS: LeaseTerms = LeaseTerms {
    time: Duration::from_secs(30),
    request: Duration::from_secs(10),
};

struct Process {
    states: States,
    way: Arc<Troubled>,
}

impl Process {
    fn new(records: &Arc<MemoryRecords>) -> Self {
        let way = Troubled::way_to(records);
        Self {
            states: States::shared(way.clone(), TERMS),
            way,
        }
    }

    fn has(&self, trouble: Trouble) {
        self.way.then(trouble);
    }

    async fn hold(&self, on_conflict: OnConflict) -> Result<Held, StoreError> {
        self.states.hold("id", on_conflict).await
    }
}

fn two() -> (Process, Process) {
    let records = Arc::default();
    (Process::new(&records), Process::new(&records))
}

fn bytes(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_renewed_is_refused_with_its_holder_and_lasts() {
    let (first, second) = two();
    let held = first.hold(OnConflict::Stop).await.unwrap();
    for _ in 0..10 {
        let refused = conflict(second.hold(OnConflict::Stop).await);
        assert!(
            refused.contains(&format!("process {} on ", std::process::id())),
            "{refused}"
        );
        assert_eq!(held.permit.check(), Ok(()));
        sleep(7 * SECOND).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_observer_with_a_shorter_lease_time_waits_for_the_holders() {
    let (first, mut second) = two();
    let time = SECOND;
    second.states = States::shared(
        Arc::clone(second.states.records()),
        LeaseTerms { time, ..TERMS },
    );
    let held = first.hold(OnConflict::Stop).await.unwrap();
    let refused = conflict(second.hold(OnConflict::Stop).await);
    assert!(refused.contains("is held by"), "{refused}");
    assert_eq!(held.permit.check(), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_released_is_free_at_once() {
    let (first, second) = two();
    let Held {
        slot,
        permit,
        keeper,
    } = first.hold(OnConflict::Stop).await.unwrap();
    drop(slot);
    sleep(100 * SECOND).await;
    assert_eq!(permit.check(), Ok(()), "it is kept for the last permit");
    drop(permit);
    keeper.unwrap().await.unwrap();
    let before = Instant::now();
    second.hold(OnConflict::Stop).await.unwrap();
    assert_eq!(before.elapsed(), Duration::ZERO);
    assert_eq!(first.states.records().list().await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn a_silent_holder_may_not_publish_when_it_is_succeeded_and_can_not_save_any_more() {
    let (first, second) = two();
    let old = first.hold(OnConflict::Stop).await.unwrap();
    let revision = old.slot.save(bytes("1"), None).await.unwrap();
    // This save takes effect, so the state that the successor finds is the old holder's own.
    first.has(Trouble::AnswerLost);
    old.slot
        .save(bytes("2"), Some(&revision))
        .await
        .unwrap_err();
    first.has(Trouble::Refused);
    let before = Instant::now();
    let new = second.hold(OnConflict::Stop).await.unwrap();
    assert!(before.elapsed() > TERMS.time);
    assert_eq!(old.permit.check(), Err(Refusal::Lapsed));
    first.has(Trouble::None);
    for state in ["2", "3"] {
        let refused = conflict(old.slot.save(bytes(state), Some(&revision)).await);
        assert!(refused.contains("process "), "{refused}");
    }
    conflict(old.slot.load().await);
    sleep(TERMS.time).await;
    assert!(matches!(old.permit.check(), Err(Refusal::Lost(why)) if why.contains("process ")));
    let stored = new.slot.load().await.unwrap().unwrap();
    assert_eq!(stored.bytes, "2");
    new.slot
        .save(bytes("3"), Some(&stored.revision))
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_lost_its_lease_without_knowing_it_does_not_release_that_of_its_successor() {
    let (first, second) = two();
    let old = first.hold(OnConflict::Stop).await.unwrap();
    first.has(Trouble::Refused);
    let new = second.hold(OnConflict::Stop).await.unwrap();
    first.has(Trouble::None);
    old.release().await;
    sleep(TERMS.time).await;
    assert_eq!(new.permit.check(), Ok(()));
    let lease = second.states.records().load("id.lease").await.unwrap();
    assert!(lease.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_holder_goes_on_when_its_store_is_back_and_nobody_took_the_lease() {
    let (first, second) = two();
    let held = first.hold(OnConflict::Stop).await.unwrap();
    for trouble in [Trouble::Refused, Trouble::AnswerLost] {
        first.has(trouble);
        sleep(21 * SECOND).await;
        assert_eq!(
            held.permit.check(),
            Err(Refusal::Lapsed),
            "less than a request is left"
        );
        sleep(60 * SECOND).await;
        first.has(Trouble::None);
        sleep(11 * SECOND).await;
        assert_eq!(held.permit.check(), Ok(()));
    }
    conflict(second.hold(OnConflict::Stop).await);
}

#[tokio::test(start_paused = true)]
async fn whoever_stands_by_follows_when_the_holder_ends() {
    for clean in [true, false] {
        let (first, second) = two();
        let held = first.hold(OnConflict::Stop).await.unwrap();
        let waiting = tokio::spawn(async move { second.hold(OnConflict::Wait).await.map(drop) });
        sleep(500 * SECOND).await;
        assert!(!waiting.is_finished());
        if !clean {
            first.has(Trouble::Refused);
        }
        drop(held);
        let before = Instant::now();
        waiting.await.unwrap().unwrap();
        assert_eq!(before.elapsed() < 6 * SECOND, clean);
    }
}

#[tokio::test(start_paused = true)]
async fn of_many_that_want_a_free_lease_one_gets_it() {
    let records = Arc::default();
    let all = (0..8).map(|_| async { Process::new(&records).hold(OnConflict::Stop).await });
    let held = futures::future::join_all(all).await;
    assert_eq!(held.iter().filter(|held| held.is_ok()).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_somebody_removed_is_lost() {
    let (first, second) = two();
    let held = first.hold(OnConflict::Stop).await.unwrap();
    let records = second.states.records();
    let revision = records.load("id.lease").await.unwrap().unwrap().revision;
    records.remove("id.lease", &revision).await.unwrap();
    sleep(11 * SECOND).await;
    let lost = held.permit.check();
    assert!(
        matches!(&lost, Err(Refusal::Lost(why)) if why.contains("id.lease")),
        "{lost:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_can_not_be_read_is_an_error_that_says_so() {
    let (first, _) = two();
    let records = first.states.records();
    records.save("id.lease", bytes("{}"), None).await.unwrap();
    let Err(StoreError::Corrupt(cause)) = first.hold(OnConflict::Wait).await else {
        panic!("it was taken");
    };
    assert!(cause.to_string().contains("id.lease"), "{cause}");
}
