//! The state of a subscription's connection, and the value that handles watch.

use std::time::Duration;

use futures_util::{Stream, stream};
use tokio::sync::watch;
use tonic::Status;
use web_time::Instant;

use crate::timer;

/// The state of a [`Subscription`](crate::Subscription)'s connection: gRPC's connectivity states, for one stream.
#[derive(Clone, Debug)]
pub enum State {
    /// `IDLE`: the subscription has not been polled yet.
    Idle,
    /// `CONNECTING`: a call was started.
    Connecting,
    /// `READY`: the response's headers came.
    Ready,
    /// `TRANSIENT_FAILURE`: the connection was lost or could not be made, and the subscription will try again.
    TransientFailure {
        /// The time of the next attempt.
        next: NextAttempt,
        /// The number of failed attempts in a row. Failures without a network do not count, nor does a disconnect
        /// that the server asked for.
        attempt: u32,
        /// The reason. [`Error::from_status`](crate::Error::from_status) tells whether a gRPC server gave it, a proxy
        /// ([`Error::is_not_grpc`](crate::Error::is_not_grpc)), or the network.
        status: Status,
    },
    /// `SHUTDOWN`: the subscription is over.
    Shutdown {
        /// The reason: a status that another attempt would not change, `CANCELLED` when the subscription was dropped,
        /// or OK (see [`finish_on_ok`](crate::SubscriptionOptions::finish_on_ok)).
        status: Status,
    },
}

/// The time of the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextAttempt {
    /// At this time of the monotonic clock: `std`'s natively, `performance.now()` in the browser.
    At(Instant),
    /// When there is a network again.
    WhenOnline,
}

impl NextAttempt {
    /// The time left until then; `None` for [`WhenOnline`](Self::WhenOnline).
    pub fn left(self) -> Option<Duration> {
        match self {
            Self::At(at) => Some(at.saturating_duration_since(timer::public(timer::Instant::now()))),
            Self::WhenOnline => None,
        }
    }
}

/// Publishes the state to handles. When dropped, it publishes that the subscription is over.
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

/// The current state, then every change up to [`State::Shutdown`].
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
