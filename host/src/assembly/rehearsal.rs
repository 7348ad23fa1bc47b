//! Opening a source where nothing can happen: to check a configuration, or a state.

use std::sync::Arc;

use anyhow::anyhow;
use bytes::Bytes;

use super::Assembly;
use super::ready::Given;
use crate::clock;
use crate::config;
use crate::instance::{self, Failure, Instance, SavedState};
use crate::publisher::outbox::{Delivery, Outbox};
use crate::runner::Source;
use crate::state_manager::Saved;
use crate::state_store::{Numbers, Permit, Slice, Slot, StateStore};

impl Assembly {
    /// Opens the component with its configuration and capabilities that reach nothing.
    ///
    /// # Errors
    /// As [`Assembly::source`], and what the component says of its configuration.
    pub async fn rehearse(&self, source: &config::Source) -> anyhow::Result<()> {
        self.rehearse_in(source, Slot::in_memory()).await
    }

    /// The same with this document for its state, which is thrown away: whether the
    /// component would go on from it.
    ///
    /// # Errors
    /// As [`Assembly::rehearse`], and what the component says of the state.
    pub async fn try_state(&self, source: &config::Source, document: Bytes) -> anyhow::Result<()> {
        let slot = Slot::in_memory_as("tried");
        slot.save(document, None).await?;
        self.rehearse_in(source, slot).await
    }

    /// What the process of this slice of a source goes on from, after these of the slices
    /// before.
    ///
    /// # Errors
    /// As [`Assembly::rehearse`], and what the component says of the states.
    pub async fn reslice(
        &self,
        source: &config::Source,
        before: &[Saved],
        slice: Slice,
    ) -> anyhow::Result<Saved> {
        let ready = self.rehearsal(source, Slot::in_memory())?;
        let capabilities = (ready.capabilities)();
        let (sandbox, component) = (&ready.sandbox, &ready.component);
        let failed = |failure: Failure| anyhow!(explain(source, &failure));
        let created = Instance::new(sandbox, component, capabilities, ready.limits);
        let mut instance = created.await.map_err(failed)?;
        let version = instance.description().state_format;
        let before: Vec<_> = before.iter().map(as_saved).collect();
        let slice = instance::Slice {
            number: slice.number(),
            of: slice.of(),
        };
        let divided = instance.reslice_states(&before, slice).await;
        let data = divided.map_err(failed)?;
        Ok(Saved { data, version })
    }

    async fn rehearse_in(&self, source: &config::Source, slot: Slot) -> anyhow::Result<()> {
        let ready = self.rehearsal(source, slot)?;
        let opened = ready.open(clock::now_ms()).await;
        opened
            .map(drop)
            .map_err(|failure| anyhow!(explain(source, &failure)))
    }

    fn rehearsal(&self, source: &config::Source, slot: Slot) -> anyhow::Result<Source> {
        let outbox = Outbox::new(Vec::new(), Delivery::ExactlyOnce);
        let given = Given::counting(
            Numbers::of("memory"),
            outbox,
            Arc::new(slot),
            Permit::always(),
        );
        self.put_together(source, given)
    }
}

fn as_saved(saved: &Saved) -> SavedState {
    SavedState {
        data: saved.data.clone(),
        format: saved.version,
    }
}

/// A wrong key is named with its place in the file.
pub(crate) fn explain(source: &config::Source, failure: &Failure) -> String {
    match failure {
        Failure::InvalidConfig { key, message } => source.refuse(key, message).to_string(),
        other => other.to_string(),
    }
}
