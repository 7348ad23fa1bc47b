//! `state` in a source's `config`: where the source's state is kept.
//!
//! The keys of the component in the same table are none of its business.

use std::path::PathBuf;

use crate::state_store;

use super::section::Section;
use super::value::{flag, text};

/// What is known but not there yet.
const LATER: [&str; 2] = ["elasticsearch", "redis"];

/// Where and as what the state of a source is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Whether there is a state at all; yes by default. Without one, every start reads
    /// everything.
    pub enabled: bool,
    /// The place.
    pub storage: Storage,
    /// The state's name there; the source's key by default.
    pub state_id: String,
}

/// A place for states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    /// `storage_type = "file"`, the default.
    File {
        /// The folder of the files, `./connector_states` by default.
        base_path: PathBuf,
    },
}

impl State {
    /// The place of this state, for messages and for telling states apart.
    pub(super) fn place(&self) -> String {
        match &self.storage {
            Storage::File { base_path } => {
                format!("{}/{}.json", base_path.display(), self.state_id)
            }
        }
    }
}

pub(super) fn read(section: &Section<'_>, source: &str) -> Option<State> {
    let enabled = section.optional("enabled", flag).unwrap_or(true);
    let storage = read_storage(section);
    let state_id = section.optional("state_id", |node| {
        let state_id = text(node)?;
        state_store::check_id(&state_id).map(|()| state_id)
    });
    Some(State {
        enabled,
        storage: storage?,
        state_id: state_id.unwrap_or_else(|| source.to_owned()),
    })
}

fn read_storage(section: &Section<'_>) -> Option<Storage> {
    section.optional("storage_type", |node| match text(node)?.as_str() {
        "file" => Ok(()),
        later if LATER.contains(&later) => Err(format!(
            "\"{later}\" is not available in this version, use \"file\""
        )),
        other => Err(format!(
            "\"{other}\" is not known: the storage types are \"file\", \"elasticsearch\", \"redis\""
        )),
    });
    // A storage type that was refused has no keys to judge.
    let is_file = section
        .optional("storage_type", text)
        .is_none_or(|kind| kind == "file");
    is_file.then(|| read_file(&section.section("storage_config")))
}

fn read_file(section: &Section<'_>) -> Storage {
    for other in ["index", "url", "key_prefix"] {
        if section.section(other).exists() {
            section.refuse(
                other,
                "does not belong to storage_type = \"file\", which knows base_path only",
            );
        }
    }
    let base_path = section.optional("base_path", text);
    Storage::File {
        base_path: base_path
            .unwrap_or_else(|| "./connector_states".to_owned())
            .into(),
    }
}
