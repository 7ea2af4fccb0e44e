//! The body of a request on its way to the transport: its messages are reported, it is kept for being sent again,
//! and it ends when its call is over.

use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use grpc_wire::content_type::WireFormat;
use grpc_wire::reader::{Reader, Rules};
use http_body::{Body, Frame, SizeHint};
use tonic::Status;

use crate::observe::{Reporter, Told};

/// How much of a request is kept for being sent again, in bytes: 256 KiB, as in other gRPC libraries. A longer
/// request is sent once.
pub(crate) const MAX_KEPT: usize = 256 << 10;

/// A request's body that can be sent more than once.
///
/// Dropped, it ends what is still being sent with an error, so that the transport resets its stream: a server
/// would wait for ever for the rest of a request whose call is over.
pub(crate) struct Repeatable(Arc<Shared>);

struct Shared {
    kept: Mutex<Kept>,
    /// Which sending may read.
    current: AtomicU32,
    reader: AtomicWaker,
}

struct Kept {
    source: tonic::body::Body,
    sent: Reader,
    reporter: Reporter,
    ended: bool,
    frames: Vec<Bytes>,
    /// Which frame the current sending reads next.
    next: usize,
    room: usize,
    /// Some of it has been sent and not been kept.
    lost: bool,
}

impl Repeatable {
    /// Keeps at most `room` bytes of `source`. With 0 it can be sent again only while nobody has read from it.
    /// Its messages are reported as they are read for the first time.
    pub(crate) fn new(source: tonic::body::Body, room: usize, reporter: Reporter) -> Self {
        let rules = Rules { capture: reporter.capture(), ..Rules::UNLIMITED };
        let sent = Reader::new(WireFormat::Grpc, rules);
        let frames = Vec::new();
        let kept = Kept { source, sent, reporter, ended: false, frames, next: 0, room, lost: false };
        Self(Arc::new(Shared {
            kept: Mutex::new(kept),
            current: AtomicU32::new(0),
            reader: AtomicWaker::new(),
        }))
    }

    /// Whether all of it that was sent is still here.
    pub(crate) fn can_be_sent(&self) -> bool {
        !self.0.lock().lost
    }

    /// The body from its start. The one that was given before ends with an error if it is still read.
    pub(crate) fn body(&self) -> tonic::body::Body {
        let sending = self.0.turn();
        self.0.lock().next = 0;
        tonic::body::Body::new(Sending { shared: self.0.clone(), sending })
    }

    /// It will not be sent again, so nothing has to be kept that was sent.
    pub(crate) fn settle(&self) {
        let mut kept = self.0.lock();
        if kept.is_read() {
            kept.ended = true;
            kept.next = 0;
            kept.frames = Vec::new();
        }
    }
}

impl Drop for Repeatable {
    fn drop(&mut self) {
        self.0.turn();
    }
}

impl Shared {
    /// The turn of the next sending, whose number is given. Takes no lock: the source may be what drops the call.
    fn turn(&self) -> u32 {
        let sending = self.current.fetch_add(1, Ordering::AcqRel).wrapping_add(1);
        self.reader.wake();
        sending
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One sending of a [`Repeatable`].
struct Sending {
    shared: Arc<Shared>,
    sending: u32,
}

impl Sending {
    fn is_current(&self) -> bool {
        self.shared.current.load(Ordering::Acquire) == self.sending
    }
}

impl Body for Sending {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.shared.reader.register(cx.waker());
        let mut kept = self.shared.lock();
        // Under the lock: the next sending may begin on another thread, and must not miss what this one would take.
        if !self.is_current() {
            return Poll::Ready(Some(Err(given_up())));
        }
        kept.poll(cx)
    }

    fn is_end_stream(&self) -> bool {
        let kept = self.shared.lock();
        // One that was given up ends with an error, not as if it had been sent whole.
        self.is_current() && kept.is_read()
    }

    fn size_hint(&self) -> SizeHint {
        let kept = self.shared.lock();
        if kept.frames.is_empty() { kept.source.size_hint() } else { SizeHint::default() }
    }
}

impl Kept {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Some(frame) = self.frames.get(self.next) {
            self.next += 1;
            return Poll::Ready(Some(Ok(Frame::data(frame.clone()))));
        }
        if self.ended {
            return Poll::Ready(None);
        }
        let frame = ready!(Pin::new(&mut self.source).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    self.report(data);
                    self.keep(data);
                }
            }
            // Nobody can send the rest.
            Some(Err(_)) => self.lost = true,
            None => self.ended = true,
        }
        Poll::Ready(frame)
    }

    fn report(&mut self, data: &Bytes) {
        let reporter = &self.reporter;
        if !reporter.is_heard() {
            return;
        }
        // The caller's own client has made the prefixes. A wrong one is the server's to judge.
        self.sent.feed(data.clone());
        let mut report = |message| reporter.report(Told::MessageSent(message));
        loop {
            match self.sent.next(&mut report) {
                Ok(Some(_)) => {}
                Ok(None) => return,
                Err(_) => {
                    reporter.report(Told::Warning("the request's messages are not framed as gRPC has it"));
                    return;
                }
            }
        }
    }

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
        self.next = self.frames.len();
    }

    /// Whether the current sending has read all there is.
    fn is_read(&self) -> bool {
        self.next == self.frames.len() && (self.ended || self.source.is_end_stream())
    }
}

/// What a sending ends with that nobody waits for. Over HTTP/2 it resets the stream with CANCEL.
fn given_up() -> Status {
    #[cfg_attr(target_arch = "wasm32", expect(unused_mut, reason = "there is no HTTP/2 to speak to"))]
    let mut status = Status::cancelled("the attempt was given up");
    #[cfg(not(target_arch = "wasm32"))]
    status.set_source(Arc::new(h2::Error::from(h2::Reason::CANCEL)));
    status
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
        let request = Repeatable::new(source(&["abc", "def", "ghi"]), 100, Reporter::deaf());

        let mut first = request.body();
        first.frame().now_or_never().unwrap().unwrap().unwrap();
        assert!(request.can_be_sent());

        assert_eq!(all(request.body()), "abcdefghi");
        assert_eq!(all(request.body()), "abcdefghi");
        // The attempt that was given up does not take what the others need, nor look as if it had been sent whole.
        assert!(!first.is_end_stream());
        let status = first.frame().now_or_never().unwrap().unwrap().unwrap_err();
        assert_eq!(status.code(), tonic::Code::Cancelled);
    }

    #[test]
    fn what_is_still_sent_when_the_call_is_over_ends_with_an_error() {
        let pending = StreamBody::new(futures_util::stream::pending::<Result<Frame<Bytes>, Status>>());
        let request = Repeatable::new(tonic::body::Body::new(pending), 0, Reporter::deaf());
        let mut sending = request.body();
        assert!(sending.frame().now_or_never().is_none());

        drop(request);

        let status = sending.frame().now_or_never().unwrap().unwrap().unwrap_err();
        assert_eq!(status.code(), tonic::Code::Cancelled);
    }

    #[test]
    fn a_settled_request_is_still_sent_to_its_end() {
        let request = Repeatable::new(source(&["abc", "def"]), 100, Reporter::deaf());
        let mut sending = request.body();
        sending.frame().now_or_never().unwrap().unwrap().unwrap();
        request.settle();
        assert_eq!(all(sending), "def");
        let again = request.body();
        request.settle();
        assert_eq!(all(again), "abcdef");
    }

    #[test]
    fn a_request_that_is_longer_than_its_room_is_sent_once() {
        let request = Repeatable::new(source(&["abc", "def", "ghi"]), 6, Reporter::deaf());
        assert_eq!(all(request.body()), "abcdefghi");
        assert!(!request.can_be_sent());

        let unread = Repeatable::new(source(&["abc"]), 0, Reporter::deaf());
        drop(unread.body());
        assert!(unread.can_be_sent());
        assert_eq!(all(unread.body()), "abc");
        assert!(!unread.can_be_sent());
    }
}
