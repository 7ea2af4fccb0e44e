//! When to stop: SIGINT (Ctrl+C) or SIGTERM. A second one stops at once.

use std::io;
use std::process;

use tokio::signal::unix::{Signal, SignalKind, signal as on};

/// The exit code after a second signal, as a shell reports a program that was interrupted.
const EXIT_INTERRUPTED: i32 = 130;

/// Resolves at the first SIGINT or SIGTERM; at a second one the process exits whatever it is doing.
/// Listens from the moment it is called.
pub fn signal() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    let mut interrupt = on(SignalKind::interrupt())?;
    let mut terminate = on(SignalKind::terminate())?;
    Ok(async move {
        either(&mut interrupt, &mut terminate).await;
        tracing::info!("stopping; a second signal stops at once");
        tokio::spawn(async move {
            either(&mut interrupt, &mut terminate).await;
            tracing::warn!("stopped at once");
            process::exit(EXIT_INTERRUPTED);
        });
    })
}

async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
