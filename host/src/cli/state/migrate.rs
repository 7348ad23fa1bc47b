//! `state migrate`: from the place of one configuration to that of another, or from one number
//! of slices to another.

use std::path::PathBuf;

use anyhow::anyhow;
use bytes::Bytes;
use serde_json::{Value, json};

use super::confirm::Confirmation;
use super::{Place, Which};
use crate::cli::load;
use crate::cli::say::{say, say_json};
use crate::config::{Config, Output};
use crate::state_manager::{Resliced, Saved, StateManager};
use crate::state_store::{Slice, StoreError};

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// The configuration that says where the state is to be, or in how many slices the source
    /// is to be read
    #[arg(long, value_name = "CONFIG")]
    to: PathBuf,
    /// Print what was done as one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    confirmation: Confirmation,
}

pub(super) async fn migrate(arguments: &Arguments) -> anyhow::Result<()> {
    let to = Which {
        config: arguments.to.clone(),
        source: arguments.which.source.clone(),
    };
    let there = load(&arguments.to)?;
    let (from, to) = (arguments.which.open().await?, to.open_in(&there).await?);
    let (before, after) = (from.source.slice.of(), to.source.slice.of());
    let moves = before == after;
    if !moves {
        check_change(&from, &to, &there)?;
    }
    let (before, after) = (
        all_slices(&from, before).await?,
        all_slices(&to, after).await?,
    );
    let (here, there) = (places(&before), places(&after));
    let moved = match moves {
        true => format!("moves {here} to {there}"),
        false => format!("makes {there} of {here}"),
    };
    let runs = arguments.to.display();
    arguments.confirmation.ask(&format!(
        "this {moved}, after which the source runs with {runs} only"
    ))?;
    let component = ComponentOf(&to);
    match moves {
        true => move_all(&before, &after, &component).await?,
        false => StateManager::reslice(&before, &after, &component).await?,
    }
    if arguments.json {
        return say_json(&json!({"from": json_of(&before), "to": json_of(&after)}));
    }
    say(match moves {
        true => format!("moved {here} to {there}"),
        false => format!("made {there} of {here}"),
    })?;
    let before = arguments.which.config.display();
    say(match moves {
        true => format!(
            "run {runs} from now on: with {before} the source would read and deliver everything again"
        ),
        false => {
            format!("run {runs} from now on, once for each slice: with {before} nothing starts")
        }
    })
}

/// One after the other, as each source has its own. Cut off and done again, what was moved
/// stays there.
async fn move_all(
    before: &[StateManager],
    after: &[StateManager],
    component: &ComponentOf<'_>,
) -> Result<(), StoreError> {
    let mut done = 0;
    for (from, to) in before.iter().zip(after) {
        let is_moved = before.len() > 1 && from.export().await?.is_none() && to.has_state().await?;
        if !is_moved {
            let slice = Slice::find(to.state_id()).1;
            from.migrate(to, |document| component.try_out(document, slice))
                .await?;
            done += 1;
        }
    }
    match before.first().filter(|_| done == 0) {
        Some(from) => Err(from.missing()),
        None => Ok(()),
    }
}

/// What may not change together with the number of slices.
fn check_change(from: &Place, to: &Place, there: &Config) -> Result<(), StoreError> {
    let [here, elsewhere] = [from, to].map(|place| place.source.state.place_of_whole());
    let refused = match there.output {
        _ if here != elsewhere => anyhow!(
            "the place of the states changes, from {here} to {elsewhere}, and so does the number of slices: change one after the other"
        ),
        Output::File { .. } => anyhow!(
            "every slice has files of its own, so that what one of them published can not be looked up by another: the number of slices changes with iggy as the output only"
        ),
        Output::Iggy | Output::Stdout => return Ok(()),
    };
    Err(StoreError::Invalid(refused))
}

async fn all_slices(place: &Place, of: u32) -> anyhow::Result<Vec<StateManager>> {
    let mut all = Vec::new();
    for slice in Slice::all(of) {
        let source = place.source.in_slice(slice);
        all.push(place.assembly.state_manager(&source).await?);
    }
    Ok(all)
}

fn places(managers: &[StateManager]) -> String {
    let places: Vec<_> = managers.iter().map(StateManager::place).collect();
    places.join(", ")
}

/// One place, or the list of those of all slices.
fn json_of(managers: &[StateManager]) -> Value {
    match managers {
        [only] => only.place().into(),
        all => all.iter().map(StateManager::place).collect(),
    }
}

/// That of the source as it will run.
struct ComponentOf<'a>(&'a Place);

impl Resliced for ComponentOf<'_> {
    async fn divide(&self, before: &[Saved], slice: Slice) -> anyhow::Result<Saved> {
        let Place {
            assembly, source, ..
        } = self.0;
        assembly
            .reslice(&source.in_slice(slice), before, slice)
            .await
    }

    async fn try_out(&self, document: Bytes, slice: Slice) -> anyhow::Result<()> {
        let Place {
            assembly, source, ..
        } = self.0;
        assembly.try_state(&source.in_slice(slice), document).await
    }
}
