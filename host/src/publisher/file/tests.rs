//! What only a file can suffer; the rest is in the contract suite of the destinations.

use std::fs;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use bytes::Bytes;

use super::*;
use crate::publisher::destination::Committed;

fn messages(ids: std::ops::Range<u128>) -> Vec<Message> {
    let message = |id| Message {
        id,
        key: None,
        payload: Bytes::from_static(b"{}"),
        headers: vec![],
    };
    ids.map(message).collect()
}

/// A process that is being started shares all open files, and with them their locks, until
/// it is another program: none is started while a test opens a file again.
static STARTING: RwLock<()> = RwLock::new(());

struct Folder(
    PathBuf,
    #[expect(dead_code, reason = "held, not read")] RwLockReadGuard<'static, ()>,
);

impl Folder {
    fn new(test: &str) -> Self {
        let root = std::env::temp_dir().join(format!("file-{test}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        Self(
            root,
            STARTING.read().unwrap_or_else(PoisonError::into_inner),
        )
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

fn ends(written: Vec<Range>) -> Vec<Offset> {
    written.iter().map(Range::end).collect()
}

fn tear(path: &Path, bytes: &str) {
    let torn = fs::read_to_string(path).unwrap() + bytes;
    fs::write(path, torn).unwrap();
}

#[tokio::test]
async fn a_torn_last_line_behind_the_saved_position_is_cut_off() {
    let folder = Folder::new("torn");
    let start = folder.open().ends().await.unwrap();
    let middle = ends(folder.open().append(&messages(1..3)).await.unwrap());
    let end = ends(folder.open().append(&messages(3..5)).await.unwrap());
    let whole = fs::read(folder.open().path()).unwrap();
    for torn in ["{", "{\"id\":\"000", &"x".repeat(200_000)] {
        for (from, ids) in [(&start, 4), (&middle, 2), (&end, 0)] {
            tear(folder.open().path(), torn);
            let mut destination = folder.open();
            let tail = destination.read(&Wanted::since(from)).await.unwrap();
            assert_eq!((tail.ids.len(), &tail.end), (ids, &end));
            let left = fs::read(destination.path()).unwrap();
            assert!(left == whole, "{} bytes from {from:?}", torn.len());
        }
    }
}

/// What a call does to a file of which no line end is known to be acknowledged.
#[tokio::test]
async fn a_file_that_cannot_be_told_to_be_ours_is_refused_and_stays_as_it_is() {
    let folder = Folder::new("users");
    let path = folder.open().path().to_owned();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let at = |next| vec![Offset { partition: 0, next }];
    let unfinished = "does not end with a line break";
    let rows = [
        ("one line", None, unfinished),
        ("first\nlast line", None, unfinished),
        ("first\nlast line", Some(at(8)), "inside a line"),
        ("first\nlast line", Some(at(15)), "inside a line"),
        ("first\nlast line", Some(at(99)), "84 bytes of acknowledged"),
        ("first\n", Some(at(8)), "2 bytes of acknowledged"),
    ];
    for (content, from, expected) in rows {
        fs::write(&path, content).unwrap();
        let mut destination = folder.open();
        let error = match &from {
            Some(from) => destination.read(&Wanted::since(from)).await.unwrap_err(),
            None => destination.ends().await.unwrap_err(),
        };
        assert!(
            !error.transient && error.to_string().contains(expected),
            "{content:?} from {from:?}: {error}"
        );
        if expected == unfinished {
            let error = destination.append(&messages(1..2)).await.unwrap_err();
            assert_eq!(
                (error.transient, &error.committed),
                (false, &Committed::Nothing)
            );
            assert!(error.to_string().contains("move the file away"), "{error}");
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
    }
}

#[tokio::test]
async fn a_last_line_that_somebody_finished_is_kept_and_written_after() {
    let folder = Folder::new("finished");
    let mut destination = folder.open();
    let path = destination.path().to_owned();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, "a line").unwrap();
    destination.ends().await.unwrap_err();
    fs::write(&path, "a line\n").unwrap();
    assert_eq!(destination.ends().await.unwrap()[0].next, 7);
    destination.append(&messages(1..2)).await.unwrap();
    let content = fs::read_to_string(&path).unwrap();
    assert!(content.starts_with("a line\n{\"id\":"), "{content}");
}

#[tokio::test]
async fn a_line_torn_in_this_run_is_cut_off_without_a_saved_position_too() {
    let folder = Folder::new("this-run");
    let mut destination = folder.open();
    let end = ends(destination.append(&messages(1..3)).await.unwrap());
    tear(destination.path(), "{\"id\":");
    let error = destination.append(&messages(3..4)).await.unwrap_err();
    assert_eq!(error.committed, Committed::Unknown);
    assert_eq!(destination.ends().await.unwrap(), end);
    destination.append(&messages(3..4)).await.unwrap();
    let all = destination.read(&Wanted::default()).await.unwrap().ids;
    assert_eq!(all, [1, 2, 3]);
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
    assert_eq!(second.read(&Wanted::default()).await.unwrap().ids, [1, 2]);
}

#[tokio::test]
async fn bytes_that_nobody_acknowledged_are_found_by_reading() {
    let folder = Folder::new("foreign");
    let mut destination = folder.open();
    let end = ends(destination.append(&messages(1..3)).await.unwrap());
    let foreign = fs::read_to_string(destination.path())
        .unwrap()
        .replace('1', "7");
    tear(destination.path(), &foreign);
    let error = destination.append(&messages(3..4)).await.unwrap_err();
    assert_eq!(error.committed, Committed::Unknown);
    tear(destination.path(), "{\"id\":");
    assert_eq!(
        destination.read(&Wanted::since(&end)).await.unwrap().ids,
        [7, 2]
    );
    destination.append(&messages(3..4)).await.unwrap();
    assert_eq!(
        destination.read(&Wanted::default()).await.unwrap().ids,
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
        let error = destination.read(&Wanted::since(&[from])).await.unwrap_err();
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
    let end = ends(destination.append(&messages(1..2)).await.unwrap());
    let many = messages(2..20_000);
    let mut append = destination.append(&many);
    // Ready at once if the disk is faster than this thread.
    let _begun = futures::poll!(&mut append);
    drop(append);
    destination.abandon();
    let tail = destination.read(&Wanted::since(&end)).await.unwrap();
    assert!(
        [0, many.len()].contains(&tail.ids.len()),
        "{} of them",
        tail.ids.len()
    );
    destination.append(&messages(90..91)).await.unwrap();
    assert_eq!(
        destination
            .read(&Wanted::since(&tail.end))
            .await
            .unwrap()
            .ids,
        [90]
    );
}

#[tokio::test]
async fn a_place_that_cannot_be_written_to_is_named_with_a_remedy() {
    for file_for_folder in [true, false] {
        let folder = Folder::new("unmade");
        if file_for_folder {
            fs::write(&folder.0, "a file").unwrap();
        } else {
            fs::create_dir_all(folder.open().path()).unwrap();
        }
        let error = folder.open().append(&messages(1..2)).await.unwrap_err();
        let expected = format!(
            "cannot open the output file {}: check that its folder exists and is writable, or \
             choose another [output] path: ",
            folder.open().path().display()
        );
        assert!(
            !error.transient && error.to_string().starts_with(&expected),
            "{error}"
        );
        let _ = fs::remove_file(&folder.0);
    }
}

#[test]
fn what_the_system_refuses_is_permanent_where_somebody_must_change_something() {
    use std::io::ErrorKind::*;
    let rows = [
        (StorageFull, true, "make room on that disk"),
        (QuotaExceeded, true, "make room on that disk"),
        (TimedOut, true, "check the path, the disk and its mount"),
        (PermissionDenied, false, "let this process write there"),
        (ReadOnlyFilesystem, false, "let this process write there"),
        (NotADirectory, false, "choose another [output] path"),
        (IsADirectory, false, "choose another [output] path"),
        (InvalidFilename, false, "choose another [output] path"),
        (AlreadyExists, false, "choose another [output] path"),
    ];
    for (kind, transient, remedy) in rows {
        let error = storage::failed("write to", Path::new("a/b"), kind.into());
        let text = error.to_string();
        assert!(
            text.starts_with("cannot write to the output file a/b: "),
            "{text}"
        );
        assert!(text.contains(remedy), "{text}");
        assert_eq!(error.transient, transient, "{text}");
    }
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
        limited
            .env(LIMITED, "1")
            .args(["-c", &script])
            .arg(test)
            .stdout(std::process::Stdio::piped());
        let alone = STARTING.write().unwrap_or_else(PoisonError::into_inner);
        let started = limited.spawn().unwrap();
        drop(alone);
        let output = started.wait_with_output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        );
        return;
    }
    let folder = Folder::new("limited");
    let mut destination = folder.open();
    let end = ends(destination.append(&messages(1..3)).await.unwrap());
    let error = destination.append(&messages(3..500)).await.unwrap_err();
    assert_eq!(
        (error.transient, &error.committed),
        (true, &Committed::Nothing),
        "{error}"
    );
    assert_eq!(fs::metadata(destination.path()).unwrap().len(), end[0].next);
    destination.append(&messages(3..5)).await.unwrap();
    assert_eq!(
        destination.read(&Wanted::default()).await.unwrap().ids,
        [1, 2, 3, 4]
    );
}
