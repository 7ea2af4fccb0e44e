//! The body of a request, kept for another attempt.

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

use crate::body::CallGuard;
use crate::context::CallContext;
use crate::observe::{EventRef, Reporter};

/// Capacity of the replay buffer, in bytes: 256 KiB, as in other gRPC libraries. A longer request is sent once.
const CAPACITY: usize = 256 << 10;

/// A request's body that several attempts can send.
///
/// Dropped, it ends the current attempt's body with an error, so that the transport resets its stream: otherwise a server
/// would wait for the rest of a request whose call is over.
pub(crate) struct ReplayBody(Arc<Shared>);

struct Shared {
    buffer: Mutex<ReplayBuffer>,
    /// Number of the attempt that may read.
    attempt: AtomicU32,
    reader: AtomicWaker,
}

struct ReplayBuffer {
    source: tonic::body::Body,
    messages: Reader,
    reporter: Reporter,
    ended: bool,
    frames: Vec<Bytes>,
    /// The frame that the attempt reads next.
    next: usize,
    capacity: usize,
    /// Some of the body was sent and is not in the buffer.
    overflowed: bool,
}

/// The buffer for a request whose call has this `context`. A stream of requests has none, because it may never end; nor
/// has a request that is not repeated.
pub(crate) fn capacity(context: &CallContext) -> usize {
    let is_stream = context.method.is_some_and(|method| method.kind.client_streaming());
    if is_stream || context.options.no_retry { 0 } else { CAPACITY }
}

impl ReplayBody {
    /// Keeps at most `capacity` bytes of `source`. With 0 it can be replayed only while nothing was read from it. Reports
    /// each message when it is read for the first time.
    pub(crate) fn new(
        source: tonic::body::Body,
        capacity: usize,
        capture: usize,
        reporter: Reporter,
    ) -> Self {
        let buffer = ReplayBuffer {
            source,
            messages: Reader::new(WireFormat::Grpc, Rules { capture, ..Rules::UNLIMITED }),
            reporter,
            ended: false,
            frames: Vec::new(),
            next: 0,
            capacity,
            overflowed: false,
        };
        Self(Arc::new(Shared {
            buffer: Mutex::new(buffer),
            attempt: AtomicU32::new(0),
            reader: AtomicWaker::new(),
        }))
    }

    /// Whether the buffer has everything that was sent.
    pub(crate) fn can_replay(&self) -> bool {
        !self.0.lock().overflowed
    }

    /// The body from its start. The body of the attempt before it ends with an error if it is still read.
    pub(crate) fn attempt(&self) -> tonic::body::Body {
        let number = self.0.next_attempt();
        self.0.lock().next = 0;
        tonic::body::Body::new(AttemptBody { shared: self.0.clone(), number })
    }

    /// There is no further attempt: frees the buffer once it has been read.
    pub(crate) fn settle(&self) {
        let mut buffer = self.0.lock();
        if buffer.is_read() {
            buffer.ended = true;
            buffer.next = 0;
            buffer.frames = Vec::new();
        }
    }
}

impl CallGuard for ReplayBody {}

impl Drop for ReplayBody {
    fn drop(&mut self) {
        self.0.next_attempt();
    }
}

impl Shared {
    /// Ends the attempt before. Takes no lock: the source may be what drops the call.
    fn next_attempt(&self) -> u32 {
        let attempt = self.attempt.fetch_add(1, Ordering::AcqRel).wrapping_add(1);
        self.reader.wake();
        attempt
    }

    fn lock(&self) -> MutexGuard<'_, ReplayBuffer> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The body of one attempt.
struct AttemptBody {
    shared: Arc<Shared>,
    number: u32,
}

impl AttemptBody {
    fn is_current(&self) -> bool {
        self.shared.attempt.load(Ordering::Acquire) == self.number
    }
}

impl Body for AttemptBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.shared.reader.register(cx.waker());
        let mut buffer = self.shared.lock();
        // Under the lock: the next attempt may begin on another thread, and must not miss a frame that this one takes.
        if !self.is_current() {
            return Poll::Ready(Some(Err(abandoned())));
        }
        buffer.poll(cx)
    }

    fn is_end_stream(&self) -> bool {
        let buffer = self.shared.lock();
        // An abandoned attempt ends with an error, not as if the whole body had been sent.
        self.is_current() && buffer.is_read()
    }

    fn size_hint(&self) -> SizeHint {
        let buffer = self.shared.lock();
        if buffer.frames.is_empty() { buffer.source.size_hint() } else { SizeHint::default() }
    }
}

impl ReplayBuffer {
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
            // The rest will never come.
            Some(Err(_)) => self.overflowed = true,
            None => self.ended = true,
        }
        Poll::Ready(frame)
    }

    fn report(&mut self, data: &Bytes) {
        let reporter = &self.reporter;
        if !reporter.is_observed() {
            return;
        }
        self.messages.feed(data.clone());
        let mut report = |message| reporter.report(&EventRef::MessageSent(message));
        loop {
            match self.messages.next(&mut report) {
                Ok(Some(_)) => {}
                Ok(None) => return,
                // The caller's client wrote the prefixes. A wrong one is the server's to judge.
                Err(_) => {
                    reporter.report(&EventRef::Warning("the request's messages are not length-prefixed"));
                    return;
                }
            }
        }
    }

    fn keep(&mut self, data: &Bytes) {
        match self.capacity.checked_sub(data.len()) {
            Some(capacity) if !self.overflowed => {
                self.capacity = capacity;
                self.frames.push(data.clone());
            }
            _ => {
                self.overflowed = true;
                self.frames = Vec::new();
            }
        }
        self.next = self.frames.len();
    }

    /// Whether the current attempt has read the whole body.
    fn is_read(&self) -> bool {
        self.next == self.frames.len() && (self.ended || self.source.is_end_stream())
    }
}

/// The error in the body of an abandoned attempt. Over HTTP/2 it resets the stream with CANCEL.
fn abandoned() -> Status {
    #[cfg_attr(target_arch = "wasm32", expect(unused_mut, reason = "there is no HTTP/2 on wasm"))]
    let mut status = Status::cancelled("the attempt was abandoned");
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

    fn replay_body(chunks: &[&'static str], capacity: usize) -> ReplayBody {
        ReplayBody::new(source(chunks), capacity, 0, Reporter::default())
    }

    fn collected(body: tonic::body::Body) -> Bytes {
        body.collect().now_or_never().unwrap().unwrap().to_bytes()
    }

    #[test]
    fn a_half_read_body_is_replayed_from_its_start() {
        let request = replay_body(&["abc", "def", "ghi"], 100);

        let mut first = request.attempt();
        first.frame().now_or_never().unwrap().unwrap().unwrap();
        assert!(request.can_replay());

        assert_eq!(collected(request.attempt()), "abcdefghi");
        assert_eq!(collected(request.attempt()), "abcdefghi");
        // The abandoned attempt takes no frames of the others, and does not look as if it had sent everything.
        assert!(!first.is_end_stream());
        let status = first.frame().now_or_never().unwrap().unwrap().unwrap_err();
        assert_eq!(status.code(), tonic::Code::Cancelled);
    }

    #[test]
    fn an_unfinished_attempt_ends_with_an_error_when_the_call_is_over() {
        let pending = StreamBody::new(futures_util::stream::pending::<Result<Frame<Bytes>, Status>>());
        let request = ReplayBody::new(tonic::body::Body::new(pending), 0, 0, Reporter::default());
        let mut attempt = request.attempt();
        assert!(attempt.frame().now_or_never().is_none());

        drop(request);

        let status = attempt.frame().now_or_never().unwrap().unwrap().unwrap_err();
        assert_eq!(status.code(), tonic::Code::Cancelled);
    }

    #[test]
    fn a_settled_body_is_sent_to_its_end() {
        let request = replay_body(&["abc", "def"], 100);
        let mut attempt = request.attempt();
        attempt.frame().now_or_never().unwrap().unwrap().unwrap();
        request.settle();
        assert_eq!(collected(attempt), "def");
        let again = request.attempt();
        request.settle();
        assert_eq!(collected(again), "abcdef");
    }

    #[test]
    fn a_body_over_the_capacity_is_sent_once() {
        let request = replay_body(&["abc", "def", "ghi"], 6);
        assert_eq!(collected(request.attempt()), "abcdefghi");
        assert!(!request.can_replay());

        let unread = replay_body(&["abc"], 0);
        drop(unread.attempt());
        assert!(unread.can_replay());
        assert_eq!(collected(unread.attempt()), "abc");
        assert!(!unread.can_replay());
    }
}
