//! What a component is, for people: what it may do, what it offers, who made it.

use serde::Serialize;
use wasmparser::{KnownCustom, Parser, Payload, ProducersSectionReader};
use wasmtime::component::types::ComponentItem;

use super::content::Content;
use super::fit;
use super::permission::{Permission, WORLD, split};
use super::{compiled, link};
use crate::sandbox::Sandbox;

/// The most tools that are listed; a component of many parts may name more.
const TOOLS_MAX: usize = 64;

/// What was seen of a component that may not fit.
#[derive(Debug, Serialize)]
pub struct Inspection {
    /// Where it came from.
    pub origin: String,
    /// In bytes.
    pub size: usize,
    /// The digest of its bytes.
    pub sha256: String,
    /// The world that it was built for, with its version, if it is a source at all.
    pub world: Option<String>,
    /// Why this program does not run it.
    pub refusal: Option<String>,
    /// What it imports, sorted.
    pub imports: Vec<Import>,
    /// What it exports, sorted.
    pub exports: Vec<Export>,
    /// What made it, as far as that is noted in it.
    pub toolchain: Vec<Tool>,
}

/// Something that a component wants to use.
#[derive(Debug, Serialize)]
pub struct Import {
    /// Its name with its version.
    pub name: String,
    /// Whether it may.
    pub granted: bool,
    /// What it would do with it.
    pub meaning: String,
}

/// Something that a component offers.
#[derive(Debug, Serialize)]
pub struct Export {
    /// Its name with its version.
    pub name: String,
    /// The functions in it, sorted.
    pub functions: Vec<String>,
}

/// A language or a tool, as a producers section has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Tool {
    /// `language`, `processed-by` or `sdk`.
    pub role: String,
    /// Its name.
    pub name: String,
    /// Its version, or nothing.
    pub version: String,
}

impl Inspection {
    /// Looks at a component without running anything of it.
    ///
    /// # Errors
    /// If it is no component, or can not be compiled.
    pub fn of(sandbox: &Sandbox, content: &Content) -> anyhow::Result<Self> {
        let compiled = compiled(sandbox, content)?;
        let (component, engine) = (compiled.component_type(), sandbox.engine());
        let imports = component.imports(engine).map(|(name, _)| Import::of(name));
        let mut imports: Vec<_> = imports.collect();
        imports.sort_by(|one, other| one.name.cmp(&other.name));
        let exports = component.exports(engine).map(|(name, item)| Export {
            name: name.to_owned(),
            functions: functions(sandbox, &item.ty),
        });
        let mut exports: Vec<_> = exports.collect();
        exports.sort_by(|one, other| one.name.cmp(&other.name));
        let refusal = link(sandbox, content.origin(), &compiled).err();
        Ok(Self {
            origin: content.origin().to_string(),
            size: content.bytes().len(),
            sha256: content.digest().to_string(),
            world: exports.iter().find_map(|export| world(&export.name)),
            refusal: refusal.map(|refusal| format!("{refusal:#}")),
            imports,
            exports,
            toolchain: toolchain(content.bytes()),
        })
    }
}

impl Import {
    fn of(name: &str) -> Self {
        let (granted, meaning) = match Permission::of(name) {
            Permission::Granted(words) => (true, words.to_owned()),
            Permission::Refused(words) => (false, words.to_owned()),
            Permission::OtherVersion(offered) => (false, format!("only {offered} is there")),
        };
        Self {
            name: name.to_owned(),
            granted,
            meaning,
        }
    }
}

/// The world is not noted in a component: who exports a source was built for it.
fn world(export: &str) -> Option<String> {
    let (name, version) = split(export);
    (name == fit::SOURCE).then(|| format!("{WORLD}@{}", version.unwrap_or("")))
}

fn functions(sandbox: &Sandbox, item: &ComponentItem) -> Vec<String> {
    let ComponentItem::ComponentInstance(instance) = item else {
        return Vec::new();
    };
    let items = instance.exports(sandbox.engine());
    let functions = items.filter(|(_, item)| matches!(item.ty, ComponentItem::ComponentFunc(_)));
    let mut names: Vec<_> = functions.map(|(name, _)| name.to_owned()).collect();
    names.sort();
    names
}

/// All that is noted, in the component and in its modules. What can not be read there is
/// left out: it changes nothing about the component.
fn toolchain(bytes: &[u8]) -> Vec<Tool> {
    let sections = Parser::new(0).parse_all(bytes).map_while(Result::ok);
    let mut tools = Vec::new();
    for section in sections {
        let Payload::CustomSection(section) = section else {
            continue;
        };
        if let KnownCustom::Producers(producers) = section.as_known() {
            tools.extend(tools_of(producers));
        }
    }
    tools.sort();
    tools.dedup();
    tools.truncate(TOOLS_MAX);
    tools
}

fn tools_of(producers: ProducersSectionReader<'_>) -> Vec<Tool> {
    let fields = producers.into_iter().map_while(Result::ok);
    let tools = fields.flat_map(|field| {
        let values = field.values.into_iter().map_while(Result::ok);
        values.map(move |tool| Tool {
            role: field.name.to_owned(),
            name: tool.name.to_owned(),
            version: tool.version.to_owned(),
        })
    });
    tools.take(TOOLS_MAX).collect()
}
