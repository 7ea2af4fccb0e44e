//! The body of every answer: it is not asked for more while its connection or its client's address holds too
//! much, and what it gave is charged until it has been written or thrown away. A call that ends from outside is not
//! held up: all that is left to say is its status.

use std::io::IoSlice;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::sync::futures::OwnedNotified;

use super::call::{Below, Call, OpenCall, Wait};
use crate::guard::{End, Ends};

/// Waits until the accounts of a call have room.
#[derive(Default)]
pub(super) struct Room {
    waits: Option<Waiting>,
    /// What has woken this one.
    woken: Option<Below>,
}

/// What is waited for, and its places in the queues.
struct Waiting {
    wait: Wait,
    first: Place,
    second: Option<Place>,
}

/// A place in the queue of an account.
struct Place {
    below: Below,
    turn: Pin<Box<OwnedNotified>>,
}

impl Place {
    fn new(call: &Call, below: Below) -> Self {
        Self { below, turn: Box::pin(call.account(below.account).room(below.level)) }
    }
}

impl Waiting {
    fn new(call: &Call, wait: Wait) -> Self {
        let Wait(first, second) = wait;
        Self { wait, first: Place::new(call, first), second: second.map(|below| Place::new(call, below)) }
    }

    /// Ready when it may be its turn. A turn in the other queue goes to the next one there when this is dropped.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Below> {
        for place in [Some(&mut self.first), self.second.as_mut()].into_iter().flatten() {
            if place.turn.as_mut().poll(cx).is_ready() {
                return Poll::Ready(place.below);
            }
        }
        Poll::Pending
    }
}

impl Room {
    /// Ready when `take` has what it wants. `take` says what it has to wait for, and is asked again then.
    ///
    /// Call [`pass_on`](Self::pass_on) after it was ready and what was waited for is done.
    pub(super) fn poll(
        &mut self,
        call: &Call,
        cx: &mut Context<'_>,
        mut take: impl FnMut() -> Result<(), Wait>,
    ) -> Poll<()> {
        loop {
            match self.waits.as_mut().map(|waits| waits.poll(cx)) {
                Some(Poll::Ready(woken)) => {
                    self.woken = Some(woken);
                    self.waits = None;
                }
                // What may be made depends on what is taken of this very answer, too.
                Some(Poll::Pending) => call.wake_when_taken(cx),
                None => {}
            }
            let Err(wait) = take() else {
                self.waits = None;
                return Poll::Ready(());
            };
            if self.waits.as_ref().is_some_and(|waits| waits.wait == wait) {
                return Poll::Pending;
            }
            self.pass_on(call);
            call.waits(wait);
            self.waits = Some(Waiting::new(call, wait));
        }
    }

    /// Wakes the next one that waits for what has woken this one, if there is still room.
    pub(super) fn pass_on(&mut self, call: &Call) {
        if let Some(below) = self.woken.take() {
            call.account(below.account).pass_on(below.level);
        }
    }
}

pin_project! {
    /// The body of an answer, metered.
    pub(crate) struct MeteredBody<B> {
        call: OpenCall,
        #[pin]
        body: B,
        has_begun: bool,
        room: Room,
        // What ends the call from outside.
        ends: Option<Ends>,
    }
}

impl<B> MeteredBody<B> {
    /// Counts `call` as open until the body is dropped.
    pub(crate) fn new(body: B, call: OpenCall, end: Option<End>) -> Self {
        Self { call, body, has_begun: false, room: Room::default(), ends: end.map(Ends::from) }
    }
}

impl<B: Body<Data = Bytes>> Body for MeteredBody<B> {
    type Data = Charged;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Charged>, B::Error>>> {
        let this = self.project();
        let call = &this.call.0;
        if this.room.poll(call, cx, || call.may_make()).is_pending() {
            let Some(ends) = this.ends else { return Poll::Pending };
            // The body knows the status, too.
            let _status = ready!(ends.poll(cx));
            // Others may have the places in the queues.
            *this.room = Room::default();
        }
        let polled = this.body.poll_frame(cx).map_ok(|frame| {
            if !std::mem::replace(this.has_begun, true) {
                frame.map_data(|bytes| {
                    let charged = Charged::new(bytes, call);
                    call.answered();
                    charged
                })
            } else {
                frame.map_data(|bytes| Charged::new(bytes, call))
            }
        });
        this.room.pass_on(call);
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Bytes of an answer. They are charged until this is dropped, which whoever writes to the socket does when
/// they are written, or when their stream has ended.
pub(crate) struct Charged {
    bytes: Bytes,
    charged: usize,
    call: Arc<Call>,
}

impl Charged {
    fn new(bytes: Bytes, call: &Arc<Call>) -> Self {
        let charged = bytes.len();
        call.charge_piece(charged);
        Self { bytes, charged, call: Arc::clone(call) }
    }
}

impl Drop for Charged {
    fn drop(&mut self) {
        self.call.release_piece(self.charged);
    }
}

impl Buf for Charged {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        self.bytes.chunks_vectored(slices)
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
    }
}
