//! Where a component comes from: what a configured path names.
//!
//! A path is looked for as the connector runtime of Iggy looks for its plugins, so that a
//! configuration means the same file here and there.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{bail, ensure};

use super::registry::{self, Reference, SCHEME, in_registry};

/// The name under which configurations of the native connector know the embedded one.
const EMBEDDED_NAME: &str = "iggy_connector_elasticsearch_source";
/// Where the connector runtime of Iggy looks for plugins, after the program's own folder
/// and the working directory, in this order.
const SYSTEM_FOLDERS: [&str; 6] = [
    "/usr/lib",
    "/usr/lib64",
    "/lib",
    "/lib64",
    "/usr/local/lib",
    "/usr/local/lib64",
];
/// The extensions of native plugins, which are no components.
const NATIVE: [&str; 3] = ["so", "dylib", "dll"];

/// Where a component comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Built with the program.
    Embedded,
    /// A file.
    File(PathBuf),
    /// An artifact in a registry.
    Registry(Reference),
}

impl Origin {
    /// What a configured path names: a file, also without its extension or with another
    /// `lib` prefix, literally or in one of the folders for plugins; or the embedded
    /// component under its old name where no such file lies. A relative path is one from
    /// the working directory. One that begins with `oci://` names an artifact in a registry.
    ///
    /// # Errors
    /// If it names neither, with every place that was looked at.
    pub fn find(path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = path else {
            return Ok(Self::Embedded);
        };
        match path.to_str().and_then(in_registry) {
            Some(reference) => registry::parse(reference).map(Self::Registry),
            None => Self::find_in(path, &folders()),
        }
    }

    fn find_in(path: &Path, folders: &[PathBuf]) -> anyhow::Result<Self> {
        let name = path.file_name().and_then(|name| name.to_str());
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            bail!(
                "{} names no file; give the path of a .wasm file",
                path.display()
            );
        };
        let names = names(name);
        let parent = path.parent().unwrap_or(Path::new("")).to_owned();
        let places: Vec<_> = match path.is_absolute() {
            true => vec![parent],
            false => std::iter::once(parent).chain(folders.to_vec()).collect(),
        };
        let candidates = places
            .iter()
            .flat_map(|place| names.iter().map(|name| place.join(name)));
        if let Some(file) = candidates.into_iter().find(|file| is_component(file)) {
            return Ok(Self::File(file));
        }
        if is_named_as_embedded(path) {
            return Ok(Self::Embedded);
        }
        ensure!(
            !path.is_dir(),
            "{} is a directory: name the component's file",
            path.display()
        );
        bail!(
            "there is no component {}: looked for {} in {}; give the path of a .wasm file, or leave \"path\" out to use the embedded one",
            path.display(),
            names.join(", "),
            shown(&places)
        )
    }
}

/// Whether a path has the embedded component's own name, and so its configuration.
pub(crate) fn is_named_as_embedded(path: &Path) -> bool {
    let is_wasm = path
        .extension()
        .is_some_and(|extension| extension == "wasm");
    let name = if is_wasm {
        path.file_stem()
    } else {
        path.file_name()
    };
    let name = name.and_then(|name| name.to_str()).unwrap_or_default();
    without_prefix(name) == EMBEDDED_NAME
}

/// The names of files that a name may mean, the literal one first.
fn names(name: &str) -> Vec<String> {
    let stem = match Path::new(name).extension().and_then(|e| e.to_str()) {
        Some(extension) if extension == "wasm" || NATIVE.contains(&extension) => name
            .strip_suffix(extension)
            .and_then(|stem| stem.strip_suffix('.'))
            .unwrap_or(name),
        _ => name,
    };
    let bare = without_prefix(stem);
    let mut seen = BTreeSet::new();
    [
        name.to_owned(),
        format!("{stem}.wasm"),
        format!("{bare}.wasm"),
        format!("lib{bare}.wasm"),
    ]
    .into_iter()
    .filter(|name| seen.insert(name.clone()))
    .collect()
}

fn without_prefix(name: &str) -> &str {
    name.strip_prefix("lib").unwrap_or(name)
}

/// A file of that name may also be the native library; only a component counts.
fn is_component(file: &Path) -> bool {
    let native = |extension: &str| NATIVE.contains(&extension);
    let extension = file.extension().and_then(|extension| extension.to_str());
    file.is_file() && !extension.is_some_and(native)
}

/// Beside the program, in the working directory, and in the system's.
fn folders() -> Vec<PathBuf> {
    let program = std::env::current_exe().ok();
    let beside = program.and_then(|program| program.parent().map(Path::to_owned));
    let own = [beside, std::env::current_dir().ok()];
    let system = SYSTEM_FOLDERS.iter().map(PathBuf::from);
    own.into_iter().flatten().chain(system).collect()
}

fn shown(places: &[PathBuf]) -> String {
    let mut seen = BTreeSet::new();
    let places = places.iter().map(|place| match place.as_os_str() {
        name if name.is_empty() => "the working directory".to_owned(),
        _ => place.display().to_string(),
    });
    let places: Vec<_> = places.filter(|place| seen.insert(place.clone())).collect();
    places.join(", ")
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded => f.write_str("the embedded component"),
            Self::File(path) => write!(f, "component {}", path.display()),
            Self::Registry(reference) => write!(f, "component {SCHEME}{reference}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_file_or_the_embedded_component_or_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let within = |name: &str| folder.path().join(name);
        for name in [
            "mine.wasm",
            "libother.wasm",
            "v1.2.wasm",
            "any.component",
            "libn.so",
        ] {
            std::fs::write(within(name), b"").unwrap();
        }
        std::fs::create_dir(within("folder")).unwrap();
        assert_eq!(Origin::find(None).unwrap(), Origin::Embedded);
        let rows = [
            ("mine.wasm", "mine.wasm"),
            ("mine", "mine.wasm"),
            ("libmine", "mine.wasm"),
            ("libmine.so", "mine.wasm"),
            ("other", "libother.wasm"),
            ("other.wasm", "libother.wasm"),
            ("libother", "libother.wasm"),
            ("v1.2", "v1.2.wasm"),
            ("any.component", "any.component"),
        ];
        for (path, file) in rows {
            let found = Origin::find(Some(&within(path))).unwrap();
            assert_eq!(found, Origin::File(within(file)), "{path}");
        }
        for name in [
            "target/release/libiggy_connector_elasticsearch_source",
            "iggy_connector_elasticsearch_source",
        ] {
            let found = Origin::find_in(Path::new(name), &[]).unwrap();
            assert_eq!(found, Origin::Embedded, "{name}");
        }
        let shouted = Path::new("OCI://r.example/a:1");
        let quiet = Path::new("oci://r.example/a:1");
        assert_eq!(
            Origin::find(Some(shouted)).unwrap(),
            Origin::find(Some(quiet)).unwrap()
        );
        let error = Origin::find(Some(&within("folder")))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("is a directory: name the component's file"),
            "{error}"
        );
        for absent in ["absent", "libn.so", "v1"] {
            let error = Origin::find(Some(&within(absent))).unwrap_err().to_string();
            assert!(error.contains("there is no component"), "{error}");
            assert!(error.contains(&within("").display().to_string()), "{error}");
        }
        let error = Origin::find(Some(Path::new(".."))).unwrap_err();
        assert!(error.to_string().contains("names no file"), "{error}");
    }

    #[test]
    fn a_relative_path_is_looked_for_in_every_folder_by_its_name() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let folders = [first.path().to_owned(), second.path().to_owned()];
        let file = second.path().join("libplugin.wasm");
        std::fs::write(&file, b"").unwrap();
        let find = |path: &str| Origin::find_in(Path::new(path), &folders);
        assert_eq!(find("plugin").unwrap(), Origin::File(file.clone()));
        assert_eq!(find("target/release/plugin").unwrap(), Origin::File(file));
        let better = first.path().join("plugin.wasm");
        std::fs::write(&better, b"").unwrap();
        assert_eq!(find("plugin").unwrap(), Origin::File(better));
        let error = find("there/other").unwrap_err().to_string();
        for part in [
            "other, other.wasm, libother.wasm in there,".to_owned(),
            first.path().display().to_string(),
            second.path().display().to_string(),
        ] {
            assert!(error.contains(&part), "{error}");
        }
    }

    #[test]
    fn the_folders_are_those_of_the_connector_runtime() {
        let folders = folders();
        let beside = std::env::current_exe().unwrap();
        assert_eq!(folders[0], beside.parent().unwrap());
        assert_eq!(folders[1], std::env::current_dir().unwrap());
        assert_eq!(folders[2..], SYSTEM_FOLDERS.map(PathBuf::from));
    }
}
