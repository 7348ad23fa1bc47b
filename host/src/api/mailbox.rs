//! The output that is the caller: messages wait here until a poll returns them.
//!
//! Nothing can be read back from a caller, so delivery is at least once; what the component
//! publishes again in the same process, the outbox knows. It ends nowhere, so no state says
//! where it does, and another output joins later as a new one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::anyhow;
use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};

use crate::publisher::destination::{
    AppendError, Destination, Message, Offset, Range, Tail, Wanted,
};

/// Messages for the caller; clones are the same mailbox. It holds what one poll read.
#[derive(Clone, Default)]
pub(super) struct Mailbox(Arc<Mutex<Vec<Message>>>);

impl Mailbox {
    fn messages(&self) -> MutexGuard<'_, Vec<Message>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages().is_empty()
    }

    /// All messages, in order.
    pub(super) fn take(&self) -> Vec<Message> {
        std::mem::take(&mut self.messages())
    }
}

impl Destination for Mailbox {
    /// For messages only.
    fn name(&self) -> (&str, &str) {
        ("the caller", "poll")
    }

    fn readable(&self) -> bool {
        false
    }

    fn append<'a>(
        &'a mut self,
        messages: &'a [Message],
    ) -> BoxFuture<'a, Result<Vec<Range>, AppendError>> {
        self.messages().extend_from_slice(messages);
        ready(Ok(Vec::new())).boxed()
    }

    fn ends(&mut self) -> BoxFuture<'_, Result<Vec<Offset>, AppendError>> {
        ready(Ok(Vec::new())).boxed()
    }

    fn read<'a>(&'a mut self, _: &'a Wanted) -> BoxFuture<'a, Result<Tail, AppendError>> {
        ready(Err(AppendError::permanent(anyhow!(
            "messages cannot be read back from the caller: this is a defect of the program"
        ))))
        .boxed()
    }

    fn abandon(&mut self) -> Duration {
        Duration::ZERO
    }
}
