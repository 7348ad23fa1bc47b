//! What every place for states must do, as one suite that every backend runs.
//!
//! A backend implements [`Backend`] and adds one line of `state_store_contract!` below;
//! every case is then a test of its own, named after the backend and the case.

use std::sync::Arc;

use bytes::Bytes;
use elasticsearch_source::state_store::envelope::Envelope;
use elasticsearch_source::state_store::{FileStore, STATE_MAX, StateStore, StoreError};

type Opened = Result<Arc<dyn StateStore>, StoreError>;

/// A backend with an empty place of its own.
trait Backend {
    /// Opens the state of this name.
    async fn open(&self, state_id: &str) -> Opened;
    /// Puts bytes in the place of a state, as no store would.
    async fn damage(&self, state_id: &str, bytes: &[u8]);
    /// Opens a state in a place where nothing can be written.
    async fn open_unwritable(&self) -> Opened;
}

struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
}

impl Backend for Files {
    async fn open(&self, state_id: &str) -> Opened {
        let store = FileStore::open(self.0.path(), state_id).await?;
        Ok(Arc::new(store))
    }

    async fn damage(&self, state_id: &str, bytes: &[u8]) {
        std::fs::write(self.0.path().join(format!("{state_id}.json")), bytes).unwrap();
    }

    /// Below a regular file, where not even root can write.
    async fn open_unwritable(&self) -> Opened {
        let file = self.0.path().join("file");
        std::fs::write(&file, "").unwrap();
        let store = FileStore::open(&file.join("states"), "id").await?;
        Ok(Arc::new(store))
    }
}

macro_rules! state_store_contract {
    ($backend:ident, $new:expr) => {
        state_store_contract!($backend, $new,
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
            an_unwritable_place_is_found_at_open,
            a_second_holder_is_refused_until_the_first_is_gone,
        );
    };
    ($backend:ident, $new:expr, $($case:ident,)+) => {
        mod $backend {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case(&$new).await;
            })+
        }
    };
}

state_store_contract!(file, super::Files::new());

fn bytes(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

async fn loaded(store: &Arc<dyn StateStore>) -> Bytes {
    store.load().await.unwrap().expect("a state").bytes
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
    let store = backend.open("id").await.unwrap();
    assert_eq!(store.load().await.unwrap(), None);
    assert!(store.describe().contains("id"));
}

async fn what_was_saved_is_loaded(backend: &impl Backend) {
    let store = backend.open("id").await.unwrap();
    let all_bytes = Bytes::from((0..=255).collect::<Vec<u8>>());
    let revision = store.save(all_bytes.clone(), None).await.unwrap();
    let stored = store.load().await.unwrap().unwrap();
    assert_eq!((stored.bytes, stored.revision), (all_bytes, revision));
}

async fn a_save_replaces_the_state_and_its_revision(backend: &impl Backend) {
    let store = backend.open("id").await.unwrap();
    let first = store.save(bytes("a longer first"), None).await.unwrap();
    let second = store.save(bytes("second"), Some(&first)).await.unwrap();
    assert_ne!(first, second);
    assert_eq!(loaded(&store).await, "second");
}

async fn a_save_on_a_stale_revision_is_a_conflict(backend: &impl Backend) {
    let store = backend.open("id").await.unwrap();
    let first = store.save(bytes("first"), None).await.unwrap();
    store.save(bytes("second"), Some(&first)).await.unwrap();
    for stale in [first.as_str(), "", "no revision at all"] {
        assert_conflict(
            store.save(bytes("third"), Some(stale)).await,
            &store.describe(),
        );
    }
    assert_eq!(loaded(&store).await, "second");
}

async fn a_save_that_expects_no_state_meets_one(backend: &impl Backend) {
    let store = backend.open("id").await.unwrap();
    store.save(bytes("first"), None).await.unwrap();
    assert_conflict(store.save(bytes("second"), None).await, &store.describe());
    assert_eq!(loaded(&store).await, "first");
}

async fn a_save_that_expects_a_state_meets_none(backend: &impl Backend) {
    let (store, other) = (
        backend.open("id").await.unwrap(),
        backend.open("other").await.unwrap(),
    );
    let revision = other.save(bytes("first"), None).await.unwrap();
    assert_conflict(
        store.save(bytes("second"), Some(&revision)).await,
        &store.describe(),
    );
    assert_eq!(store.load().await.unwrap(), None);
}

/// The first answer was lost, and the caller expects what was there before.
async fn the_same_save_again_is_a_success(backend: &impl Backend) {
    let store = backend.open("id").await.unwrap();
    for expected in [None, None] {
        store.save(bytes("first"), expected).await.unwrap();
    }
    let first = store.load().await.unwrap().unwrap().revision;
    let second = store.save(bytes("second"), Some(&first)).await.unwrap();
    assert_eq!(
        store.save(bytes("second"), Some(&first)).await.unwrap(),
        second
    );
    store.save(bytes("third"), Some(&second)).await.unwrap();
}

async fn a_state_survives_its_store(backend: &impl Backend) {
    let store = backend.open("id").await.unwrap();
    let revision = store.save(bytes("first"), None).await.unwrap();
    drop(store);
    let store = backend.open("id").await.unwrap();
    let stored = store.load().await.unwrap().unwrap();
    assert_eq!(
        (stored.bytes.as_ref(), &stored.revision),
        (b"first".as_slice(), &revision)
    );
    store.save(bytes("second"), Some(&revision)).await.unwrap();
}

async fn five_megabytes_pass(backend: &impl Backend) {
    let store = backend.open("id").await.unwrap();
    let large: Bytes = (0..5_000_000_u32)
        .map(|n| (n % 251) as u8)
        .collect::<Vec<_>>()
        .into();
    store.save(large.clone(), None).await.unwrap();
    assert!(loaded(&store).await == large);
}

async fn nothing_and_too_much_are_refused(backend: &impl Backend) {
    let store = backend.open("id").await.unwrap();
    for refused in [Bytes::new(), vec![b'x'; STATE_MAX + 1].into()] {
        assert!(matches!(
            store.save(refused, None).await,
            Err(StoreError::Invalid(_))
        ));
    }
    assert_eq!(store.load().await.unwrap(), None);
}

/// Every writer appends a letter of its own.
async fn concurrent_writers_lose_nothing(backend: &impl Backend) {
    let store = backend.open("id").await.unwrap();
    store.save(bytes("-"), None).await.unwrap();
    let writers = (b'a'..=b'h').map(|letter| tokio::spawn(append(Arc::clone(&store), letter, 10)));
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let mut letters = loaded(&store).await.to_vec();
    letters.sort_unstable();
    let expected: Vec<u8> = (b'a'..=b'h').flat_map(|letter| [letter; 10]).collect();
    assert_eq!(&letters[1..], expected);
}

async fn append(store: Arc<dyn StateStore>, letter: u8, times: usize) {
    let mut appended = 0;
    while appended < times {
        let stored = store.load().await.unwrap().unwrap();
        let next = [stored.bytes.as_ref(), &[letter]].concat();
        match store.save(next.into(), Some(&stored.revision)).await {
            Ok(_) => appended += 1,
            Err(StoreError::Conflict(_)) => tokio::task::yield_now().await,
            Err(other) => panic!("{other}"),
        }
    }
}

async fn states_of_different_names_never_meet(backend: &impl Backend) {
    let names = [
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
        "lease",
        "tmp",
    ];
    let mut stores = Vec::new();
    for name in names {
        let store = backend.open(name).await.unwrap();
        store.save(Bytes::from(name), None).await.unwrap();
        stores.push(store);
    }
    for (name, store) in names.iter().zip(&stores) {
        assert_eq!(loaded(store).await, *name);
    }
}

async fn hostile_names_are_refused(backend: &impl Backend) {
    let long = "x".repeat(201);
    for name in [
        "", ".", "..", "../a", "/a", "a/b", "a\\b", "a\0", "a\nb", ".a", "a.lease", "a.tmp", &long,
    ] {
        match backend.open(name).await {
            Err(StoreError::Invalid(cause)) => {
                assert!(format!("{cause:#}").contains("state_id"), "{cause:#}")
            }
            Err(other) => panic!("{name:?} is refused as {other}"),
            Ok(_) => panic!("{name:?} was opened"),
        }
    }
}

async fn a_damaged_state_is_an_error_and_is_left_alone(backend: &impl Backend) {
    let store = backend.open("id").await.unwrap();
    let revision = store
        .save(bytes(r#"{"id":"id","version":1,"data":{}}"#), None)
        .await
        .unwrap();
    for damage in ["", "{\"id\":\"id\",\"ver", "\0\0\0\0"] {
        backend.damage("id", damage.as_bytes()).await;
        let place = store.describe();
        let read = match store.load().await {
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
            assert!(store.save(bytes("new"), expected).await.is_err());
        }
        if let Ok(stored) = store.load().await {
            assert_eq!(stored.unwrap().bytes, damage);
        }
    }
}

async fn an_unwritable_place_is_found_at_open(backend: &impl Backend) {
    match backend.open_unwritable().await {
        Err(StoreError::Invalid(cause) | StoreError::Unavailable(cause)) => {
            assert!(format!("{cause:#}").contains("states"), "{cause:#}");
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was opened"),
    }
}

async fn a_second_holder_is_refused_until_the_first_is_gone(backend: &impl Backend) {
    let first = backend.open("id").await.unwrap();
    assert_conflict(backend.open("id").await, "id");
    first.save(bytes("first"), None).await.unwrap();
    drop(first);
    let second = backend.open("id").await.unwrap();
    assert_eq!(loaded(&second).await, "first");
}
