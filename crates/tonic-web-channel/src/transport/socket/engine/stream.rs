//! One call on the wire: its response as far as it has come, its request as far as it is not sent.

use std::collections::VecDeque;
use std::task::Waker;

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Response, StatusCode, Version};

use super::flow::{ReceiveWindow, SendWindow};
use super::frame::Violation;
use super::hpack::Fields;
use crate::transport::http2::ErrorCode;

/// Pieces of DATA below this many bytes are joined, because each costs its reader a turn.
const SMALL: usize = 4 * 1024;

/// The most bytes that are joined.
const JOINED: usize = 64 * 1024;

/// The most bytes of a request that are taken before they can be sent, unless the server's window is smaller.
const MAX_UNSENT: usize = 64 * 1024;

/// The reason for which a call ends without its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The server reset it.
    Reset(ErrorCode),
    /// The response breaks a rule.
    Broken(&'static str),
    /// The server closes the connection, and has done nothing for the call.
    NotProcessed,
    /// The connection has ended.
    Lost,
}

/// The next part of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Receiving {
    Head,
    Body,
    Nothing,
}

/// The next part of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sending {
    Body,
    /// The last of `unsent`.
    Last,
    Nothing,
}

#[derive(Debug)]
pub(super) struct Stream {
    pub(super) id: u32,
    receiving: Receiving,
    head: Option<Response<()>>,
    received: VecDeque<Bytes>,
    /// Small pieces, after those in `received`.
    joined: BytesMut,
    trailers: Option<HeaderMap>,
    /// Bytes that have not come of a body whose length was announced.
    announced: Option<u64>,
    failure: Option<Failure>,
    pub(super) reader: Option<Waker>,
    pub(super) receive_window: ReceiveWindow,
    sending: Sending,
    unsent: VecDeque<Bytes>,
    unsent_length: usize,
    pub(super) writer: Option<Waker>,
    pub(super) send_window: SendWindow,
    /// Whether it waits for its turn to send.
    pub(super) is_queued: bool,
}

/// A part of a response for its reader.
#[derive(Debug)]
pub(crate) enum Part {
    Data(Bytes),
    Trailers(HeaderMap),
    End,
    Failed(Failure),
}

impl Stream {
    pub(super) fn new(id: u32, receive_window: ReceiveWindow, send_window: SendWindow) -> Self {
        Self {
            id,
            receiving: Receiving::Head,
            head: None,
            received: VecDeque::new(),
            joined: BytesMut::new(),
            trailers: None,
            announced: None,
            failure: None,
            reader: None,
            receive_window,
            sending: Sending::Body,
            unsent: VecDeque::new(),
            unsent_length: 0,
            writer: None,
            send_window,
            is_queued: false,
        }
    }

    /// Whether both directions have ended.
    pub(super) fn is_closed(&self) -> bool {
        self.receiving == Receiving::Nothing && self.sending == Sending::Nothing
    }

    /// Whether the server may still send.
    pub(super) fn is_receiving(&self) -> bool {
        self.receiving != Receiving::Nothing
    }

    /// Ends both directions. Parts that have come are still read.
    pub(super) fn fail(&mut self, failure: Failure) {
        if self.is_receiving() {
            self.failure = Some(failure);
        }
        self.receiving = Receiving::Nothing;
        self.stop_sending();
        self.wake_reader();
    }

    /// The server reset the call.
    pub(super) fn reset(&mut self, code: ErrorCode) {
        // A server that has answered wants no more of the request.
        if self.receiving == Receiving::Body && code == ErrorCode::NO_ERROR {
            self.receiving = Receiving::Nothing;
        }
        self.fail(Failure::Reset(code));
    }

    /// Takes the head, or the trailers, of a response that has not ended. Tells whether the head is only informational.
    pub(super) fn receive_fields(&mut self, fields: Fields, is_last: bool) -> Result<bool, &'static str> {
        match (self.receiving, fields.status) {
            (Receiving::Head, None) => return Err("it has no status"),
            (Receiving::Head, Some(status)) if status.is_informational() => {
                // HTTP/2 does not switch to another protocol.
                return if is_last || status == StatusCode::SWITCHING_PROTOCOLS {
                    Err("it ends with an informational status")
                } else {
                    Ok(true)
                };
            }
            (Receiving::Head, Some(status)) => self.receive_head(status, fields.headers)?,
            (_, Some(_)) => return Err("its trailers have a status"),
            (_, None) if !is_last => return Err("it goes on after its trailers"),
            (_, None) => self.trailers = Some(fields.headers),
        }
        if is_last {
            self.end()?;
        }
        self.wake_reader();
        Ok(false)
    }

    fn receive_head(&mut self, status: StatusCode, headers: HeaderMap) -> Result<(), &'static str> {
        if let Some(length) = headers.get(CONTENT_LENGTH)
            && status != StatusCode::NOT_MODIFIED
        {
            let length = length.to_str().ok().and_then(|length| length.parse().ok());
            self.announced = Some(length.ok_or("its length is no number")?);
        }
        let mut head = Response::new(());
        *head.status_mut() = status;
        *head.version_mut() = Version::HTTP_2;
        *head.headers_mut() = headers;
        self.head = Some(head);
        self.receiving = Receiving::Body;
        Ok(())
    }

    /// Takes a piece of the body of a response that has not ended. `is_alone` when it is not a small part of a larger buffer.
    pub(super) fn receive_data(
        &mut self,
        bytes: Bytes,
        is_alone: bool,
        is_last: bool,
    ) -> Result<(), &'static str> {
        if self.receiving == Receiving::Head {
            return Err("its body comes before its head");
        }
        if let Some(announced) = &mut self.announced {
            *announced = announced.checked_sub(bytes.len() as u64).ok_or("it is longer than announced")?;
        }
        if bytes.len() >= SMALL && is_alone {
            self.close_joined();
            self.received.push_back(bytes);
        } else {
            if self.joined.len() + bytes.len() > JOINED {
                self.close_joined();
            }
            self.joined.extend_from_slice(&bytes);
        }
        if is_last {
            self.end()?;
        }
        self.wake_reader();
        Ok(())
    }

    fn close_joined(&mut self) {
        if !self.joined.is_empty() {
            self.received.push_back(self.joined.split().freeze());
        }
    }

    fn end(&mut self) -> Result<(), &'static str> {
        if self.announced.is_some_and(|left| left > 0) {
            return Err("it is shorter than announced");
        }
        self.receiving = Receiving::Nothing;
        Ok(())
    }

    /// The head once it has come, or the failure.
    pub(super) fn take_head(&mut self) -> Option<Result<Response<()>, Failure>> {
        self.head.take().map(Ok).or_else(|| self.failure.map(Err))
    }

    /// The next part after the head. `None` when it has not come.
    pub(super) fn take_part(&mut self) -> Option<Part> {
        if let Some(bytes) = self.received.pop_front() {
            return Some(Part::Data(bytes));
        }
        if !self.joined.is_empty() {
            return Some(Part::Data(self.joined.split().freeze()));
        }
        if self.is_receiving() {
            return None;
        }
        let trailers = self.trailers.take().map(Part::Trailers);
        Some(trailers.or_else(|| self.failure.map(Part::Failed)).unwrap_or(Part::End))
    }

    /// Bytes that have come and were not read.
    pub(super) fn unread(&self) -> usize {
        self.received.iter().map(Bytes::len).sum::<usize>() + self.joined.len()
    }

    /// Whether more of the request may be added. `None` when none is wanted.
    pub(super) fn has_room(&self) -> Option<bool> {
        let limit = self.send_window.available().min(MAX_UNSENT);
        (self.sending == Sending::Body).then_some(self.unsent_length == 0 || self.unsent_length < limit)
    }

    /// Adds to the request.
    pub(super) fn send(&mut self, bytes: Bytes) {
        if self.sending == Sending::Body && !bytes.is_empty() {
            self.unsent_length += bytes.len();
            self.unsent.push_back(bytes);
        }
    }

    /// Ends the request after what was added.
    pub(super) fn finish(&mut self) {
        if self.sending == Sending::Body {
            self.sending = Sending::Last;
        }
    }

    fn stop_sending(&mut self) {
        self.sending = Sending::Nothing;
        self.unsent = VecDeque::new();
        self.unsent_length = 0;
        self.wake_writer();
    }

    /// Whether something can be sent in a window of the connection of `window` bytes.
    pub(super) fn can_send(&self, window: usize) -> bool {
        match self.unsent.front() {
            Some(_) => self.send_window.available().min(window) > 0,
            None => self.sending == Sending::Last,
        }
    }

    /// The next piece of the request, of at most `limit` bytes, and whether it is the last.
    pub(super) fn take_unsent(&mut self, limit: usize) -> (Bytes, bool) {
        let limit = limit.min(self.send_window.available());
        let mut piece = Bytes::new();
        if let Some(first) = self.unsent.front_mut() {
            piece = first.split_to(first.len().min(limit));
            if first.is_empty() {
                self.unsent.pop_front();
            }
        }
        self.send_window.take(piece.len());
        self.unsent_length -= piece.len();
        let is_last = self.sending == Sending::Last && self.unsent.is_empty();
        if is_last {
            self.sending = Sending::Nothing;
        }
        if self.has_room() != Some(false) {
            self.wake_writer();
        }
        (piece, is_last)
    }

    /// The server's initial window changed by `by`.
    pub(super) fn change_send_window(&mut self, by: i64) -> Result<(), Violation> {
        self.send_window.change(by)?;
        if self.has_room() == Some(true) {
            self.wake_writer();
        }
        Ok(())
    }

    pub(super) fn wake_reader(&mut self) {
        if let Some(waker) = self.reader.take() {
            waker.wake();
        }
    }

    fn wake_writer(&mut self) {
        if let Some(waker) = self.writer.take() {
            waker.wake();
        }
    }
}
