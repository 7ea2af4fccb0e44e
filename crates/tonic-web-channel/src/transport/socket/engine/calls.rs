//! The engine as calls see it: turns, requests, responses.

use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::Response;
use http::header::HeaderName;
use http::request::Parts;

use super::flow::{ReceiveWindow, SendWindow};
use super::stream::{Failure, Part, Stream};
use super::{Engine, LATE_FRAMES, MAX_CONTROL, frame, hpack};
use crate::transport::http2::ErrorCode;

/// The reason for which a call is not begun.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The connection takes no more calls.
    Closed,
    /// HTTP/2 forbids the header.
    Header(HeaderName),
}

impl Engine {
    /// Waits for a turn in the order of the first polls. `ticket` is `None` at first and when the turn has come;
    /// otherwise it is given back by [`cancel_turn`](Self::cancel_turn). `false` when the connection takes no more
    /// calls.
    pub(crate) fn poll_turn(&mut self, ticket: &mut Option<u64>, waker: &Waker) -> Poll<bool> {
        self.streams.turns.poll(ticket, waker)
    }

    pub(crate) fn cancel_turn(&mut self, ticket: u64) {
        self.streams.turns.cancel(ticket);
    }

    /// Gives back a turn that no call has used.
    pub(crate) fn release_turn(&mut self) {
        self.streams.turns.release();
        self.wake_driver();
    }

    /// Begins a call, with the turn of it.
    pub(crate) fn open(&mut self, head: &Parts) -> Result<u32, Refusal> {
        let block = hpack::encode(head).map_err(Refusal::Header)?;
        if !self.takes_calls() {
            return Err(Refusal::Closed);
        }
        let id = self.streams.next_id();
        let window = self.limits.stream_window;
        let (receive, send) = (ReceiveWindow::new(window, window), SendWindow::new(self.initial_window));
        self.streams.add(Stream::new(id, receive, send));
        frame::put_headers(&mut self.control, id, &block, self.max_frame);
        self.streams.turns.hold(self.control.len() > MAX_CONTROL);
        self.wake_driver();
        Ok(id)
    }

    /// Waits until more of the request is wanted. `false` when none is.
    pub(crate) fn poll_room(&mut self, id: u32, cx: &mut Context<'_>) -> Poll<bool> {
        let Some(stream) = self.streams.get(id) else { return Poll::Ready(false) };
        // Woken also when nothing is wanted any more while the caller waits for the next part of the request.
        stream.writer = Some(cx.waker().clone());
        match stream.has_room() {
            None => Poll::Ready(false),
            Some(true) => Poll::Ready(true),
            Some(false) => Poll::Pending,
        }
    }

    /// Adds to the request.
    pub(crate) fn send(&mut self, id: u32, bytes: Bytes) {
        if let Some(stream) = self.streams.get(id) {
            stream.send(bytes);
            self.queue(id);
        }
    }

    /// Ends the request.
    pub(crate) fn finish(&mut self, id: u32) {
        if let Some(stream) = self.streams.get(id) {
            stream.finish();
            self.queue(id);
        }
    }

    /// Gives a call a turn to send, if it can use it.
    pub(super) fn queue(&mut self, id: u32) {
        if let Some(stream) = self.streams.get(id)
            && !stream.is_queued
            && stream.can_send(usize::MAX)
        {
            stream.is_queued = true;
            self.sending.push_back(id);
            self.wake_driver();
        }
    }

    /// Waits for the head of the response.
    pub(crate) fn poll_head(&mut self, id: u32, cx: &mut Context<'_>) -> Poll<Result<Response<()>, Failure>> {
        let Some(stream) = self.streams.get(id) else { return Poll::Ready(Err(Failure::Lost)) };
        match stream.take_head() {
            Some(result) => Poll::Ready(result),
            None => {
                stream.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Waits for the next part of the response, after its head. The window opens for bytes that are taken, so that a
    /// slow reader slows the server down.
    pub(crate) fn poll_part(&mut self, id: u32, cx: &mut Context<'_>) -> Poll<Part> {
        let Some(stream) = self.streams.get(id) else { return Poll::Ready(Part::End) };
        let Some(part) = stream.take_part() else {
            stream.reader = Some(cx.waker().clone());
            return Poll::Pending;
        };
        if let Part::Data(bytes) = &part {
            stream.receive_window.release(bytes.len());
            if stream.is_receiving()
                && let Some(increment) = stream.receive_window.update()
            {
                frame::put_window_update(&mut self.control, id, increment);
                self.wake_driver();
            }
            self.receive_window.release(bytes.len());
            self.announce();
        }
        Poll::Ready(part)
    }

    /// Ends both directions of a call by this side.
    pub(crate) fn cancel(&mut self, id: u32) {
        self.abort(id, ErrorCode::CANCEL, Failure::Reset(ErrorCode::CANCEL));
    }

    /// Resets a call, unless it is closed.
    pub(super) fn abort(&mut self, id: u32, code: ErrorCode, failure: Failure) {
        if let Some(stream) = self.streams.get(id)
            && !stream.is_closed()
        {
            self.streams.change(id, |stream| stream.fail(failure));
            frame::put_reset(&mut self.control, id, code);
            self.quiet_frames -= LATE_FRAMES;
            self.wake_driver();
        }
    }

    /// Forgets a call; cancels it first if it is open.
    pub(crate) fn release(&mut self, id: u32) {
        self.cancel(id);
        if let Some(stream) = self.streams.remove(id) {
            self.receive_window.release(stream.unread());
            self.announce();
            // The connection may be done.
            self.wake_driver();
        }
    }
}
