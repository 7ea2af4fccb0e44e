//! How a subscription's connection is, and the value that others watch.

use std::time::Duration;

use futures_util::{Stream, stream};
use tokio::sync::watch;
use tonic::Status;
use web_time::Instant;

use crate::timer;

/// How the connection of a [`Subscription`](crate::Subscription) is: gRPC's connectivity states, for one
/// stream.
#[derive(Clone, Debug)]
pub enum State {
    /// `IDLE`: nothing was asked of it yet.
    Idle,
    /// `CONNECTING`: the call was started.
    Connecting,
    /// `READY`: the response's headers came.
    Ready,
    /// `TRANSIENT_FAILURE`: the connection was lost or could not be made; the next attempt comes by itself.
    TransientFailure {
        /// When.
        next: NextAttempt,
        /// How many attempts failed in a row. What fails for want of a network is not counted, nor is a
        /// server's own wish to be left.
        attempt: u32,
        /// Why.
        status: Status,
    },
    /// `SHUTDOWN`: it is over. The server refused in a way that trying again does not change, or the
    /// subscription was dropped (`CANCELLED`).
    Shutdown {
        /// Why.
        status: Status,
    },
}

/// When a connection is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextAttempt {
    /// At this time, by the clock that does not go back: `std`'s, in the browser `performance.now()`.
    At(Instant),
    /// When there is a network: until then the subscription is paused.
    WhenOnline,
}

impl NextAttempt {
    /// How long until then, as it is now; `None` when that depends on the network.
    pub fn left(self) -> Option<Duration> {
        match self {
            Self::At(at) => Some(at.saturating_duration_since(timer::public(timer::Instant::now()))),
            Self::WhenOnline => None,
        }
    }
}

/// Where the subscription puts its state. Dropped, it says that the subscription is over.
#[derive(Debug)]
pub(super) struct Publisher(watch::Sender<State>);

impl Publisher {
    pub(super) fn new() -> (Self, watch::Receiver<State>) {
        let (sender, receiver) = watch::channel(State::Idle);
        (Self(sender), receiver)
    }

    pub(super) fn publish(&self, state: &State) {
        self.0.send_replace(state.clone());
    }

    pub(super) fn current(&self) -> State {
        self.0.borrow().clone()
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        if !matches!(*self.0.borrow(), State::Shutdown { .. }) {
            self.publish(&State::Shutdown { status: Status::cancelled("the subscription was dropped") });
        }
    }
}

/// The state now, then each that a reader finds changed; the last one says that the subscription is over.
pub(super) fn changes(states: watch::Receiver<State>) -> impl Stream<Item = State> + Send + Unpin + 'static {
    let mut first = states;
    first.mark_changed();
    Box::pin(stream::unfold(Some(first), async |states| {
        let mut states = states?;
        states.changed().await.ok()?;
        let state = states.borrow_and_update().clone();
        let more = (!matches!(state, State::Shutdown { .. })).then_some(states);
        Some((state, more))
    }))
}
