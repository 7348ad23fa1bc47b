//! `component inspect`: what a component is, without running it.

use std::path::PathBuf;

use anyhow::Context as _;

use super::read;
use crate::cli::Ended;
use crate::cli::say::{say_all, say_json};
use crate::cli::state::Which;
use crate::component::{Content, Import, Inspection, Tool, in_registry};
use crate::config::Registry;
use crate::sandbox::Sandbox;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The component, found as path in a configuration is
    file: PathBuf,
    /// A configuration, for the registry that the component is in
    config: Option<PathBuf>,
    /// The source whose registry it is, where the configuration has several
    #[arg(long, value_name = "NAME", requires = "config")]
    source: Option<String>,
    /// Print everything as one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) async fn inspect(arguments: &Arguments) -> Ended {
    let content = match content(arguments).await {
        Ok(content) => content,
        Err(error) => return Ended::Misconfigured(error),
    };
    print(arguments, &content).map_or_else(Ended::Failed, |()| Ended::Well)
}

async fn content(arguments: &Arguments) -> anyhow::Result<Content> {
    let file = &arguments.file;
    if let Some(config) = &arguments.config {
        let which = Which::of(config.clone(), arguments.source.clone());
        return read(file, &which.load()?.1.registry).await;
    }
    let read = read(file, &Registry::default()).await;
    match file.to_str().and_then(in_registry) {
        Some(_) => read.context(
            "if the registry needs username, password or plain_http, name the configuration that has them behind the component",
        ),
        None => read,
    }
}

fn print(arguments: &Arguments, content: &Content) -> anyhow::Result<()> {
    let inspection = Inspection::of(&Sandbox::new()?, content)?;
    match arguments.json {
        true => say_json(&inspection),
        false => say_all(lines(&inspection)),
    }
}

fn lines(inspection: &Inspection) -> Vec<String> {
    let (size, sha256) = (inspection.size, &inspection.sha256);
    let refusal = inspection.refusal.as_deref();
    let world = inspection.world.as_deref();
    let rows = [
        ("", inspection.origin.clone()),
        ("size", format!("{size} bytes")),
        ("sha256", sha256.clone()),
        (
            "world",
            world.unwrap_or("none that this program knows").to_owned(),
        ),
        (
            "runs here",
            refusal.map_or("yes".to_owned(), |why| format!("no: {why}")),
        ),
    ];
    let width = inspection
        .imports
        .iter()
        .map(|import| import.name.len())
        .max();
    let imports = inspection
        .imports
        .iter()
        .map(|import| permission(import, width));
    let exports = inspection
        .exports
        .iter()
        .map(|export| match export.functions.as_slice() {
            [] => export.name.clone(),
            functions => format!("{}: {}", export.name, functions.join(", ")),
        });
    let rows = rows.map(|(name, text)| match name {
        "" => text,
        name => line(name, &text),
    });
    let blocks = [
        block("may use", imports.collect()),
        block("offers", exports.collect()),
        block("made by", inspection.toolchain.iter().map(tool).collect()),
    ];
    rows.into_iter()
        .chain(blocks.into_iter().flatten())
        .collect()
}

fn permission(import: &Import, width: Option<usize>) -> String {
    let (name, width) = (&import.name, width.unwrap_or(0));
    let refused = if import.granted { "" } else { "NOT GRANTED: " };
    format!("{name:width$}  {refused}{}", import.meaning)
}

fn tool(tool: &Tool) -> String {
    format!("{} {} {}", tool.role, tool.name, tool.version)
        .trim_end()
        .to_owned()
}

/// The name stands before the first of the lines.
fn block(name: &str, texts: Vec<String>) -> Vec<String> {
    if texts.is_empty() {
        return vec![line(name, "-")];
    }
    let names = std::iter::once(name).chain(std::iter::repeat(""));
    names
        .zip(texts)
        .map(|(name, text)| line(name, &text))
        .collect()
}

fn line(name: &str, text: &str) -> String {
    format!("  {name:11}{text}")
}
