//! When to stop: SIGINT (Ctrl+C) or SIGTERM.

use std::io;

use tokio::signal::unix::{SignalKind, signal as on};

/// Resolves at the first SIGINT or SIGTERM. Listens from the moment it is called.
pub fn signal() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    let mut interrupt = on(SignalKind::interrupt())?;
    let mut terminate = on(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => tracing::info!("stopping: interrupted"),
            _ = terminate.recv() => tracing::info!("stopping: told to terminate"),
        }
    })
}
