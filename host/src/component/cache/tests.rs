use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;
use wasmtime::Config;

use super::*;

/// A component that exports one function, and its bytes.
fn component(name: &str) -> Vec<u8> {
    let text = format!(
        r#"(component (core module $m (func (export "f"))) (core instance $i (instantiate $m))
           (func (export "{name}") (canon lift (core func $i "f"))))"#
    );
    wat::parse_str(text).unwrap()
}

/// What somebody makes of an entry.
type Change = fn(&[u8]) -> Vec<u8>;

struct Cached {
    folder: TempDir,
    cache: CompileCache,
    engine: Engine,
    digest: Digest,
}

impl Cached {
    /// A cache that holds one component.
    fn one() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let cache = CompileCache::open(&folder.path().join("cache"), 1 << 20).unwrap();
        let (engine, bytes) = (Engine::default(), component("one"));
        let digest = Digest::of(&bytes);
        assert!(cache.find(&engine, digest).is_none());
        let compiled = Compiled::from_binary(&engine, &bytes).unwrap();
        cache.keep(&engine, digest, &compiled);
        Self {
            folder,
            cache,
            engine,
            digest,
        }
    }

    fn find(&self) -> Option<Compiled> {
        self.cache.find(&self.engine, self.digest)
    }

    fn entries(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.folder.path().join("cache")).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    fn entry(&self) -> PathBuf {
        let [entry] = &self.entries()[..] else {
            panic!("one entry expected")
        };
        entry.clone()
    }
}

#[test]
fn what_was_kept_is_found_again_and_is_what_was_compiled() {
    let cached = Cached::one();
    let found = cached.find().unwrap();
    let component = found.component_type();
    let exports: Vec<_> = component
        .exports(&cached.engine)
        .map(|(name, _)| name.to_owned())
        .collect();
    assert_eq!(exports, ["one"]);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&cached.folder.path().join("cache")), 0o700);
    assert_eq!(mode(&cached.entry()), 0o600);
}

#[test]
fn another_component_or_another_setting_has_no_entry() {
    let cached = Cached::one();
    let other = Digest::of(&component("other"));
    assert!(cached.cache.find(&cached.engine, other).is_none());
    let mut config = Config::new();
    config.epoch_interruption(true);
    let engine = Engine::new(&config).unwrap();
    assert!(cached.cache.find(&engine, cached.digest).is_none());
    assert!(cached.find().is_some());
}

#[test]
fn an_entry_with_another_byte_is_noticed_removed_and_never_run() {
    let length = fs::metadata(Cached::one().entry()).unwrap().len();
    for at in (0..length).step_by(997).chain([0, 31, 32, length - 1]) {
        let cached = Cached::one();
        let entry = cached.entry();
        let mut bytes = fs::read(&entry).unwrap();
        bytes[usize::try_from(at).unwrap()] ^= 1;
        fs::write(&entry, bytes).unwrap();
        assert!(cached.find().is_none(), "{at}");
        assert_eq!(cached.entries(), [] as [PathBuf; 0]);
    }
}

#[test]
fn an_entry_that_is_cut_off_or_longer_or_anothers_is_not_run() {
    let changes: [Change; 5] = [
        |_| Vec::new(),
        |bytes| bytes[..16].to_vec(),
        |bytes| bytes[..32].to_vec(),
        |bytes| bytes[..bytes.len() / 2].to_vec(),
        |bytes| [bytes, b"x"].concat(),
    ];
    for change in changes {
        let cached = Cached::one();
        let bytes = fs::read(cached.entry()).unwrap();
        fs::write(cached.entry(), change(&bytes)).unwrap();
        assert!(cached.find().is_none());
    }
    let cached = Cached::one();
    let right = cached.entry();
    let bytes = component("other");
    let other = Compiled::from_binary(&cached.engine, &bytes).unwrap();
    cached
        .cache
        .keep(&cached.engine, Digest::of(&bytes), &other);
    let others = cached.entries().into_iter().find(|entry| *entry != right);
    let others = fs::read(others.unwrap()).unwrap();
    fs::write(&right, others).unwrap();
    assert!(cached.find().is_none());
}

#[test]
fn an_entry_that_others_can_write_is_not_run() {
    let cached = Cached::one();
    fs::set_permissions(cached.entry(), Permissions::from_mode(0o622)).unwrap();
    assert!(cached.find().is_none());
    let cached = Cached::one();
    let (entry, elsewhere) = (cached.entry(), cached.folder.path().join("elsewhere"));
    fs::rename(&entry, &elsewhere).unwrap();
    symlink(&elsewhere, &entry).unwrap();
    assert!(cached.find().is_none());
    let cached = Cached::one();
    fs::hard_link(cached.entry(), cached.folder.path().join("second")).unwrap();
    assert!(cached.find().is_none());
}

/// Makes something another user's, which only root can do.
fn give_away(path: &Path) {
    std::os::unix::fs::chown(path, Some(1), None).unwrap();
}

#[test]
fn what_belongs_to_another_user_is_not_used() {
    let error = |folder: &Path| CompileCache::open(folder, 1).unwrap_err().to_string();
    if !rustix::process::geteuid().is_root() {
        let refused = error(Path::new("/usr"));
        assert!(refused.contains("can be written by others"), "{refused}");
        return;
    }
    let cached = Cached::one();
    give_away(&cached.entry());
    assert!(cached.find().is_none());
    let folder = tempfile::tempdir().unwrap();
    give_away(folder.path());
    let refused = error(folder.path());
    assert!(refused.contains("can be written by others"), "{refused}");
}

#[test]
fn a_folder_that_others_can_write_is_refused_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    for mode in [0o777, 0o770, 0o702] {
        fs::set_permissions(folder.path(), Permissions::from_mode(mode)).unwrap();
        let error = CompileCache::open(folder.path(), 1)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("chmod 700") && error.contains("[cache]"),
            "{error}"
        );
    }
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = CompileCache::open(&file, 1).unwrap_err();
    assert!(
        format!("{error:#}").contains("choose another path in [cache]"),
        "{error:#}"
    );
}

#[test]
fn what_was_not_used_for_longest_goes_first_and_so_does_what_was_never_finished() {
    let cached = Cached::one();
    let (first, folder) = (cached.entry(), cached.folder.path().join("cache"));
    let length = fs::metadata(&first).unwrap().len();
    let aged = |path: &Path, days: u64| {
        let time = SystemTime::now() - Duration::from_secs(days * 86_400);
        fs::File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_modified(time)
            .unwrap();
    };
    for (name, days) in [
        ("old.compiled", 3),
        ("older.compiled", 4),
        (".unfinished-a", 2),
        (".unfinished-b", 0),
        ("other", 9),
    ] {
        let path = folder.join(name);
        fs::write(&path, vec![0; usize::try_from(length).unwrap()]).unwrap();
        aged(&path, days);
    }
    aged(&first, 5);
    assert!(cached.find().is_some());
    cached.cache.folder.shrink(2 * length).unwrap();
    let mut left: Vec<_> = cached
        .entries()
        .iter()
        .map(|path| path.file_name().unwrap().to_owned())
        .collect();
    left.sort();
    let mut expected = [
        ".unfinished-b".into(),
        "old.compiled".into(),
        "other".into(),
        first.file_name().unwrap().to_owned(),
    ];
    expected.sort();
    assert_eq!(left, expected);
}
