//! Whether something is a component that this program can run: each reason why not is an
//! error of its own, and nothing of it has run by then.

use anyhow::{anyhow, bail, ensure};
use wasmparser::{Parser, Payload};

use super::content::Content;
use super::origin::Origin;
use super::permission::{Permission, WORLD, WORLD_VERSION, are_compatible, is_ours, split};
use crate::capability::text::shown;

/// What WebAssembly begins with, whatever it is.
const MAGIC: &[u8] = b"\0asm";
/// What follows in a core module, and in a component.
const MODULE: &[u8] = &[1, 0, 0, 0];
const COMPONENT: &[u8] = &[0x0d, 0, 1, 0];
/// What a component must export.
pub(super) const SOURCE: &str = "iggy:connector/source";

/// Whether the bytes are those of a whole component. What its functions hold is looked at
/// when it is compiled.
///
/// # Errors
/// What they are instead, or where they break off.
pub(super) fn is_whole(content: &Content) -> anyhow::Result<()> {
    let (origin, bytes) = (content.origin(), content.bytes());
    let Some(format) = bytes.strip_prefix(MAGIC) else {
        bail!("{origin} is not WebAssembly: check \"path\"");
    };
    ensure!(
        !format.starts_with(MODULE),
        "{origin} is a core module and no component: build it for wasm32-wasip2, or make it one with `wasm-tools component new`"
    );
    if format.len() >= COMPONENT.len() {
        ensure!(
            format.starts_with(COMPONENT),
            "{origin} is in a format of WebAssembly that this program does not know: build it for wasm32-wasip2"
        );
    }
    let broken = Parser::new(0).parse_all(bytes).find_map(damage);
    broken.map_or(Ok(()), |(at, what)| {
        let length = bytes.len();
        Err(anyhow!(
            "{origin} is cut off or damaged at byte {at} of {length} ({what}): get it again"
        ))
    })
}

/// Where a part is none that belongs into a component, and what is there.
fn damage(part: wasmparser::Result<Payload<'_>>) -> Option<(usize, String)> {
    match part {
        Err(broken) => Some((broken.offset(), shown(broken.message()))),
        Ok(Payload::UnknownSection { id, range, .. }) => {
            Some((range.start, format!("there is no section {id}")))
        }
        Ok(_) => None,
    }
}

/// The error of who could not compile a whole component.
pub(super) fn not_compiled(origin: &Origin, cause: wasmtime::Error) -> anyhow::Error {
    anyhow::Error::from(cause).context(format!(
        "{origin} can not be compiled: it is damaged, or uses what this program does not know of WebAssembly"
    ))
}

/// The error of who could not link what has the right names.
pub(super) fn not_linked(origin: &Origin, cause: wasmtime::Error) -> anyhow::Error {
    anyhow::Error::from(cause).context(format!(
        "{origin} has other types than the world {WORLD}@{WORLD_VERSION} of this program: build it against the files in wit/"
    ))
}

/// Whether a component was built for this world, imports nothing that is not granted, and
/// exports a source.
///
/// # Errors
/// Names both versions, or each import that is refused, or what is exported instead.
pub(super) fn fits(origin: &Origin, imports: &[String], exports: &[String]) -> anyhow::Result<()> {
    let versions = imports.iter().chain(exports).filter(|name| is_ours(name));
    let mut versions = versions.map(|name| split(name).1.unwrap_or("no version"));
    if let Some(other) = versions.find(|version| !are_compatible(version, WORLD_VERSION)) {
        bail!(
            "{origin} was built for iggy:connector {other}, and this program offers {WORLD_VERSION}: use one that was built for this version, or the program that offers the other"
        );
    }
    let refused: Vec<_> = imports.iter().filter_map(|name| refusal(name)).collect();
    ensure!(
        refused.is_empty(),
        "{origin} imports what no component is granted: {}",
        shown(&refused.join("; "))
    );
    let is_source = |export: &String| split(export).0 == SOURCE;
    ensure!(
        exports.iter().any(is_source),
        "{origin} exports no {SOURCE}@{WORLD_VERSION}, {}: it is no source",
        match exports {
            [] => "and nothing else".to_owned(),
            exports => format!("only {}", shown(&exports.join(", "))),
        }
    );
    Ok(())
}

fn refusal(import: &str) -> Option<String> {
    match Permission::of(import) {
        Permission::Granted(_) => None,
        Permission::OtherVersion(offered) => Some(format!("{import} (only {offered} is there)")),
        Permission::Refused(words) => Some(format!("{import} ({words})")),
    }
}
