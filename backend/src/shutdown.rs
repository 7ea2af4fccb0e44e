//! When to stop: at a signal (Ctrl+C, or SIGTERM where there is one). A second one stops at once.

use std::io;
use std::process;

/// The exit code after a second signal, as a shell reports a program that was interrupted.
const EXIT_INTERRUPTED: i32 = 130;

/// Resolves at the first signal; at a second one the process exits whatever it is doing. Listens from the
/// moment it is called.
pub fn signal() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    let mut signals = Signals::new()?;
    Ok(async move {
        signals.next().await;
        tracing::info!("stopping; a second signal stops at once");
        tokio::spawn(async move {
            signals.next().await;
            tracing::warn!("stopped at once");
            process::exit(EXIT_INTERRUPTED);
        });
    })
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(windows)]
struct Signals(tokio::signal::windows::CtrlC);

#[cfg(windows)]
impl Signals {
    fn new() -> io::Result<Self> {
        tokio::signal::windows::ctrl_c().map(Self)
    }

    async fn next(&mut self) {
        self.0.recv().await;
    }
}
