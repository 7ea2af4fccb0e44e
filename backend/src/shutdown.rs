//! When to stop: at a signal (Ctrl+C, or SIGTERM where there is one). A second one stops at once.
//!
//! SIGHUP stops a server whose terminal is gone. Sent to one without a terminal, as a service has none, it is
//! ignored: nothing is read again.

#[cfg(unix)]
use std::io::IsTerminal as _;
use std::{io, process};

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
    hangup: tokio::signal::unix::Signal,
    /// Whether a hangup is a reason to stop.
    stop_at_hangup: bool,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            stop_at_hangup: io::stdin().is_terminal(),
        })
    }

    async fn next(&mut self) {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return,
                _ = self.terminate.recv() => return,
                _ = self.hangup.recv() => {
                    // A terminal that closes may say so twice, which is no wish to stop at once.
                    if std::mem::take(&mut self.stop_at_hangup) {
                        return;
                    }
                    tracing::info!("ignoring a hangup; the configuration and the certificate are read at the start only");
                }
            }
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
