//! What only a file can suffer; the rest is in the contract suite of the destinations.

use std::fs;

use bytes::Bytes;

use super::*;
use crate::publisher::destination::Committed;

fn messages(ids: std::ops::Range<u128>) -> Vec<Message> {
    let message = |id| Message {
        id,
        payload: Bytes::from_static(b"{}"),
        headers: vec![],
    };
    ids.map(message).collect()
}

struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let root = std::env::temp_dir().join(format!("file-{test}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        Self(root)
    }

    fn open(&self) -> FileDestination {
        FileDestination::new(&self.0, "s", "t").unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn tear(path: &Path, bytes: &str) {
    let torn = fs::read_to_string(path).unwrap() + bytes;
    fs::write(path, torn).unwrap();
}

#[tokio::test]
async fn a_torn_last_line_is_cut_off_before_reading_and_before_appending() {
    let folder = Folder::new("torn");
    for first_call_reads in [true, false] {
        let end = folder.open().append(&messages(1..3)).await.unwrap();
        let whole = fs::read(folder.open().path()).unwrap();
        for torn in ["{", "{\"id\":\"000", &"x".repeat(200_000)] {
            tear(folder.open().path(), torn);
            let mut destination = folder.open();
            if first_call_reads {
                let tail = destination.read_from(Some(&end)).await.unwrap();
                assert_eq!((tail.ids.len(), &tail.end), (0, &end));
            } else {
                destination.append(&[]).await.unwrap();
            }
            assert!(
                fs::read(destination.path()).unwrap() == whole,
                "{} bytes",
                torn.len()
            );
        }
        fs::remove_file(folder.open().path()).unwrap();
    }
}

#[tokio::test]
async fn a_second_writer_is_kept_out_until_the_first_is_gone() {
    let folder = Folder::new("lock");
    let mut first = folder.open();
    first.append(&messages(1..2)).await.unwrap();
    let mut second = folder.open();
    let error = second.append(&messages(2..3)).await.unwrap_err();
    assert_eq!(
        (error.transient, &error.committed),
        (true, &Committed::Nothing)
    );
    assert!(
        error.to_string().contains("another process writes to"),
        "{error}"
    );
    drop(first);
    second.append(&messages(2..3)).await.unwrap();
    assert_eq!(second.read_from(Some(&[])).await.unwrap().ids, [1, 2]);
}

#[tokio::test]
async fn bytes_that_nobody_acknowledged_are_found_by_reading() {
    let folder = Folder::new("foreign");
    let mut destination = folder.open();
    let end = destination.append(&messages(1..3)).await.unwrap();
    let foreign = fs::read_to_string(destination.path())
        .unwrap()
        .replace('1', "7");
    tear(destination.path(), &foreign);
    let error = destination.append(&messages(3..4)).await.unwrap_err();
    assert_eq!(error.committed, Committed::Unknown);
    tear(destination.path(), "{\"id\":");
    assert_eq!(destination.read_from(Some(&end)).await.unwrap().ids, [7, 2]);
    destination.append(&messages(3..4)).await.unwrap();
    assert_eq!(
        destination.read_from(Some(&[])).await.unwrap().ids,
        [1, 2, 7, 2, 3]
    );
}

#[tokio::test]
async fn a_file_that_is_not_the_one_of_the_saved_position_is_a_permanent_error() {
    let folder = Folder::new("other");
    let mut destination = folder.open();
    destination.append(&messages(1..3)).await.unwrap();
    let rows = [
        (
            Offset {
                partition: 0,
                next: 7,
            },
            "inside a line",
        ),
        (
            Offset {
                partition: 0,
                next: 1_000_000,
            },
            "bytes of acknowledged messages are gone",
        ),
        (
            Offset {
                partition: 1,
                next: 0,
            },
            "the partition 0 only",
        ),
    ];
    for (from, expected) in rows {
        let error = destination.read_from(Some(&[from])).await.unwrap_err();
        assert!(
            !error.transient && error.to_string().contains(expected),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_file_that_was_deleted_or_cut_while_in_use_is_a_permanent_error() {
    let folder = Folder::new("deleted");
    let mut destination = folder.open();
    destination.append(&messages(1..3)).await.unwrap();
    fs::OpenOptions::new()
        .write(true)
        .open(destination.path())
        .unwrap()
        .set_len(3)
        .unwrap();
    let error = destination.append(&messages(3..4)).await.unwrap_err();
    assert!(
        !error.transient && error.to_string().contains("are gone"),
        "{error}"
    );
    fs::remove_file(destination.path()).unwrap();
    let error = destination.append(&messages(3..4)).await.unwrap_err();
    assert!(
        !error.transient && error.to_string().contains("moved or deleted"),
        "{error}"
    );
}

#[tokio::test]
async fn a_write_whose_caller_is_gone_ends_before_the_next_call() {
    let folder = Folder::new("dropped");
    let mut destination = folder.open();
    let end = destination.append(&messages(1..2)).await.unwrap();
    let many = messages(2..20_000);
    let mut append = destination.append(&many);
    assert!(futures::poll!(&mut append).is_pending());
    drop(append);
    destination.abandon();
    let tail = destination.read_from(Some(&end)).await.unwrap();
    assert!(
        [0, many.len()].contains(&tail.ids.len()),
        "{} of them",
        tail.ids.len()
    );
    destination.append(&messages(90..91)).await.unwrap();
    assert_eq!(
        destination.read_from(Some(&tail.end)).await.unwrap().ids,
        [90]
    );
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_named() {
    let folder = Folder::new("unmade");
    fs::write(&folder.0, "a file").unwrap();
    let error = folder.open().append(&messages(1..2)).await.unwrap_err();
    assert!(
        error.to_string().contains("cannot open the output file"),
        "{error}"
    );
    fs::remove_file(&folder.0).unwrap();
}

/// The file system refuses more in the middle of a write: the test runs itself again in a
/// process whose files may have 4 KB.
#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_write_that_fails_half_way_leaves_the_file_as_it_was() {
    const LIMITED: &str = "FILE_SIZE_IS_LIMITED";
    let this = "a_write_that_fails_half_way_leaves_the_file_as_it_was";
    if std::env::var_os(LIMITED).is_none() {
        let script = format!("trap '' XFSZ; ulimit -f 8; exec \"$0\" {this}");
        let test = std::env::current_exe().unwrap();
        let mut limited = std::process::Command::new("sh");
        let output = limited
            .env(LIMITED, "1")
            .args(["-c", &script])
            .arg(test)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        );
        return;
    }
    let folder = Folder::new("limited");
    let mut destination = folder.open();
    let end = destination.append(&messages(1..3)).await.unwrap();
    let error = destination.append(&messages(3..500)).await.unwrap_err();
    assert_eq!(
        (error.transient, &error.committed),
        (true, &Committed::Nothing),
        "{error}"
    );
    assert_eq!(fs::metadata(destination.path()).unwrap().len(), end[0].next);
    destination.append(&messages(3..5)).await.unwrap();
    assert_eq!(
        destination.read_from(Some(&[])).await.unwrap().ids,
        [1, 2, 3, 4]
    );
}
