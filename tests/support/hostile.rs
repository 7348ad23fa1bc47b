//! The component that does what no component should, built once by the first test that needs
//! it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Its file.
pub(crate) fn component() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(build)
}

/// A cargo of its own, as in host/build.rs, for what no build but that of the tests needs.
fn build() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/hostile");
    let target_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hostile");
    let built = Command::new(env!("CARGO"))
        .current_dir(folder)
        .args(["build", "--locked", "--quiet", "--lib"])
        .args(["--target", "wasm32-wasip2", "--profile", "component"])
        .arg("--target-dir")
        .arg(&target_dir)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("RUSTFLAGS")
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .status()
        .unwrap();
    assert!(built.success(), "its messages stand above");
    target_dir.join("wasm32-wasip2/component/hostile.wasm")
}
