//! Tells systemd the state of the program: ready, stopping, and that it lives. Without systemd, or a unit of another type than
//! `notify`, nothing happens.

use std::time::Duration;

/// A state of the program.
#[derive(Clone, Copy, Debug)]
pub enum State {
    /// Its sockets are open, and so is its database.
    Ready,
    /// It was asked to stop.
    Stopping,
    /// Its tasks run.
    Alive,
}

/// Tells a state.
#[cfg(unix)]
pub fn tell(state: State) {
    use sd_notify::NotifyState;
    let message = match state {
        State::Ready => NotifyState::Ready,
        State::Stopping => NotifyState::Stopping,
        State::Alive => NotifyState::Watchdog,
    };
    if let Err(error) = sd_notify::notify(&[message]) {
        tracing::warn!(%error, ?state, "cannot tell systemd the state of the server");
    }
}

/// There is no systemd.
#[cfg(not(unix))]
pub fn tell(_state: State) {}

/// Tells that the program lives, twice in the time after which systemd would end it (`WatchdogSec=`). Ends at once without such
/// a time, and otherwise only with its task.
pub async fn tell_life() {
    let Some(limit) = watchdog() else { return };
    let mut due = tokio::time::interval(limit / 2);
    loop {
        due.tick().await;
        tell(State::Alive);
    }
}

#[cfg(unix)]
fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled().filter(|limit| !limit.is_zero())
}

#[cfg(not(unix))]
fn watchdog() -> Option<Duration> {
    None
}
