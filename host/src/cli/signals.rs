//! SIGINT and SIGTERM: the first asks to stop, the second does. SIGHUP asks to look at the
//! components.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::hot_swap::Swapper;

/// From now on the process does not end any more with its terminal; what comes until somebody
/// listens is heard then.
pub(super) fn hangup() -> std::io::Result<Signal> {
    signal(SignalKind::hangup())
}

/// Has all components be looked at whenever the process is asked to.
pub(super) fn look_on(mut hangup: Signal, swapper: Swapper) {
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            swapper.look_at_all();
        }
    });
}

/// A run with an end keeps its components.
pub(super) fn ignore(mut hangup: Signal) {
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            tracing::info!("SIGHUP is ignored: run --once keeps the component it began with");
        }
    });
}

/// Becomes true when the process is asked to stop.
pub(super) fn stop() -> std::io::Result<watch::Receiver<bool>> {
    let (mut interrupt, mut terminate) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );
    let (stop, asked) = watch::channel(false);
    tokio::spawn(async move {
        let mut next =
            async || tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} };
        next().await;
        tracing::info!(
            "stopping after the poll under way; a second signal ends the process at once"
        );
        let _ = stop.send(true);
        next().await;
        std::process::exit(1);
    });
    Ok(asked)
}
