//! Waiting for room in the accounts of a call: for a chunk of its response, or for a reservation.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::sync::futures::OwnedNotified;
use tonic::Status;

use super::RETRY_AFTER;
use super::call::{Blocked, CallAccount, Threshold};
use crate::observer::LimitOutcome;
use crate::retry_later::retry_later;

/// Waits until the accounts of a call have room.
#[derive(Default)]
pub(crate) struct RoomWait {
    queues: Option<Queues>,
    /// The threshold whose queue has woken this waiter.
    woken_by: Option<Threshold>,
}

/// The places of a waiter in the queues of its thresholds.
struct Queues {
    blocked: Blocked,
    first: Place,
    second: Option<Place>,
}

struct Place {
    threshold: Threshold,
    turn: Pin<Box<OwnedNotified>>,
}

impl Place {
    fn new(call: &CallAccount, threshold: Threshold) -> Self {
        Self { threshold, turn: Box::pin(call.account(threshold.holder).room(threshold.level)) }
    }
}

impl Queues {
    fn new(call: &CallAccount, blocked: Blocked) -> Self {
        let Blocked(first, second) = blocked;
        Self {
            blocked,
            first: Place::new(call, first),
            second: second.map(|threshold| Place::new(call, threshold)),
        }
    }

    /// Ready when a threshold may be met. Dropping this passes a turn in the other queue on.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Threshold> {
        for place in [Some(&mut self.first), self.second.as_mut()].into_iter().flatten() {
            if place.turn.as_mut().poll(cx).is_ready() {
                return Poll::Ready(place.threshold);
            }
        }
        Poll::Pending
    }
}

impl RoomWait {
    /// Ready when the response may be asked for another chunk. Call [`pass_on`](Self::pass_on) when the chunk is charged.
    pub(crate) fn poll_response(&mut self, call: &CallAccount, cx: &mut Context<'_>) -> Poll<()> {
        self.poll(call, cx, || call.may_respond())
    }

    /// Ready when `attempt` succeeds. It is repeated when a threshold that blocked it may be met.
    fn poll(
        &mut self,
        call: &CallAccount,
        cx: &mut Context<'_>,
        mut attempt: impl FnMut() -> Result<(), Blocked>,
    ) -> Poll<()> {
        loop {
            match self.queues.as_mut().map(|queues| queues.poll(cx)) {
                Some(Poll::Ready(threshold)) => {
                    self.woken_by = Some(threshold);
                    self.queues = None;
                }
                // A response whose bytes are all taken has a higher limit.
                Some(Poll::Pending) => call.wake_when_taken(cx),
                None => {}
            }
            let Err(blocked) = attempt() else {
                self.queues = None;
                return Poll::Ready(());
            };
            if self.queues.as_ref().is_some_and(|queues| queues.blocked == blocked) {
                return Poll::Pending;
            }
            self.pass_on(call);
            call.count_wait(blocked);
            self.queues = Some(Queues::new(call, blocked));
        }
    }

    /// Wakes the next waiter of the queue that has woken this one, if there is still room.
    pub(crate) fn pass_on(&mut self, call: &CallAccount) {
        if let Some(threshold) = self.woken_by.take() {
            call.account(threshold.holder).pass_on(threshold.level);
        }
    }
}

/// Charges the bytes of a request until its response begins, and reserves the bytes of a long response.
pub(crate) struct RequestCharge {
    call: Arc<CallAccount>,
    charged: usize,
    reservation: Option<Reservation>,
}

/// A reservation that has not been made.
struct Reservation {
    bytes: usize,
    room: RoomWait,
}

impl RequestCharge {
    /// `reserve`: bytes of the response to reserve, or none.
    pub(crate) fn new(call: Arc<CallAccount>, reserve: Option<usize>) -> Self {
        let reservation = reserve.map(|bytes| Reservation { bytes, room: RoomWait::default() });
        Self { call, charged: 0, reservation }
    }

    /// Sets the bytes of the request in memory. More than before are refused while the connection or the address holds too
    /// much.
    pub(crate) fn set(&mut self, bytes: usize) -> Result<(), Status> {
        let before = std::mem::replace(&mut self.charged, bytes);
        let waits = self.reservation.is_some();
        match bytes.checked_sub(before) {
            None | Some(0) if waits => self.call.release_waiting(before - bytes),
            None | Some(0) => self.call.release(before - bytes),
            Some(more) => {
                if waits {
                    self.call.charge_waiting(more)
                } else {
                    self.call.charge(more)
                }
                return self.call.may_receive().map_err(|limit| {
                    self.call.peer.state.count(limit, LimitOutcome::Refused);
                    retry_later("too many bytes of requests and responses are buffered", RETRY_AFTER)
                });
            }
        }
        Ok(())
    }

    /// Whether there is a reservation to make.
    pub(crate) fn is_waiting(&self) -> bool {
        self.reservation.is_some()
    }

    /// Waits until the reservation is made. Ready at once when there is none to make.
    pub(crate) fn poll_reserve(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(Reservation { bytes, room }) = &mut self.reservation {
            let call = &*self.call;
            ready!(room.poll(call, cx, || call.reserve(*bytes)));
            room.pass_on(call);
            self.reservation = None;
            self.call.end_waiting(self.charged);
        }
        Poll::Ready(())
    }
}

impl Drop for RequestCharge {
    fn drop(&mut self) {
        if self.reservation.is_some() {
            // The handler never got the message.
            self.call.release_waiting(self.charged);
        } else {
            self.call.keep_request(self.charged);
        }
    }
}
