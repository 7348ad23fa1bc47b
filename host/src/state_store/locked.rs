//! Holding a state in a file, by a lock of the operating system's.
//!
//! It lasts as long as the process, unless somebody removes its file: then others no longer
//! meet it. A save notices that at once, and everything else within [`LOOK_AGAIN`].

use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::watch::{Sender, channel};
use tokio::time::sleep;

use super::permit::Standing;
use super::{FileRecords, Held, OnConflict, Permit, Slot, StoreError};

/// How often a lock is tried while standing by, and looked at while it is held.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Takes the lock, or waits for it if this is to stand by.
pub(super) async fn hold(
    folder: &Path,
    state_id: &str,
    on_conflict: OnConflict,
) -> Result<Held, StoreError> {
    let mut said = false;
    loop {
        match FileRecords::lock(folder, state_id).await {
            Err(StoreError::Conflict(holder)) if on_conflict == OnConflict::Wait => {
                if !std::mem::replace(&mut said, true) {
                    tracing::info!(%holder, "standing by until the lock is free");
                }
                sleep(LOOK_AGAIN).await;
            }
            locked => return Ok(held(Arc::new(locked?), state_id)),
        }
    }
}

fn held(files: Arc<FileRecords>, state_id: &str) -> Held {
    let (standing, watched) = channel(Standing::Unlimited);
    tokio::spawn(look_after(Arc::downgrade(&files), standing));
    Held {
        slot: Arc::new(Slot::of(files, state_id)),
        permit: Permit::leased(watched, Duration::ZERO),
        keeper: None,
    }
}

/// Says when the lock is lost, until it is given back.
async fn look_after(files: Weak<FileRecords>, standing: Sender<Standing>) {
    loop {
        tokio::select! {
            () = standing.closed() => return,
            () = sleep(LOOK_AGAIN) => {}
        }
        let Some(files) = files.upgrade() else { return };
        // A folder that can not be looked at is for the next save to report.
        if let Err(StoreError::Conflict(why)) = files.confirm().await {
            standing.send_replace(Standing::Lost(why.to_string().into()));
            return;
        }
    }
}
