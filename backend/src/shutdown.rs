//! Shutdown signals: Ctrl+C, and SIGTERM where there is one. A second signal exits at once.
//!
//! SIGHUP shuts down a server whose terminal is gone. A server without a terminal, such as a service, ignores it: the
//! configuration is not reloaded.

#[cfg(unix)]
use std::io::IsTerminal as _;
use std::{io, process};

/// Exit code after a second signal: the one with which shells report an interrupted program.
const EXIT_INTERRUPTED: i32 = 130;

/// Resolves at the first signal; a second one exits the process. Signals are caught from the moment of this call.
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
    /// Whether a hangup shuts the server down.
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
                    // A closing terminal may send it twice, which must not count as a second signal.
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
