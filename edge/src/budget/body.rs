//! The body of every answer: it is not asked for more while its connection or its client's address holds too
//! much, and what it gave is charged until it has been written or thrown away.

use std::io::IoSlice;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::sync::futures::OwnedNotified;

use super::call::{Call, OpenCall, Wait};

/// Waits until the accounts of a call have room.
#[derive(Default)]
pub(super) struct Room {
    /// What is waited for, and its queue.
    waits: Option<(Wait, Pin<Box<OwnedNotified>>)>,
    /// What has woken this one.
    woken: Option<Wait>,
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
            if let Some((wait, room)) = &mut self.waits {
                if room.as_mut().poll(cx).is_ready() {
                    self.woken = Some(*wait);
                    self.waits = None;
                } else {
                    // What may be made depends on what is taken of this very answer, too.
                    call.wake_when_taken(cx);
                }
            }
            let Err(wait) = take() else {
                self.waits = None;
                return Poll::Ready(());
            };
            if self.waits.as_ref().is_some_and(|(waits, _)| *waits == wait) {
                return Poll::Pending;
            }
            if self.woken != Some(wait) {
                self.pass_on(call);
            }
            self.woken = None;
            call.waits(wait);
            self.waits = Some((wait, Box::pin(call.account(wait.account).room(wait.level))));
        }
    }

    pub(super) fn pass_on(&mut self, call: &Call) {
        if let Some(wait) = self.woken.take() {
            call.account(wait.account).pass_on(wait.level);
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
    }
}

impl<B> MeteredBody<B> {
    /// Counts `call` as open until the body is dropped.
    pub(crate) fn new(body: B, call: OpenCall) -> Self {
        Self { call, body, has_begun: false, room: Room::default() }
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
        ready!(this.room.poll(call, cx, || call.may_make()));
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
