//! The components of tests/fixtures, each built once by the first test that needs it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// The file of this one, in Rust.
pub(crate) fn component(name: &'static str) -> PathBuf {
    static BUILT: Mutex<BTreeMap<&str, PathBuf>> = Mutex::new(BTreeMap::new());
    let mut built = BUILT.lock().unwrap();
    built.entry(name).or_insert_with(|| build(name)).clone()
}

/// A cargo of its own, as in host/build.rs, for what no build but that of the tests needs.
fn build(name: &str) -> PathBuf {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures");
    let target_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fixtures");
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .current_dir(fixtures.join(name))
        .args(["build", "--locked", "--quiet", "--lib"])
        .args(["--target", "wasm32-wasip2", "--profile", "component"])
        .arg("--target-dir")
        .arg(&target_dir);
    run_apart(&mut cargo);
    target_dir.join(format!("wasm32-wasip2/component/{name}.wasm"))
}

/// Without what the build of the tests is told.
fn run_apart(cargo: &mut Command) {
    let built = cargo
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("RUSTFLAGS")
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .status()
        .unwrap();
    assert!(built.success(), "its messages stand above");
}

/// The file of the embedded component as `cargo component` builds it, which `CARGO_COMPONENT`
/// names.
pub(crate) fn by_cargo_component() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let target_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cargo-component");
    let tool = std::env::var_os("CARGO_COMPONENT").expect("as when the tests were built");
    let mut cargo = Command::new(tool);
    cargo
        .current_dir(root)
        .args(["component", "build", "--locked", "--quiet"])
        .args(["-p", "iggy-connector-elasticsearch-source"])
        .args(["--target", "wasm32-wasip2", "--target-dir"])
        .arg(&target_dir);
    run_apart(&mut cargo);
    target_dir.join("wasm32-wasip2/debug/iggy_connector_elasticsearch_source.wasm")
}

/// The file of the feed in Python, built by the tool that `COMPONENTIZE_PY` names.
pub(crate) fn in_python() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("feed-in-python.wasm");
    let tool = std::env::var_os("COMPONENTIZE_PY").expect("as when the tests were built");
    let built = Command::new(tool)
        .current_dir(root)
        .args([
            "-d",
            "wit",
            "-w",
            "source-connector",
            "componentize",
            "--stub-wasi",
        ])
        .args(["-p", "tests/fixtures/feed-in-python", "feed", "-o"])
        .arg(&file)
        .status()
        .unwrap();
    assert!(built.success(), "its messages stand above");
    file
}
