//! Seeing calls: what an observer is told, and the bookkeeping that tells it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use grpc_wire::reader::Message;
use http::HeaderMap;
use tonic::{Code, Status};

use crate::method::MethodKind;

/// Something that happened to a call.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CallEvent {
    /// Which call; unique in this program.
    pub call: u64,
    /// When it happened.
    pub at: web_time::Instant,
    /// What happened.
    pub kind: CallEventKind,
}

/// What happened to a call. `Started` comes first and `Ended` last, each once.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum CallEventKind {
    /// The call was handed to the channel.
    Started {
        /// `/package.Service/Method`.
        path: String,
        /// What the channel was told of the method.
        kind: Option<MethodKind>,
        /// The request's metadata, the deadline included.
        metadata: HeaderMap,
    },
    /// A message was read from the caller for sending.
    MessageSent {
        /// Its length without the frame's prefix, as it is on the wire.
        bytes: usize,
        /// The frame's first byte: bit 0 says that the message is compressed.
        flags: u8,
        /// The message as it is on the wire, or as much of its start as
        /// [`Builder::capture`](crate::Builder::capture) allows; empty by default.
        content: Bytes,
    },
    /// The response's headers came.
    Headers {
        /// The response's metadata.
        metadata: HeaderMap,
    },
    /// A message came, whole.
    MessageReceived {
        /// Its length without the frame's prefix, as it is on the wire.
        bytes: usize,
        /// The frame's first byte: bit 0 says that the message is compressed.
        flags: u8,
        /// The message as it is on the wire, or as much of its start as
        /// [`Builder::capture`](crate::Builder::capture) allows; empty by default.
        content: Bytes,
    },
    /// The frame of trailers came. Only gRPC-Web has one.
    TrailersReceived {
        /// The frame's first byte: bit 7 marks trailers, bit 0 says that they are compressed.
        flags: u8,
        /// The block as it is on the wire, limited as messages are.
        content: Bytes,
    },
    /// The attempt failed, and the call is repeated.
    Retrying {
        /// How many attempts have failed.
        attempt: u32,
        /// How long the channel waits before the next.
        delay: Duration,
        /// How this one ended.
        status: Status,
    },
    /// Something that a developer should know of.
    Warning {
        /// A sentence.
        text: String,
    },
    /// The call is over. `CANCELLED` when the caller dropped it.
    Ended {
        /// How it ended, without details.
        status: Status,
        /// The trailers, empty where none came.
        trailers: HeaderMap,
    },
}

impl From<Told<'_>> for CallEventKind {
    fn from(told: Told<'_>) -> Self {
        match told {
            Told::Started { path, kind, metadata } => {
                Self::Started { path: path.to_owned(), kind, metadata: metadata.clone() }
            }
            Told::MessageSent(Message { flags, length, start }) => {
                Self::MessageSent { bytes: length, flags, content: start.into() }
            }
            Told::Headers(metadata) => Self::Headers { metadata: metadata.clone() },
            Told::MessageReceived(Message { flags, length, start }) => {
                Self::MessageReceived { bytes: length, flags, content: start.into() }
            }
            Told::TrailersReceived { flags, content } => {
                Self::TrailersReceived { flags, content: Bytes::copy_from_slice(content) }
            }
            Told::Retrying { attempt, delay, status } => {
                Self::Retrying { attempt, delay, status: status.clone() }
            }
            Told::Warning(text) => Self::Warning { text: text.to_owned() },
            Told::Ended { code, message, trailers } => {
                Self::Ended { status: Status::new(code, message), trailers: trailers.clone() }
            }
        }
    }
}

/// What becomes an event where somebody listens. A program without observers does not carry the code that makes
/// events.
pub(crate) enum Told<'a> {
    Started { path: &'a str, kind: Option<MethodKind>, metadata: &'a HeaderMap },
    MessageSent(Message),
    Headers(&'a HeaderMap),
    MessageReceived(Message),
    TrailersReceived { flags: u8, content: &'a [u8] },
    Retrying { attempt: u32, delay: Duration, status: &'a Status },
    Warning(&'a str),
    Ended { code: Code, message: &'a str, trailers: &'a HeaderMap },
}

/// Hears what happens, with the number of the call it happens to.
pub(crate) type Listener = Arc<dyn Fn(u64, Told<'_>) + Send + Sync>;

/// What an application gave to be told of events.
pub(crate) type Observer = Box<dyn Fn(&CallEvent) + Send + Sync>;

/// One listener that tells all of `observers`.
pub(crate) fn listener(observers: Vec<Observer>) -> Listener {
    Arc::new(move |call, told| {
        let event = CallEvent { call, at: web_time::Instant::now(), kind: told.into() };
        observers.iter().for_each(|observer| observer(&event));
    })
}

static NEXT_CALL: AtomicU64 = AtomicU64::new(1);

/// Tells the observer, when there is one, about one call.
///
/// A request carries it to its transport as an extension.
#[derive(Clone)]
pub(crate) struct Reporter {
    call: u64,
    listener: Option<Listener>,
    capture: usize,
}

impl Reporter {
    /// Nobody listens.
    #[cfg(test)]
    pub(crate) fn deaf() -> Self {
        Self { call: 0, listener: None, capture: 0 }
    }

    /// Whether anybody listens.
    pub(crate) fn is_heard(&self) -> bool {
        self.listener.is_some()
    }

    /// How much of each message the observer is given, in bytes.
    pub(crate) fn capture(&self) -> usize {
        if self.is_heard() { self.capture } else { 0 }
    }

    /// Cuts `block` to what an observer is given of it.
    pub(crate) fn trailers_received(&self, flags: u8, block: &[u8]) {
        self.report(Told::TrailersReceived { flags, content: &block[..block.len().min(self.capture())] });
    }

    pub(crate) fn report(&self, told: Told<'_>) {
        if let Some(listener) = &self.listener {
            listener(self.call, told);
        }
    }
}

/// A call that has started and not ended. Dropped, it reports that it was cancelled.
pub(crate) struct OpenCall {
    reporter: Reporter,
    ended: bool,
}

impl OpenCall {
    pub(crate) fn start(
        listener: Option<Listener>,
        capture: usize,
        path: &str,
        kind: Option<MethodKind>,
        metadata: &HeaderMap,
    ) -> Self {
        let reporter = Reporter { call: NEXT_CALL.fetch_add(1, Ordering::Relaxed), listener, capture };
        reporter.report(Told::Started { path, kind, metadata });
        Self { reporter, ended: false }
    }

    pub(crate) fn reporter(&self) -> &Reporter {
        &self.reporter
    }

    pub(crate) fn headers(&self, metadata: &HeaderMap) {
        self.reporter.report(Told::Headers(metadata));
    }

    pub(crate) fn end(&mut self, code: Code, message: &str, trailers: &HeaderMap) {
        if !std::mem::replace(&mut self.ended, true) {
            self.reporter.report(Told::Ended { code, message, trailers });
        }
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        self.end(Code::Cancelled, "the caller dropped the call", &HeaderMap::new());
    }
}

/// An event for a test of an observer.
#[cfg(all(test, target_arch = "wasm32"))]
pub(crate) fn event(call: u64, kind: CallEventKind) -> CallEvent {
    CallEvent { call, at: web_time::Instant::now(), kind }
}
