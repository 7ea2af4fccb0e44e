//! The messages of a request: counted, measured and timed before they are buffered.
//!
//! Runs inside the gRPC-Web translation, so bodies are in gRPC's own framing. A violation becomes an error of the body, which
//! tonic passes to the handler of a stream, or sends as the status.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use grpc_wire::message::{Event, Position, Prefix, Scanner};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tonic::{Code, Status};

use crate::body_timeout::{Applies, BodyTimeouts, BodyTimer};
use crate::budget::RequestCharge;

/// The rules for the messages of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct MessageRules {
    /// Bytes of one message, as it is sent.
    pub(super) max_message_size: usize,
    /// Whether there must be exactly one message.
    pub(super) exactly_one: bool,
    /// The timeouts that apply before the first message and between two of them.
    pub(super) between_messages: Applies,
}

pin_project! {
    /// A request body that ends where it violates a rule.
    pub(super) struct CheckedBody<B> {
        #[pin]
        body: B,
        scan: MessageScan,
        timer: BodyTimer,
        charge: Option<RequestCharge>,
        // A frame, or the end, that waits until the bytes of the response are reserved.
        next: Option<Option<Frame<Bytes>>>,
        // Follows the bytes before the violation.
        violation: Option<Status>,
        ended: bool,
    }
}

impl<B> CheckedBody<B> {
    pub(super) fn new(
        body: B,
        rules: MessageRules,
        timeouts: BodyTimeouts,
        charge: Option<RequestCharge>,
    ) -> Self {
        let (scan, timer) = (MessageScan::new(rules), BodyTimer::new(timeouts));
        Self { body, scan, timer, charge, next: None, violation: None, ended: false }
    }
}

impl<B> CheckedBody<B>
where
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>>,
{
    /// The next frame within the rules, or the end.
    fn poll_checked(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Frame<Bytes>>, Status>> {
        let this = self.project();
        let Poll::Ready(polled) = this.body.poll_frame(cx) else {
            let error = ready!(this.timer.poll_timeout(cx, this.scan.applies()));
            return Poll::Ready(Err(Status::deadline_exceeded(error.to_string())));
        };
        Poll::Ready(match polled {
            None => this.scan.check_end().map(|()| None),
            // Trailers are the end: tonic asks for nothing after them.
            Some(Ok(frame)) if frame.is_trailers() => this.scan.check_end().map(|()| Some(frame)),
            Some(Ok(frame)) => match frame.into_data() {
                Err(other) => Ok(Some(other)),
                Ok(mut data) => match this.scan.scan_in_time(&data, this.timer) {
                    Ok(()) => {
                        let charge = this.charge.as_mut();
                        let charged = charge.map_or(Ok(()), |charge| charge.set(this.scan.held()));
                        charged.map(|()| Some(Frame::data(data)))
                    }
                    Err((0, violation)) => Err(violation),
                    Err((valid, violation)) => {
                        data.truncate(valid);
                        *this.violation = Some(violation);
                        Ok(Some(Frame::data(data)))
                    }
                },
            },
            Some(Err(error)) => Err(read_error(error.into())),
        })
    }
}

impl<B> Body for CheckedBody<B>
where
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>>,
{
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        if self.next.is_none() {
            let polled = match self.as_mut().project().violation.take() {
                Some(violation) => Err(violation),
                None => ready!(self.as_mut().poll_checked(cx)),
            };
            match polled {
                Ok(next) => *self.as_mut().project().next = Some(next),
                Err(status) => {
                    *self.project().ended = true;
                    return Poll::Ready(Some(Err(status)));
                }
            }
        }
        let this = self.project();
        let is_end = matches!(this.next, Some(None));
        // The handler gets no message before there is room for its response.
        if let Some(charge) = this.charge
            && (is_end || this.scan.has_whole_message())
            && charge.is_waiting()
        {
            ready!(charge.poll_reserve(cx));
            // The client did not cause this pause.
            this.timer.restart();
        }
        *this.ended = is_end;
        Poll::Ready(this.next.take().flatten().map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        // The end of the body may still be a violation, so it must be polled.
        self.ended
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

/// The status for a failed connection or a cancelled call.
fn read_error(error: Box<dyn Error + Send + Sync>) -> Status {
    let status = Status::from_error(error);
    match status.code() {
        // tonic takes a cancellation for the regular end of a request.
        Code::Cancelled => Status::unavailable("the client left before the end of its request"),
        _ => status,
    }
}

/// Checks the messages in a stream of bytes.
#[derive(Debug)]
struct MessageScan {
    rules: MessageRules,
    scanner: Scanner,
    /// Messages whose length is known.
    messages: u64,
    /// Length of the last message, in bytes.
    length: usize,
}

impl MessageScan {
    fn new(rules: MessageRules) -> Self {
        Self { rules, scanner: Scanner::default(), messages: 0, length: 0 }
    }

    /// The timeouts that apply to the next byte.
    fn applies(&self) -> Applies {
        match self.scanner.position() {
            Position::Boundary => self.rules.between_messages,
            Position::Prefix { .. } | Position::Payload { .. } => Applies::TotalAndPause,
        }
    }

    /// Messages of which a byte has come.
    fn begun(&self) -> u64 {
        self.messages + u64::from(matches!(self.scanner.position(), Position::Prefix { .. }))
    }

    fn has_whole_message(&self) -> bool {
        self.messages > u64::from(matches!(self.scanner.position(), Position::Payload { .. }))
    }

    /// As [`scan`](Self::scan). The timeouts of a stream start again with each message.
    fn scan_in_time(&mut self, bytes: &[u8], timer: &mut BodyTimer) -> Result<(), (usize, Status)> {
        let before = self.begun();
        let scanned = self.scan(bytes);
        if self.begun() > before && self.rules.between_messages != Applies::TotalAndPause {
            timer.restart();
        } else {
            timer.received(bytes.len());
        }
        scanned
    }

    /// Checks the next bytes. A violation comes with the number of bytes before the message that it is in.
    fn scan(&mut self, bytes: &[u8]) -> Result<(), (usize, Status)> {
        let mut rest = bytes;
        let mut message_start = 0;
        loop {
            if self.scanner.position() == Position::Boundary && !rest.is_empty() {
                message_start = bytes.len() - rest.len();
                self.check_begin().map_err(|violation| (message_start, violation))?;
            }
            match self.scanner.next(&mut rest) {
                Some(Event::Prefix(prefix)) => {
                    self.check_prefix(prefix).map_err(|violation| (message_start, violation))?;
                }
                Some(Event::Payload(_) | Event::End) => {}
                None => return Ok(()),
            }
        }
    }

    fn check_begin(&self) -> Result<(), Status> {
        if self.rules.exactly_one && self.messages > 0 {
            return Err(Status::unimplemented("the method takes one request message, and a second one came"));
        }
        Ok(())
    }

    fn check_prefix(&mut self, prefix: Prefix) -> Result<(), Status> {
        let (length, limit) = (prefix.payload_len(), self.rules.max_message_size);
        if length > limit {
            let message = format!("a request message of {length} bytes is larger than the limit of {limit}");
            return Err(Status::resource_exhausted(message));
        }
        self.messages += 1;
        self.length = length;
        Ok(())
    }

    fn check_end(&self) -> Result<(), Status> {
        if self.scanner.position() != Position::Boundary {
            return Err(Status::internal("the request ended inside a message"));
        }
        if self.rules.exactly_one && self.messages == 0 {
            return Err(Status::unimplemented("the method takes one request message, and none came"));
        }
        Ok(())
    }

    /// Bytes of the request in memory: of a stream only those of its incomplete message, because a handler takes messages one
    /// by one.
    fn held(&self) -> usize {
        match self.scanner.position() {
            Position::Payload { missing } => self.length - missing,
            _ if self.rules.exactly_one => self.length,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests;
