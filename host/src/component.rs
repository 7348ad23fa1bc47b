//! Where a component comes from, and what is checked before it may run.

mod apart;
mod bulk;
mod cache;
mod content;
mod digest;
mod fit;
mod inspection;
mod origin;
mod permission;
mod registry;
mod shelf;

use std::sync::Arc;

use wasmtime::component::Component as Compiled;

use crate::bindings::SourceConnectorPre;
use crate::sandbox::Sandbox;
use crate::source_state::SourceState;

pub use cache::CompileCache;
pub use content::{COMPONENT_MAX, Content};
pub use digest::Digest;
pub use inspection::{Export, Import, Inspection, Tool};
pub use origin::Origin;
pub(crate) use origin::is_named_as_embedded;
pub use permission::{Permission, WORLD, WORLD_VERSION};
pub use registry::Reference;
pub(crate) use registry::{SCHEME as REGISTRY_SCHEME, in_registry};
use shelf::Linked;
pub(crate) use shelf::Shelf;

/// A component, compiled and checked against the imports.
#[derive(Clone)]
pub struct Component {
    linked: Arc<Linked>,
    origin: Origin,
    digest: Digest,
}

impl Component {
    /// Compiles a component and checks the type of every import and export. The same bytes are
    /// compiled once, for all sources of a sandbox that use them.
    ///
    /// # Errors
    /// If it is no component or a damaged one, was built for another version of the world,
    /// imports what is not granted, or exports no source. Nothing of it has run by then.
    pub fn load(sandbox: &Sandbox, content: &Content) -> anyhow::Result<Self> {
        let (origin, digest) = (content.origin(), content.digest());
        let make = || link(sandbox, origin, &compiled(sandbox, content)?);
        let for_good = *origin == Origin::Embedded;
        let linked = sandbox.shelf().find_or_make(digest, for_good, make)?;
        Ok(Self {
            linked,
            origin: origin.clone(),
            digest,
        })
    }

    /// Where it came from.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The SHA-256 of its bytes.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// What it imports, sorted: its permissions.
    pub fn imports(&self) -> &[String] {
        &self.linked.imports
    }

    pub(crate) fn pre(&self) -> &SourceConnectorPre<SourceState> {
        &self.linked.pre
    }
}

fn link(sandbox: &Sandbox, origin: &Origin, compiled: &Compiled) -> anyhow::Result<Linked> {
    let (imports, exports) = names(sandbox, compiled);
    fit::fits(origin, &imports, &exports)?;
    let linked = sandbox.linker().instantiate_pre(compiled);
    let pre = linked
        .and_then(SourceConnectorPre::new)
        .map_err(|cause| fit::not_linked(origin, cause))?;
    Ok(Linked { pre, imports })
}

/// From the cache, where it is known there.
fn compiled(sandbox: &Sandbox, content: &Content) -> anyhow::Result<Compiled> {
    let (engine, digest) = (sandbox.engine(), content.digest());
    let known = sandbox.cache().and_then(|cache| cache.find(engine, digest));
    if let Some(known) = known {
        return Ok(known);
    }
    fit::is_whole(content)?;
    bulk::is_moderate(content)?;
    let compiled = Compiled::from_binary(engine, content.bytes())
        .map_err(|cause| fit::not_compiled(content.origin(), cause))?;
    if let Some(cache) = sandbox.cache() {
        cache.keep(engine, digest, &compiled);
    }
    Ok(compiled)
}

/// The names of what is imported and exported, sorted.
fn names(sandbox: &Sandbox, compiled: &Compiled) -> (Vec<String>, Vec<String>) {
    let (of, engine) = (compiled.component_type(), sandbox.engine());
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names
    };
    let imports = of.imports(engine).map(|(name, _)| name.to_owned());
    let exports = of.exports(engine).map(|(name, _)| name.to_owned());
    (sorted(imports.collect()), sorted(exports.collect()))
}
