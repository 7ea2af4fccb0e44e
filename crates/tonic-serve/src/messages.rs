//! The messages of a request, counted, measured and timed before anybody buffers them.
//!
//! Stands inside the gRPC-Web translation: what passes here are frames of gRPC, a flag and a length
//! before each message. What breaks a rule becomes an error of the body, which tonic hands to the handler
//! of a stream, or answers with itself.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tonic::{Code, Status};

use crate::budget::{CallAccount, Received};
use crate::pace::{Awaited, Pace, PaceLimits};

/// Bytes before a message: a flag, and the length as a big-endian number of 32 bits.
const PREFIX: usize = 5;

/// What the messages of a request have to keep to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// Bytes of one message, as it is sent.
    pub(crate) max_message_size: usize,
    /// Whether there has to be exactly one.
    pub(crate) exactly_one: bool,
    /// What is waited for while no message is half there.
    pub(crate) between: Awaited,
}

pin_project! {
    /// A request's body that ends where a rule is broken.
    pub(crate) struct CheckedBody<B> {
        #[pin]
        body: B,
        scan: Scan,
        pace: Pace,
        // Charges for what is held of it.
        received: Option<Received>,
        // What comes after the bytes that were good.
        refusal: Option<Status>,
        ended: bool,
    }
}

impl<B> CheckedBody<B> {
    pub(crate) fn new(body: B, rules: Rules, pace: PaceLimits, account: Option<&CallAccount>) -> Self {
        let (pace, received) = (Pace::new(pace), account.map(Received::new));
        Self { body, scan: Scan::new(rules), pace, received, refusal: None, ended: false }
    }
}

impl<B> Body for CheckedBody<B>
where
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>>,
{
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.project();
        if let Some(refusal) = this.refusal.take() {
            *this.ended = true;
            return Poll::Ready(Some(Err(refusal)));
        }
        if *this.ended {
            return Poll::Ready(None);
        }
        let Poll::Ready(polled) = this.body.poll_frame(cx) else {
            let late = ready!(this.pace.poll_late(cx, this.scan.awaited()));
            *this.ended = true;
            return Poll::Ready(Some(Err(Status::deadline_exceeded(late.to_string()))));
        };
        let checked = match polled {
            None => this.scan.end().map(|()| None),
            // Trailers are the end: tonic asks for nothing after them.
            Some(Ok(frame)) if frame.is_trailers() => this.scan.end().map(|()| Some(frame)),
            Some(Ok(frame)) => match frame.into_data() {
                Err(other) => Ok(Some(other)),
                Ok(mut data) => match this.scan.pass_in_time(&data, this.pace) {
                    Ok(()) => match this.received.as_mut().map(|received| received.set(this.scan.held())) {
                        Some(Err(refusal)) => Err(refusal),
                        Some(Ok(())) | None => Ok(Some(Frame::data(data))),
                    },
                    Err((0, refusal)) => Err(refusal),
                    Err((good, refusal)) => {
                        data.truncate(good);
                        *this.refusal = Some(refusal);
                        Ok(Some(Frame::data(data)))
                    }
                },
            },
            Some(Err(error)) => Err(lost(error.into())),
        };
        *this.ended = !matches!(checked, Ok(Some(_)));
        Poll::Ready(checked.transpose())
    }

    fn is_end_stream(&self) -> bool {
        // The end of the body may still be a fault, so it has to be asked for.
        self.ended
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

/// The connection failed, or the client gave the call up.
fn lost(error: Box<dyn Error + Send + Sync>) -> Status {
    let status = Status::from_error(error);
    match status.code() {
        // tonic would take this for a request that ended as it should.
        Code::Cancelled => Status::unavailable("the client left before its request had ended"),
        _ => status,
    }
}

/// Where in a request the next byte stands.
#[derive(Debug)]
struct Scan {
    rules: Rules,
    /// Messages whose length is known.
    messages: u64,
    /// Bytes of the next prefix that have been seen.
    prefix: usize,
    length: u32,
    /// Bytes that the message still lacks.
    missing: usize,
    /// Bytes of the last message, whole.
    message: usize,
}

impl Scan {
    fn new(rules: Rules) -> Self {
        Self { rules, messages: 0, prefix: 0, length: 0, missing: 0, message: 0 }
    }

    /// What is waited for.
    fn awaited(&self) -> Awaited {
        if self.is_inside_message() { Awaited::Rest } else { self.rules.between }
    }

    /// Messages of which a byte has come.
    fn begun(&self) -> u64 {
        self.messages + u64::from(self.prefix > 0)
    }

    fn is_inside_message(&self) -> bool {
        self.prefix > 0 || self.missing > 0
    }

    /// As [`pass`](Self::pass); each message of a stream has a time of its own.
    fn pass_in_time(&mut self, bytes: &[u8], pace: &mut Pace) -> Result<(), (usize, Status)> {
        let before = self.begun();
        let passed = self.pass(bytes);
        if self.begun() > before && self.rules.between != Awaited::Rest {
            pace.restart();
        } else {
            pace.came(bytes.len());
        }
        passed
    }

    /// Takes the next bytes; of those that break a rule, says how many before them are good.
    fn pass(&mut self, bytes: &[u8]) -> Result<(), (usize, Status)> {
        let mut at = 0;
        // Where the prefix that is being read begins in these bytes.
        let mut begin = 0;
        while at < bytes.len() {
            if self.missing > 0 {
                let taken = self.missing.min(bytes.len() - at);
                self.missing -= taken;
                at += taken;
                begin = at;
                continue;
            }
            if self.prefix == 0 {
                self.may_begin().map_err(|refusal| (begin, refusal))?;
            } else {
                self.length = self.length << 8 | u32::from(bytes[at]);
            }
            self.prefix += 1;
            at += 1;
            if self.prefix == PREFIX {
                self.begin_message().map_err(|refusal| (begin, refusal))?;
                begin = at;
            }
        }
        Ok(())
    }

    fn may_begin(&self) -> Result<(), Status> {
        if self.rules.exactly_one && self.messages > 0 {
            return Err(Status::unimplemented("the method takes one request message, and another one came"));
        }
        Ok(())
    }

    fn begin_message(&mut self) -> Result<(), Status> {
        let length = usize::try_from(self.length).unwrap_or(usize::MAX);
        let limit = self.rules.max_message_size;
        if length > limit {
            let sentence = format!("a request message of {length} bytes is larger than the limit of {limit}");
            return Err(Status::resource_exhausted(sentence));
        }
        self.messages += 1;
        (self.prefix, self.length, self.missing, self.message) = (0, 0, length, length);
        Ok(())
    }

    /// Bytes that are held of the request: of a stream's messages, those of the one that is not complete,
    /// because a handler takes the others one by one.
    fn held(&self) -> usize {
        if self.missing == 0 && !self.rules.exactly_one { 0 } else { self.message - self.missing }
    }

    fn end(&self) -> Result<(), Status> {
        if self.is_inside_message() {
            return Err(Status::internal("the request ended inside a message"));
        }
        if self.rules.exactly_one && self.messages == 0 {
            return Err(Status::unimplemented("the method takes one request message, and none came"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
