//! An open source: a component at work on a state that is held.
//!
//! ```text
//! poll:   hand on what was given before ── read ── give the messages, and the state with them
//! close:  hand on what was given before ── close the component ── hand on its last state
//! ```
//!
//! A call that fails or is dropped can be made again: what was read waits in the mailbox,
//! and what was given stays due. An instance that can not be used again is replaced by one
//! that goes on where it was.

use std::sync::Arc;

use super::Error;
use super::deferred::DeferredStore;
use super::mailbox::Mailbox;
use crate::assembly::Assembly;
use crate::assembly::ready::Given;
use crate::config::Source as SourceConfig;
use crate::instance::{Failure, Instance};
use crate::publisher::destination::Message;
use crate::publisher::outbox::{Delivery, Outbox};
use crate::runner;
use crate::state_store::{Held, Numbers};

/// See the module.
pub(super) struct Session {
    source: runner::Source,
    /// None after a poll that was dropped, or that ended the instance.
    instance: Option<Instance>,
    mailbox: Mailbox,
    state: Arc<DeferredStore>,
    /// Why the last poll ended, if it had messages to return all the same.
    failure: Option<Failure>,
}

impl Session {
    /// Compiles the component and opens it on this state, which is counted in these numbers.
    pub(super) async fn begin(
        assembly: &Assembly,
        config: &SourceConfig,
        held: &Held,
        numbers: Numbers,
    ) -> Result<Self, Error> {
        let mailbox = Mailbox::default();
        let outbox = Outbox::new(vec![Box::new(mailbox.clone())], Delivery::AtLeastOnce);
        let (slot, permit) = (held.slot.clone(), held.permit.clone());
        let given = Given::counting(numbers, outbox, slot, permit);
        let state = Arc::new(DeferredStore::new(Arc::clone(&given.store)));
        let given = Given {
            store: state.clone(),
            ..given
        };
        let source = assembly.put_together(config, given).await?;
        let instance = source.open(source.clock.now_ms()).await;
        let session = Self {
            source,
            instance: Some(instance.map_err(|failure| Error::of(config, failure))?),
            mailbox,
            state,
            failure: None,
        };
        // Nothing was read yet, so that what the component saved covers nothing.
        session.state.give();
        session.state.hand_on().await?;
        Ok(session)
    }

    /// What was given is taken. Reads on, and gives what it read: nothing, if that was all.
    /// What fails after something was read fails the next call.
    pub(super) async fn poll(&mut self, config: &SourceConfig) -> Result<Vec<Message>, Error> {
        self.state.hand_on().await?;
        let read = match self.failure.take() {
            Some(failure) => Err(failure),
            None => self.read().await,
        };
        // What a call that was dropped left behind may be another process's by now.
        self.check_permit()
            .map_err(|failure| Error::of(config, failure))?;
        let messages = self.mailbox.take();
        self.state.give();
        match read {
            Err(failure) if messages.is_empty() => Err(Error::of(config, failure)),
            read => {
                self.failure = read.err();
                Ok(messages)
            }
        }
    }

    /// Polls the component until something is there or all is read. What a call that was
    /// dropped left behind comes first, so that the mailbox holds no more than one poll reads.
    async fn read(&mut self) -> Result<(), Failure> {
        while self.mailbox.is_empty() {
            self.check_permit()?;
            let now_ms = self.source.clock.now_ms();
            let mut instance = match self.instance.take() {
                Some(instance) => instance,
                None => self.source.open(now_ms).await?,
            };
            let polled = instance.poll(now_ms, self.source.budget).await;
            if !matches!(polled, Err(Failure::Trapped(_))) {
                self.instance = Some(instance);
            }
            if !polled?.more {
                break;
            }
        }
        Ok(())
    }

    /// Somebody else who holds the state now delivers the same messages.
    fn check_permit(&self) -> Result<(), Failure> {
        Ok(self.source.permit.check()?)
    }

    /// What was given is taken, and the component's last state is stored.
    pub(super) async fn close(&mut self, config: &SourceConfig) -> Result<(), Error> {
        self.state.hand_on().await?;
        if let Some(mut instance) = self.instance.take() {
            let closed = instance.close().await;
            closed.map_err(|failure| Error::of(config, failure))?;
            self.state.give();
        }
        Ok(self.state.hand_on().await?)
    }
}
