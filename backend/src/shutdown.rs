//! Signals: Ctrl+C, and SIGTERM where there is one, shut the server down; a second one exits at once. SIGHUP asks for the
//! certificate to be read again, and never ends the process.

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

/// Hangups of the process. Where there are none, they never come.
#[derive(Debug)]
pub(crate) struct Hangups {
    #[cfg(unix)]
    signal: tokio::signal::unix::Signal,
}

impl Hangups {
    /// Catches hangups from now on.
    pub(crate) fn new() -> io::Result<Self> {
        #[cfg(unix)]
        return Ok(Self { signal: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup())? });
        #[cfg(not(unix))]
        Ok(Self {})
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) {
        #[cfg(unix)]
        if self.signal.recv().await.is_some() {
            return;
        }
        std::future::pending().await
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    /// Kept so that a hangup before the server is open does not end the process.
    _hangups: Hangups,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            _hangups: Hangups::new()?,
        })
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
