//! `state export` and `state import`: a state as a file, and back.

use std::fs::File;
use std::io::{Read, stdin};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::json;

use super::Which;
use super::confirm::Confirmation;
use crate::cli::say::{say, say_all, say_json, write};
use crate::state_manager::Import;
use crate::state_store::STATE_MAX;

#[derive(clap::Args)]
pub(in crate::cli) struct ExportArguments {
    #[command(flatten)]
    which: Which,
}

#[derive(clap::Args)]
pub(in crate::cli) struct ImportArguments {
    #[command(flatten)]
    which: Which,
    /// What `state export` printed; `-` is standard input
    file: PathBuf,
    /// Take it also if it names another index or cluster, or none, and replace what is there
    /// and can not be read
    #[arg(long)]
    force: bool,
    /// Print what was done as one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    confirmation: Confirmation,
}

pub(super) async fn export(arguments: &ExportArguments) -> anyhow::Result<()> {
    let manager = arguments.which.open().await?.manager;
    let document = manager.export().await?.ok_or_else(|| manager.missing())?;
    write(&document)
}

pub(super) async fn import(arguments: &ImportArguments) -> anyhow::Result<()> {
    let document = read(&arguments.file)?;
    let place = arguments.which.open().await?;
    let replace = place.manager.has_state().await?;
    let there = place.manager.place();
    if replace {
        let what = format!("this replaces {there}");
        arguments.confirmation.ask(&what)?;
    }
    let how = Import {
        replace,
        force: arguments.force,
    };
    let trial = |document| place.assembly.try_state(&place.source, document);
    let imported = place.manager.import(&document, how, trial).await?;
    let (id, broken) = (imported.id, imported.broken);
    if arguments.json {
        let replaced = imported.replaced;
        let said = json!({
            "imported": id, "place": there, "replaced": replaced, "broken": broken,
            "from_the_beginning": imported.from_the_beginning,
        });
        return say_json(&said);
    }
    let next = match imported.from_the_beginning {
        true => "which names no place to go on from: the next run reads from the beginning",
        false => "the next run goes on from it",
    };
    say(format!("imported state {id} as {there}; {next}"))?;
    say_all(broken.iter().map(ToString::to_string))
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    let refused = || {
        let file = file.display();
        format!("cannot read {file}: check the path and its permissions")
    };
    let opened: Box<dyn Read> = match file == Path::new("-") {
        true => Box::new(stdin()),
        false => Box::new(File::open(file).with_context(refused)?),
    };
    let mut document = Vec::new();
    let mut limited = opened.take(STATE_MAX as u64 + 1);
    limited.read_to_end(&mut document).with_context(refused)?;
    let file = file.display();
    anyhow::ensure!(
        document.len() <= STATE_MAX,
        "{file} is larger than {STATE_MAX} bytes, which no state is: check the path"
    );
    Ok(document)
}
