//! `state` in a source's `config`: where the source's state is kept, and how it is held.
//!
//! The keys of the component in the same table are none of its business.

mod storage;

use std::time::Duration;

use crate::state_store::{OnConflict, Slice};

use super::access::Access;
use super::section::Section;
use super::value::{choice, duration, flag, text};

pub use storage::Storage;

/// Where and as what the state of a source is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Whether there is a state at all; yes by default. Without one, every start reads
    /// everything.
    pub enabled: bool,
    /// The place.
    pub storage: Storage,
    /// The state's name there: `state_id`, the source's key by default, and that of the slice,
    /// if only one is read.
    pub state_id: String,
    /// How long a lease lasts without being renewed, 1 s to an hour; 30 s by default. Files
    /// have locks instead.
    pub lease_time: Duration,
    /// What to do when another process holds the state; stop by default.
    pub on_conflict: OnConflict,
}

impl State {
    /// The kind of the store: its `storage_type`, or `memory` if no state is kept.
    pub fn kind(&self) -> &'static str {
        match self.enabled {
            true => self.storage.kind(),
            false => "memory",
        }
    }

    /// The place of this state, for messages and for telling states apart.
    pub(super) fn place(&self) -> String {
        self.storage.place(&self.state_id)
    }

    /// The place of the states of all slices, likewise.
    pub(crate) fn place_of_whole(&self) -> String {
        self.storage.place(Slice::find(&self.state_id).0)
    }

    /// The index that it is kept in, if that is in the cluster of this access.
    pub(super) fn index_in(&self, cluster: &Access) -> Option<&str> {
        match &self.storage {
            Storage::Elasticsearch { access, index, .. } if self.enabled => {
                let mut hosts = access.hosts.iter();
                let is_there = hosts.any(|host| cluster.hosts.contains(host));
                is_there.then_some(index)
            }
            _ => None,
        }
    }

    /// Whether processes on several machines can share the place.
    pub(super) fn is_leased(&self) -> bool {
        !matches!(self.storage, Storage::File { .. })
    }
}

pub(super) fn read(
    section: &Section<'_>,
    (source, slice): (&str, Slice),
    cluster: Option<&Access>,
) -> Option<State> {
    let enabled = section.optional("enabled", flag).unwrap_or(true);
    let storage = storage::read(section, cluster);
    let state_id = section.optional("state_id", |node| {
        let state_id = text(node)?;
        slice.check_id(&state_id).map(|()| state_id)
    });
    let state_id = state_id.unwrap_or_else(|| source.to_owned());
    let seconds = Duration::from_secs;
    let lease_time = section.optional("lease_time", duration(seconds(1)..=seconds(3_600)));
    let conflicts = [("stop", OnConflict::Stop), ("wait", OnConflict::Wait)];
    let on_conflict = section.optional("on_conflict", choice(&conflicts));
    let state = State {
        enabled,
        storage: storage?,
        state_id: slice.state_id(&state_id),
        lease_time: lease_time.unwrap_or(seconds(30)),
        on_conflict: on_conflict.unwrap_or_default(),
    };
    if !state.is_leased() && section.section("lease_time").exists() {
        section.refuse(
            "lease_time",
            "is for storage_type \"elasticsearch\" and \"redis\": files are locked, and free at once when their process ends",
        );
    }
    Some(state)
}
