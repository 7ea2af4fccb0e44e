//! The body of every response. It is not polled while its connection or its client's address holds too many bytes; its chunks
//! are charged until HTTP drops them; small ones are joined; and its end is withheld until nearly all bytes are sent.
//!
//! A call that was terminated does not wait for room: only its status is left to send.

use std::io::IoSlice;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::joined_chunks::JoinedChunks;
use super::open_calls::CallProgress;
use crate::budget::{OpenCall, RoomWait};
use crate::termination::{Termination, TerminationWait};

pin_project! {
    /// The body of a response.
    pub(super) struct ResponseBody<B: Body> {
        #[pin]
        body: B,
        joins: JoinedChunks<B::Error>,
        // Bytes that were passed to HTTP.
        passed: usize,
        // Counts the call as open until the body is dropped.
        _open: OpenCall,
        call: Arc<CallProgress>,
        room: RoomWait,
        termination: Option<TerminationWait>,
        has_begun: bool,
        end: End,
    }
}

/// The end of a body.
enum End {
    NotReached,
    /// The trailers, if any, until they may be sent.
    Withheld(Option<HeaderMap>),
    Sent,
}

impl<B: Body> ResponseBody<B> {
    pub(super) fn new(
        body: B,
        open: OpenCall,
        call: Arc<CallProgress>,
        termination: Option<Termination>,
    ) -> Self {
        Self {
            body,
            joins: JoinedChunks::default(),
            passed: 0,
            _open: open,
            call,
            room: RoomWait::default(),
            termination: termination.map(TerminationWait::from),
            has_begun: false,
            end: End::NotReached,
        }
    }
}

impl<B: Body<Data = Bytes>> ResponseBody<B> {
    /// As [`Body::poll_frame`], without a charge for the frame: for a socket that may take it at once. The rest of a frame that
    /// it does not take has to be [charged](Self::charge).
    pub(super) fn poll_uncharged(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        self.poll_with(cx, |bytes, _call| bytes)
    }

    /// Charges bytes of a response until they are dropped.
    pub(super) fn charge(&self, bytes: Bytes) -> ResponseChunk {
        ResponseChunk::new(bytes, &self.call)
    }

    /// The next frame of the body inside, when there is room for it.
    fn poll_inner<T: Buf>(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        chunk: impl Fn(Bytes, &Arc<CallProgress>) -> T,
    ) -> Poll<Option<Result<Frame<T>, B::Error>>> {
        let this = self.project();
        let account = &this.call.account;
        if this.room.poll_response(account, cx).is_pending() {
            let Some(termination) = this.termination else { return Poll::Pending };
            // The body has the status, too.
            let _status = ready!(termination.poll(cx));
            // Others may have the places in the queues.
            *this.room = RoomWait::default();
        }
        let taken = this.passed.saturating_sub(this.call.unsent());
        let polled = this.joins.poll(this.body, taken, cx).map_ok(|frame| {
            let begins = !std::mem::replace(this.has_begun, true);
            frame.map_data(|bytes| {
                *this.passed = this.passed.saturating_add(bytes.len());
                let chunk = chunk(bytes, this.call);
                if begins {
                    account.begin_response();
                }
                chunk
            })
        });
        this.room.pass_on(account);
        polled
    }

    fn poll_with<T: Buf>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        chunk: impl Fn(Bytes, &Arc<CallProgress>) -> T,
    ) -> Poll<Option<Result<Frame<T>, B::Error>>> {
        if matches!(self.end, End::NotReached) {
            let trailers = match ready!(self.as_mut().poll_inner(cx, chunk)) {
                None => None,
                Some(Ok(frame)) if !frame.is_data() => frame.into_trailers().ok(),
                other => return Poll::Ready(other),
            };
            *self.as_mut().project().end = End::Withheld(trailers);
        }
        let this = self.project();
        if !this.call.may_end() {
            this.call.wake_at_end(cx.waker());
            // Bytes may have been sent before the waker was registered.
            if !this.call.may_end() {
                return Poll::Pending;
            }
        }
        this.call.announce_end();
        match std::mem::replace(this.end, End::Sent) {
            End::Withheld(Some(trailers)) => Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
            End::Withheld(None) | End::NotReached | End::Sent => Poll::Ready(None),
        }
    }
}

impl<B: Body<Data = Bytes>> Body for ResponseBody<B> {
    type Data = ResponseChunk;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<ResponseChunk>, B::Error>>> {
        self.poll_with(cx, ResponseChunk::new)
    }

    fn is_end_stream(&self) -> bool {
        let ended = match &self.end {
            End::NotReached => self.joins.is_end_stream(&self.body),
            End::Withheld(trailers) => trailers.is_none(),
            End::Sent => true,
        };
        let announced = ended && self.call.may_end();
        if announced {
            self.call.announce_end();
        }
        announced
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A chunk of a response. HTTP keeps it until it is written to the socket or its stream has ended, and then drops it. Until
/// then its memory is charged, also when the body is gone already.
#[derive(Debug)]
pub(super) struct ResponseChunk {
    bytes: Bytes,
    charged: usize,
    call: Arc<CallProgress>,
}

impl ResponseChunk {
    pub(super) fn new(bytes: Bytes, call: &Arc<CallProgress>) -> Self {
        let charged = bytes.len();
        call.account.charge_response(charged);
        call.add_unsent(charged);
        Self { bytes, charged, call: Arc::clone(call) }
    }
}

impl Drop for ResponseChunk {
    fn drop(&mut self) {
        if self.bytes.has_remaining() {
            self.call.remove_unsent(self.bytes.remaining());
        }
        self.call.account.release_response(self.charged);
    }
}

impl Buf for ResponseChunk {
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
        self.call.remove_unsent(count);
    }
}
