//! The handle that controls and watches a subscription from outside.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;
use std::time::Duration;

use futures_util::Stream;
use futures_util::task::AtomicWaker;
use tokio::sync::watch;

use super::state::{self, State};
use crate::idle_timer::IdleTimer;

/// Controls a [`Subscription`](crate::Subscription) and shows its state. Cheap to clone. Its methods have no effect
/// once the subscription is gone.
#[derive(Clone, Debug)]
pub struct SubscriptionHandle {
    shared: Arc<Shared>,
    states: watch::Receiver<State>,
}

impl SubscriptionHandle {
    pub(super) fn new(shared: Arc<Shared>, states: watch::Receiver<State>) -> Self {
        Self { shared, states }
    }

    /// The current state of the connection.
    pub fn state(&self) -> State {
        self.states.borrow().clone()
    }

    /// The current state of the connection, then every change. A slow reader sees the newest state and may miss states
    /// before it. Ends after [`State::Shutdown`].
    pub fn states(&self) -> impl Stream<Item = State> + Send + Unpin + 'static {
        state::changes(self.states.clone())
    }

    /// Starts the next attempt now, for a button "Try now". Because a person asked, it also works while there seems to
    /// be no network, and before the time that a server asked for. No effect on a connection that is open or opening.
    pub fn retry_now(&self) {
        self.shared.request(|commands| commands.retry_now = true);
    }

    /// Tells the subscription that the machine or the program was asleep. A delay before the next attempt ends, unless
    /// the server asked for it, and an open connection has to deliver a message within
    /// [`probe_timeout`](crate::SubscriptionOptions::probe_timeout).
    ///
    /// In the browser the subscription does this itself: when the network is back, when the page was hidden for 30 s
    /// or longer, and when the page returns from the back/forward cache. A page that becomes visible earlier only ends
    /// the delay.
    pub fn wake(&self) {
        self.shared.request(|commands| commands.wake = true);
    }

    /// Tells the subscription whether there is a network. Without one it makes no attempts. When the network is back,
    /// it connects at once, and an open connection is probed as by [`wake`](Self::wake).
    ///
    /// In the browser the subscription follows `navigator.onLine`; elsewhere it assumes a network until told otherwise.
    pub fn set_online(&self, online: bool) {
        self.shared.set_online(online);
    }

    /// Reconnects unless an open connection delivers a message within `timeout`. For a connection that may have died
    /// unnoticed.
    pub fn probe(&self, timeout: Duration) {
        self.shared.request(|commands| commands.probe = Some(timeout));
    }

    /// Closes the connection, and reconnects after `delay`. For a server that announced its shutdown in a message.
    pub fn reconnect_after(&self, delay: Duration) {
        self.shared.request(|commands| commands.reconnect_after = Some(delay));
    }
}

/// The state that a subscription shares with its handles.
#[derive(Debug)]
pub(super) struct Shared {
    commands: Mutex<Commands>,
    waker: AtomicWaker,
}

/// The requests to a subscription since its last poll, and whether there is a network.
#[derive(Clone, Copy, Debug)]
pub(super) struct Commands {
    /// Ends any delay.
    pub(super) retry_now: bool,
    /// Ends a delay of the backoff, and none that the server asked for.
    pub(super) skip_backoff: bool,
    /// Like `skip_backoff`, and probes an open connection.
    pub(super) wake: bool,
    pub(super) probe: Option<Duration>,
    pub(super) reconnect_after: Option<Duration>,
    pub(super) online: bool,
}

impl Commands {
    fn none(online: bool) -> Self {
        Self {
            retry_now: false,
            skip_backoff: false,
            wake: false,
            probe: None,
            reconnect_after: None,
            online,
        }
    }

    /// Shortens the idle timeout when a probe was requested. Waking up without a network requests none: no message could
    /// come, and no new connection could be made.
    pub(super) fn probe(self, idle: &mut IdleTimer, probe_timeout: Duration) {
        if let Some(timeout) = self.probe {
            idle.shorten(timeout);
        }
        if self.wake && self.online {
            idle.shorten(probe_timeout);
        }
    }
}

impl Shared {
    pub(super) fn new() -> Self {
        Self { commands: Mutex::new(Commands::none(true)), waker: AtomicWaker::new() }
    }

    pub(super) fn set_online(&self, online: bool) {
        self.request(|commands| {
            commands.wake |= online && !commands.online;
            commands.online = online;
        });
    }

    /// Changes the pending commands, and wakes the subscription.
    pub(super) fn request(&self, change: impl FnOnce(&mut Commands)) {
        change(&mut self.commands.lock().unwrap_or_else(PoisonError::into_inner));
        self.waker.wake();
    }

    pub(super) fn register(&self, waker: &Waker) {
        self.waker.register(waker);
    }

    /// Takes the pending commands.
    pub(super) fn take(&self) -> Commands {
        let mut commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        let none = Commands::none(commands.online);
        std::mem::replace(&mut commands, none)
    }
}
