//! The state of a source that is open, which nobody else can have meanwhile.

use std::sync::Arc;

use tokio::task::JoinHandle;

use super::Error;
use crate::assembly::Assembly;
use crate::clock::Clock;
use crate::config::Source as SourceConfig;
use crate::state_store::{Counted, Held, Numbers, Permit, Slot, StateStore};

/// A state that is held until this is dropped, or better released.
pub(super) struct Hold {
    pub(super) slot: Arc<Slot>,
    pub(super) permit: Permit,
    pub(super) numbers: Numbers,
    keeper: Option<JoinHandle<()>>,
}

impl Hold {
    /// Takes the state of this source, which may mean to wait for it.
    pub(super) async fn take(assembly: &Assembly, config: &SourceConfig) -> Result<Self, Error> {
        let Held {
            slot,
            permit,
            keeper,
        } = assembly.hold(config).await?;
        Ok(Self {
            slot: Arc::new(slot),
            permit,
            numbers: Numbers::of(config.state.kind()),
            keeper,
        })
    }

    /// The state as a store, counted.
    pub(super) fn store(&self) -> Arc<dyn StateStore> {
        let slot = Arc::clone(&self.slot);
        let counted = Counted::new(slot, self.numbers.clone(), Clock::system());
        Arc::new(counted)
    }

    /// Gives it back, and waits until others can have it. Everything else that was made
    /// from it has to be dropped before.
    pub(super) async fn release(self) {
        let Self { slot, permit, .. } = self;
        drop((slot, permit));
        if let Some(keeper) = self.keeper {
            // It ends early only where the process does.
            let _ = keeper.await;
        }
    }
}
