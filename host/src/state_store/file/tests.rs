//! What only files can show; the rest is the contract suite's.

use std::fs::{self, File};

use super::*;
use crate::state_store::STATE_MAX;

#[tokio::test]
async fn folders_are_created_and_only_the_state_and_its_lease_stay() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().join("a/b");
    let store = FileRecords::lock(&base, "id").await.unwrap();
    store
        .save("id", Bytes::from_static(b"x"), None)
        .await
        .unwrap();
    let mut names: Vec<_> = fs::read_dir(&base)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["id.json", "id.lease"]);
    assert_eq!(fs::read(base.join("id.json")).unwrap(), b"x");
}

#[tokio::test]
async fn what_a_cut_off_save_left_is_removed_and_not_taken_for_the_state() {
    let folder = tempfile::tempdir().unwrap();
    let temporary = folder.path().join("id.json.tmp");
    let elsewhere = folder.path().join("elsewhere");
    fs::write(&elsewhere, "untouched").unwrap();
    std::os::unix::fs::symlink(&elsewhere, &temporary).unwrap();
    let store = FileRecords::lock(folder.path(), "id").await.unwrap();
    assert_eq!(store.load("id").await.unwrap(), None);
    assert!(fs::symlink_metadata(&temporary).is_err());
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "untouched");
}

#[tokio::test]
async fn a_second_holder_is_told_the_file_and_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let first = FileRecords::lock(folder.path(), "id").await.unwrap();
    let Err(StoreError::Conflict(cause)) = FileRecords::lock(folder.path(), "id").await else {
        panic!("the second was let in");
    };
    let message = cause.to_string();
    let lease = folder.path().join("id.lease").display().to_string();
    assert!(message.contains(&lease), "{message}");
    assert!(
        message.contains(&format!("process {} on ", std::process::id())),
        "{message}"
    );
    let other = FileRecords::open(folder.path()).await.unwrap();
    assert!(message.contains(&other.holder("id").await.unwrap().unwrap()));
    drop(first);
    assert_eq!(other.holder("id").await.unwrap(), None);
    FileRecords::lock(folder.path(), "id").await.unwrap();
}

#[tokio::test]
async fn a_holder_whose_lease_is_gone_changes_nothing_any_more() {
    for taken in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let lease = folder.path().join("id.lease");
        let first = FileRecords::lock(folder.path(), "id").await.unwrap();
        let saved = first.save("id", Bytes::from_static(b"1"), None).await;
        fs::remove_file(&lease).unwrap();
        let second = match taken {
            true => Some(FileRecords::lock(folder.path(), "id").await.unwrap()),
            false => None,
        };
        let saved = saved.unwrap();
        let conflicts = [
            first
                .save("id", Bytes::from_static(b"2"), Some(&saved))
                .await,
            first.remove("id", &saved).await.map(|()| String::new()),
        ];
        for conflict in conflicts {
            let Err(StoreError::Conflict(cause)) = conflict else {
                panic!("{conflict:?}");
            };
            let message = cause.to_string();
            assert!(message.contains(&lease.display().to_string()), "{message}");
            assert_eq!(message.contains("is held by process "), taken, "{message}");
        }
        assert_eq!(first.load("id").await.unwrap().unwrap().bytes, "1");
        if let Some(second) = second {
            second
                .save("id", Bytes::from_static(b"2"), Some(&saved))
                .await
                .unwrap();
        }
    }
}

#[tokio::test]
async fn a_save_that_can_not_be_written_leaves_the_state_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileRecords::lock(folder.path(), "id").await.unwrap();
    let revision = store
        .save("id", Bytes::from_static(b"old"), None)
        .await
        .unwrap();
    // A folder in the place of the temporary file can not be removed as a file.
    fs::create_dir(folder.path().join("id.json.tmp")).unwrap();
    let error = store
        .save("id", Bytes::from_static(b"new"), Some(&revision))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("id.json"), "{error}");
    assert_eq!(store.load("id").await.unwrap().unwrap().bytes, "old");
}

#[tokio::test]
async fn a_file_larger_than_the_limit_is_corrupt() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileRecords::lock(folder.path(), "id").await.unwrap();
    let file = File::create(folder.path().join("id.json")).unwrap();
    file.set_len(STATE_MAX as u64 + 1).unwrap();
    assert!(matches!(
        store.load("id").await,
        Err(StoreError::Corrupt(_))
    ));
}
