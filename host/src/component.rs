//! Where a component comes from, and what is checked before it may run.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use wasmtime::component::Component as Compiled;

use crate::bindings::SourceConnectorPre;
use crate::sandbox::Sandbox;
use crate::source_state::SourceState;

/// The component that is built with the program.
const EMBEDDED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/component.wasm"));
/// The name under which configurations of the native connector know it.
const EMBEDDED_NAME: &str = "iggy_connector_elasticsearch_source";

/// A component, compiled and checked against the imports.
#[derive(Clone)]
pub struct Component {
    pre: SourceConnectorPre<SourceState>,
    origin: Origin,
    imports: Vec<String>,
}

/// Where a component comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Built with the program.
    Embedded,
    /// A file.
    File(PathBuf),
}

impl Origin {
    /// What a configured path names: a file, also without its extension, or the embedded
    /// component under its old name where no such file lies.
    ///
    /// # Errors
    /// If it names neither.
    pub fn find(path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = path else {
            return Ok(Self::Embedded);
        };
        let with_extension = path.with_extension("wasm");
        if let Some(file) = [path, &with_extension]
            .into_iter()
            .find(|file| is_component(file))
        {
            return Ok(Self::File(file.to_owned()));
        }
        if is_named_as_embedded(path) {
            return Ok(Self::Embedded);
        }
        bail!(
            "there is no component at {}; give the path of a .wasm file, or leave \"path\" out to use the embedded one",
            path.display()
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
    name.strip_prefix("lib").unwrap_or(name) == EMBEDDED_NAME
}

/// A file of that name may also be the native library; only a component counts.
fn is_component(file: &Path) -> bool {
    file.is_file() && file.extension().is_none_or(|extension| extension == "wasm")
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Embedded => f.write_str("the embedded component"),
            Self::File(path) => write!(f, "component {}", path.display()),
        }
    }
}

impl Component {
    /// Compiles a component and checks the type of every import and export.
    ///
    /// # Errors
    /// If it can not be read, is no component, imports what is not granted, or exports no
    /// source of this world.
    pub fn load(sandbox: &Sandbox, origin: Origin) -> anyhow::Result<Self> {
        if let (Origin::Embedded, Some(component)) = (&origin, sandbox.embedded.get()) {
            return Ok(component.clone());
        }
        let component = Self::compile(sandbox, origin)?;
        if component.origin == Origin::Embedded {
            return Ok(sandbox.embedded.get_or_init(|| component).clone());
        }
        Ok(component)
    }

    fn compile(sandbox: &Sandbox, origin: Origin) -> anyhow::Result<Self> {
        let compiled = match &origin {
            Origin::Embedded => Compiled::from_binary(sandbox.engine(), EMBEDDED),
            Origin::File(path) => Compiled::from_file(sandbox.engine(), path),
        };
        let compiled = compiled
            .map_err(anyhow::Error::from)
            .with_context(|| format!("{origin} can not be compiled"))?;
        let component = compiled.component_type();
        let mut imports: Vec<_> = component
            .imports(sandbox.engine())
            .map(|(name, _)| name.to_owned())
            .collect();
        imports.sort();
        let linked = sandbox
            .linker()
            .instantiate_pre(&compiled)
            .and_then(SourceConnectorPre::new);
        let pre = linked.map_err(anyhow::Error::from).with_context(|| {
            format!("{origin} does not fit the world iggy:connector/source-connector")
        })?;
        Ok(Self {
            pre,
            origin,
            imports,
        })
    }

    /// Where it came from.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// What it imports, sorted: its permissions.
    pub fn imports(&self) -> &[String] {
        &self.imports
    }

    pub(crate) fn pre(&self) -> &SourceConnectorPre<SourceState> {
        &self.pre
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_file_or_the_embedded_component_or_is_an_error() {
        let folder = std::env::temp_dir().join(format!("component-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("mine.wasm");
        std::fs::write(&file, b"").unwrap();
        assert_eq!(Origin::find(None).unwrap(), Origin::Embedded);
        assert_eq!(
            Origin::find(Some(&file)).unwrap(),
            Origin::File(file.clone())
        );
        assert_eq!(
            Origin::find(Some(&folder.join("mine"))).unwrap(),
            Origin::File(file)
        );
        for name in [
            "target/release/libiggy_connector_elasticsearch_source",
            "iggy_connector_elasticsearch_source",
        ] {
            assert_eq!(
                Origin::find(Some(Path::new(name))).unwrap(),
                Origin::Embedded,
                "{name}"
            );
        }
        let error = Origin::find(Some(&folder.join("other")))
            .unwrap_err()
            .to_string();
        assert!(error.contains("there is no component at"), "{error}");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
