//! Opening a source where nothing can happen: to check a configuration, or a state.

use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use futures::future::BoxFuture;

use super::Assembly;
use super::ready::Given;
use crate::clock;
use crate::cluster::{HttpError, Request, Response, Transport};
use crate::component::{Component, Content};
use crate::config;
use crate::hot_swap::Candidate;
use crate::instance::{self, Description, Failure, Instance, SavedState};
use crate::publisher::outbox::{Delivery, Outbox};
use crate::runner::Source;
use crate::state_manager::Saved;
use crate::state_store::envelope::Envelope;
use crate::state_store::{Numbers, Permit, Slice, Slot, StateStore};

/// What a component said and did in a rehearsal that went well.
#[derive(Debug)]
pub struct Rehearsed {
    /// How it describes itself.
    pub description: Description,
    /// The version of the state that it would go on from, if there is one.
    pub state: Option<u32>,
}

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
        let ready = self.rehearsal(source, self.component(source).await?, Slot::in_memory())?;
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

    /// Opens another component than the configured one, with a copy of the state that the
    /// source has, and has it bring that state into its own format.
    ///
    /// # Errors
    /// What the store of the state refuses, as a
    /// [`StoreError`](crate::state_store::StoreError), and all that keeps this component from
    /// being that of the source.
    pub async fn rehearse_component(
        &self,
        source: &config::Source,
        content: &Content,
    ) -> anyhow::Result<Rehearsed> {
        let component = self.pinned(source, content.clone()).await?;
        self.rehearse_loaded(source, component).await
    }

    /// Makes a candidate of another component than the one that runs: as
    /// [`Assembly::rehearse_component`].
    ///
    /// # Errors
    /// As there.
    pub async fn prepare(
        &self,
        source: &config::Source,
        content: Content,
    ) -> anyhow::Result<Candidate> {
        let component = self.pinned(source, content).await?;
        let rehearsed = self.rehearse_loaded(source, component.clone()).await?;
        Ok(Candidate::new(component, &rehearsed.description))
    }

    async fn rehearse_loaded(
        &self,
        source: &config::Source,
        component: Component,
    ) -> anyhow::Result<Rehearsed> {
        let slot = Slot::in_memory();
        let document = match source.state.enabled {
            true => self.state_manager(source).await?.export().await?,
            false => None,
        };
        if let Some(document) = &document {
            slot.save(document.clone(), None).await?;
        }
        let ready = self.rehearsal(source, component, slot)?;
        let explained = |failure| anyhow!(explain(source, &failure));
        let mut instance = ready.instantiate().await.map_err(explained)?;
        let envelope = document
            .map(|document| Envelope::read(&document))
            .transpose()?;
        if let Some(envelope) = &envelope {
            let migrated = instance.migrate_state(envelope.data(), envelope.version());
            migrated
                .await
                .map_err(explained)
                .context("the component does not take over the state that there is")?;
        }
        ready.open(clock::now_ms()).await.map_err(explained)?;
        Ok(Rehearsed {
            description: instance.description().clone(),
            state: envelope.map(|envelope| envelope.version()),
        })
    }

    async fn rehearse_in(&self, source: &config::Source, slot: Slot) -> anyhow::Result<()> {
        let ready = self.rehearsal(source, self.component(source).await?, slot)?;
        let opened = ready.open(clock::now_ms()).await;
        opened
            .map(drop)
            .map_err(|failure| anyhow!(explain(source, &failure)))
    }

    fn rehearsal(
        &self,
        source: &config::Source,
        component: Component,
        slot: Slot,
    ) -> anyhow::Result<Source> {
        let outbox = Outbox::new(Vec::new(), Delivery::ExactlyOnce);
        let given = Given::counting(
            Numbers::of("memory"),
            outbox,
            Arc::new(slot),
            Permit::never("this is a rehearsal, in which nothing is published"),
        );
        // What of the access can not be used is found out all the same.
        self.cluster(source)?;
        Ok(self.assemble(source, component, Arc::new(Unasked), given))
    }
}

/// A cluster that nobody may ask.
struct Unasked;

impl Transport for Unasked {
    fn send(&self, _request: Request) -> BoxFuture<'_, Result<Response, HttpError>> {
        let why = "this is a rehearsal, in which the cluster is not asked";
        Box::pin(async move { Err(HttpError::Connect(why.to_owned())) })
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
