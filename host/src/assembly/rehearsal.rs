//! Opening a source where nothing can happen: to check a configuration, or a state.

use std::sync::Arc;

use anyhow::anyhow;
use bytes::Bytes;

use super::Assembly;
use super::ready::Given;
use crate::clock;
use crate::config;
use crate::instance::Failure;
use crate::publisher::outbox::{Delivery, Outbox};
use crate::runner::Source;
use crate::state_store::{Numbers, Permit, Slot, StateStore};

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

/// A wrong key is named with its place in the file.
pub(crate) fn explain(source: &config::Source, failure: &Failure) -> String {
    match failure {
        Failure::InvalidConfig { key, message } => source.refuse(key, message).to_string(),
        other => other.to_string(),
    }
}
