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

use super::account::Piece;
use super::call::{Call, OpenCall};

/// Waits until the accounts of a call have room.
#[derive(Default)]
pub(super) struct Room {
    /// The account that is full, by its place among the call's, and its queue.
    waits: Option<(usize, Pin<Box<OwnedNotified>>)>,
    /// The account that has woken this one.
    woken: Option<usize>,
}

impl Room {
    /// Ready when `take` says so, which is asked again whenever the account that is full has room.
    ///
    /// Call [`pass_on`](Self::pass_on) after it was ready and what was waited for is done.
    pub(super) fn poll(
        &mut self,
        call: &Call,
        piece: Piece,
        cx: &mut Context<'_>,
        mut take: impl FnMut() -> bool,
    ) -> Poll<()> {
        loop {
            if let Some((index, room)) = &mut self.waits {
                ready!(room.as_mut().poll(cx));
                self.woken = Some(*index);
                self.waits = None;
            }
            if take() {
                return Poll::Ready(());
            }
            let accounts = call.accounts();
            // Between the two looks one may have become free: then it is asked for again.
            let Some(full) = accounts.iter().position(|account| account.is_full(piece)) else { continue };
            if self.woken.is_some_and(|woken| woken != full) {
                self.pass_on(call, piece);
            }
            self.woken = None;
            self.waits = Some((full, Box::pin(accounts[full].room(piece))));
        }
    }

    pub(super) fn pass_on(&mut self, call: &Call, piece: Piece) {
        if let Some(index) = self.woken.take() {
            call.accounts()[index].pass_on(piece);
        }
    }
}

pin_project! {
    /// The body of an answer, metered.
    pub(crate) struct MeteredBody<B> {
        #[pin]
        body: B,
        call: OpenCall,
        has_begun: bool,
        room: Room,
    }
}

impl<B> MeteredBody<B> {
    /// Counts `call` as open until the body is dropped.
    pub(crate) fn new(body: B, call: OpenCall) -> Self {
        Self { body, call, has_begun: false, room: Room::default() }
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
        let piece = if *this.has_begun { Piece::Next } else { Piece::First };
        ready!(this.room.poll(call, piece, cx, || {
            call.has_reservation() || !call.accounts().into_iter().any(|account| account.is_full(piece))
        }));
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
        this.room.pass_on(call, piece);
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
        call.charge(charged);
        Self { bytes, charged, call: Arc::clone(call) }
    }
}

impl Drop for Charged {
    fn drop(&mut self) {
        self.call.release(self.charged);
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
