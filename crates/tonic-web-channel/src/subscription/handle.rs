//! Steering a subscription from outside, and seeing how it is.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;
use std::time::Duration;

use futures_util::Stream;
use futures_util::task::AtomicWaker;
use tokio::sync::watch;

use super::state::{self, State};

/// Steers a [`Subscription`](crate::Subscription) from outside, and shows how it is. Cheap to clone; does
/// nothing once the subscription is gone.
#[derive(Clone, Debug)]
pub struct SubscriptionHandle {
    shared: Arc<Shared>,
    states: watch::Receiver<State>,
}

impl SubscriptionHandle {
    pub(super) fn new(shared: Arc<Shared>, states: watch::Receiver<State>) -> Self {
        Self { shared, states }
    }

    /// How the connection is.
    pub fn state(&self) -> State {
        self.states.borrow().clone()
    }

    /// How the connection is, and from then on every change. A reader who is slow sees the newest state and
    /// not all between. Ends after [`State::Shutdown`].
    pub fn states(&self) -> impl Stream<Item = State> + Send + Unpin + 'static {
        state::changes(self.states.clone())
    }

    /// Ends a wait for the next attempt, for a button "Try now". As a person asked for it, it is done also
    /// while there seems to be no network, and before the time that a server asked for. Without effect on a
    /// connection that is open or being opened.
    pub fn retry_now(&self) {
        self.shared.wish(|wishes| wishes.retry_now = true);
    }

    /// The machine or the program was asleep: a wait ends, unless the server asked for it, and an open
    /// connection has [`probe_within`](crate::SubscriptionOptions::probe_within) to show that it lives. In
    /// the browser the subscription does this by itself: when the network is back, when the page was hidden for
    /// 30 s or longer, and when it comes out of the back/forward cache. A page that is looked at earlier only ends
    /// its wait.
    pub fn wake(&self) {
        self.shared.wish(|wishes| wishes.wake = true);
    }

    /// Whether there is a network. While there is none, nothing is tried; when it comes back, what waits is
    /// tried at once, and what is open has to show that it lives. In the browser the subscription follows
    /// `navigator.onLine` by itself; elsewhere there is a network until this says otherwise.
    pub fn set_online(&self, online: bool) {
        self.shared.set_online(online);
    }

    /// Gives an open connection `within` to show that it lives, by any message, and reconnects
    /// otherwise. For when it may have died unnoticed.
    pub fn probe(&self, within: Duration) {
        self.shared.wish(|wishes| wishes.probe = Some(within));
    }

    /// Closes the connection and comes back after `delay`. For a server that said goodbye.
    pub fn reconnect_after(&self, delay: Duration) {
        self.shared.wish(|wishes| wishes.reconnect_after = Some(delay));
    }
}

/// What the subscription and its handles have in common.
#[derive(Debug)]
pub(super) struct Shared {
    wishes: Mutex<Wishes>,
    waker: AtomicWaker,
}

/// What was asked of a subscription since it last looked, and whether there is a network.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wishes {
    pub(super) retry_now: bool,
    /// Ends a wait, unless the server asked for it.
    pub(super) hurry: bool,
    /// The same, and an open connection has to show that it lives.
    pub(super) wake: bool,
    pub(super) probe: Option<Duration>,
    pub(super) reconnect_after: Option<Duration>,
    pub(super) online: bool,
}

impl Wishes {
    fn none(online: bool) -> Self {
        Self { retry_now: false, hurry: false, wake: false, probe: None, reconnect_after: None, online }
    }
}

impl Shared {
    pub(super) fn new() -> Self {
        Self { wishes: Mutex::new(Wishes::none(true)), waker: AtomicWaker::new() }
    }

    /// A network that comes back wakes.
    pub(super) fn set_online(&self, online: bool) {
        self.wish(|wishes| {
            wishes.wake |= online && !wishes.online;
            wishes.online = online;
        });
    }

    pub(super) fn wish(&self, wish: impl FnOnce(&mut Wishes)) {
        wish(&mut self.wishes.lock().unwrap_or_else(PoisonError::into_inner));
        self.waker.wake();
    }

    pub(super) fn register(&self, waker: &Waker) {
        self.waker.register(waker);
    }

    pub(super) fn take(&self) -> Wishes {
        let mut wishes = self.wishes.lock().unwrap_or_else(PoisonError::into_inner);
        let none = Wishes::none(wishes.online);
        std::mem::replace(&mut wishes, none)
    }
}
