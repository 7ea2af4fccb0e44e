//! The body of a request on its way to the transport: its messages are reported, and it is kept for being sent
//! again.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tonic::Status;

use crate::messages::{Messages, Rules};
use crate::observe::Reporter;

/// A request's body whose messages are reported as they are read for sending.
pub(crate) struct CountedBody {
    inner: tonic::body::Body,
    sent: Messages,
    reporter: Reporter,
}

impl CountedBody {
    pub(crate) fn new(inner: tonic::body::Body, reporter: Reporter) -> Self {
        Self { inner, sent: Messages::new(Rules::NONE, reporter.capture()), reporter }
    }
}

impl Body for CountedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        let frame = ready!(Pin::new(&mut this.inner).poll_frame(cx));
        if let Some(data) = frame.as_ref().and_then(|frame| frame.as_ref().ok()).and_then(Frame::data_ref) {
            let reporter = &this.reporter;
            // The caller's own client has made the prefixes. A wrong one is the server's to judge.
            if this.sent.scan(data, |message| reporter.message_sent(message)).is_err() {
                reporter.warn(|| "the request's messages are not framed as gRPC has it".to_owned());
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// How much of a request is kept for being sent again, in bytes: 256 KiB, as in other gRPC libraries. A longer
/// request is sent once.
pub(crate) const MAX_KEPT: usize = 256 << 10;

/// A request's body that can be sent more than once.
#[derive(Clone)]
pub(crate) struct Repeatable(Arc<Mutex<Kept>>);

struct Kept {
    source: tonic::body::Body,
    ended: bool,
    frames: Vec<Bytes>,
    room: usize,
    /// Some of it has been sent and not been kept.
    lost: bool,
    /// Which sending reads from the source.
    sending: u32,
}

impl Repeatable {
    /// Keeps at most `room` bytes of `source`. With 0 it can be sent again only while nobody has read from it.
    pub(crate) fn new(source: tonic::body::Body, room: usize) -> Self {
        let kept = Kept { source, ended: false, frames: Vec::new(), room, lost: false, sending: 0 };
        Self(Arc::new(Mutex::new(kept)))
    }

    /// Whether all of it that was sent is still here.
    pub(crate) fn can_be_sent(&self) -> bool {
        !self.lock().lost
    }

    /// The body from its start. The one that was given before ends with an error if it is still read.
    pub(crate) fn body(&self) -> tonic::body::Body {
        let mut kept = self.lock();
        kept.sending += 1;
        tonic::body::Body::new(Sending { kept: self.clone(), sending: kept.sending, next: 0 })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One sending of a [`Repeatable`].
struct Sending {
    kept: Repeatable,
    sending: u32,
    next: usize,
}

impl Body for Sending {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let kept = self.kept.clone();
        let mut kept = kept.lock();
        if kept.sending != self.sending {
            return Poll::Ready(Some(Err(Status::cancelled("the attempt was given up"))));
        }
        if let Some(frame) = kept.frames.get(self.next) {
            let frame = frame.clone();
            self.next += 1;
            return Poll::Ready(Some(Ok(Frame::data(frame))));
        }
        if kept.ended {
            return Poll::Ready(None);
        }
        let frame = ready!(Pin::new(&mut kept.source).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    kept.keep(data);
                    self.next = kept.frames.len();
                }
            }
            // Nobody can send the rest.
            Some(Err(_)) => kept.lost = true,
            None => kept.ended = true,
        }
        Poll::Ready(frame)
    }

    fn size_hint(&self) -> SizeHint {
        let kept = self.kept.lock();
        if self.next == 0 && kept.frames.is_empty() { kept.source.size_hint() } else { SizeHint::default() }
    }
}

impl Kept {
    fn keep(&mut self, data: &Bytes) {
        match self.room.checked_sub(data.len()) {
            Some(room) if !self.lost => {
                self.room = room;
                self.frames.push(data.clone());
            }
            _ => {
                self.lost = true;
                self.frames = Vec::new();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use http_body_util::{BodyExt as _, StreamBody};

    use super::*;

    fn source(chunks: &[&'static str]) -> tonic::body::Body {
        let frames: Vec<Result<_, Status>> =
            chunks.iter().map(|chunk| Ok(Frame::data(Bytes::from_static(chunk.as_bytes())))).collect();
        tonic::body::Body::new(StreamBody::new(futures_util::stream::iter(frames)))
    }

    fn all(body: tonic::body::Body) -> Bytes {
        body.collect().now_or_never().unwrap().unwrap().to_bytes()
    }

    #[test]
    fn a_request_is_sent_again_from_its_start_although_it_was_read_half() {
        let request = Repeatable::new(source(&["abc", "def", "ghi"]), 100);

        let mut first = request.body();
        first.frame().now_or_never().unwrap().unwrap().unwrap();
        assert!(request.can_be_sent());

        assert_eq!(all(request.body()), "abcdefghi");
        assert_eq!(all(request.body()), "abcdefghi");
        // The attempt that was given up does not take what the others need.
        let status = first.frame().now_or_never().unwrap().unwrap().unwrap_err();
        assert_eq!(status.code(), tonic::Code::Cancelled);
    }

    #[test]
    fn a_request_that_is_longer_than_its_room_is_sent_once() {
        let request = Repeatable::new(source(&["abc", "def", "ghi"]), 6);
        assert_eq!(all(request.body()), "abcdefghi");
        assert!(!request.can_be_sent());

        let unread = Repeatable::new(source(&["abc"]), 0);
        drop(unread.body());
        assert!(unread.can_be_sent());
        assert_eq!(all(unread.body()), "abc");
        assert!(!unread.can_be_sent());
    }
}
