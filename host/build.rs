//! Builds the guest, so that plain `cargo build`, `run` and `test` need no further step.
//!
//! A nested cargo with a target folder of its own: the outer one holds the lock of its own.
//! The idea is that of wasmtime's crates/test-programs/artifacts.

use std::env;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

#[path = "../tests/build.rs"]
mod tests;

const TARGET: &str = "wasm32-wasip2";
const PACKAGE: &str = "iggy-connector-elasticsearch-source";

fn main() -> Result<(), Box<dyn Error>> {
    tests::announce_what_is_named();
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=../tests/build.rs");
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("..");
    for watched in [
        "guest/src",
        "guest/Cargo.toml",
        "wit",
        "Cargo.toml",
        "Cargo.lock",
    ] {
        println!("cargo:rerun-if-changed={}", root.join(watched).display());
    }
    let out = PathBuf::from(env::var("OUT_DIR")?);
    require_target(&root)?;
    build(&root, &out.join("guest"))?;
    let built = out
        .join("guest")
        .join(TARGET)
        .join("component")
        .join(PACKAGE.replace('-', "_"));
    std::fs::copy(built.with_extension("wasm"), out.join("component.wasm"))?;
    Ok(())
}

fn build(root: &Path, target_dir: &Path) -> Result<(), Box<dyn Error>> {
    let status = Command::new(env::var("CARGO")?)
        .current_dir(root)
        .args(["build", "--locked", "--package", PACKAGE, "--lib"])
        .args(["--target", TARGET, "--profile", "component"])
        .arg("--target-dir")
        .arg(target_dir)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("RUSTFLAGS")
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .status()?;
    if !status.success() {
        return Err("the guest could not be built; its messages stand above".into());
    }
    Ok(())
}

/// Where rustup does not install by itself what rust-toolchain.toml names, say how.
fn require_target(root: &Path) -> Result<(), Box<dyn Error>> {
    let rustc = env::var("RUSTC")?;
    let shown = Command::new(rustc)
        .current_dir(root)
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()?;
    let folder = PathBuf::from(String::from_utf8_lossy(&shown.stdout).trim());
    if folder.is_dir() {
        return Ok(());
    }
    Err(format!("the target {TARGET} is not installed; run `rustup toolchain install` in the project's folder").into())
}
