//! Seeing calls: what an observer is told, and the bookkeeping that tells it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use tonic::{Code, Status};

use crate::messages::Message;
use crate::method::Kind;

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
        kind: Option<Kind>,
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

pub(crate) type Observer = Arc<dyn Fn(&CallEvent) + Send + Sync>;

static NEXT_CALL: AtomicU64 = AtomicU64::new(1);

/// Tells the observer, when there is one, about one call.
///
/// A request carries it to its transport as an extension.
#[derive(Clone)]
pub(crate) struct Reporter {
    call: u64,
    observer: Option<Observer>,
    capture: usize,
}

impl Reporter {
    /// Nobody listens.
    #[cfg(test)]
    pub(crate) fn deaf() -> Self {
        Self { call: 0, observer: None, capture: 0 }
    }

    /// Whether anybody listens.
    pub(crate) fn is_heard(&self) -> bool {
        self.observer.is_some()
    }

    /// How much of each message the observer is given, in bytes.
    pub(crate) fn capture(&self) -> usize {
        if self.is_heard() { self.capture } else { 0 }
    }

    pub(crate) fn message_sent(&self, message: Message) {
        let Message { flags, length, start } = message;
        self.report(|| CallEventKind::MessageSent { bytes: length, flags, content: start.into() });
    }

    pub(crate) fn message_received(&self, message: Message) {
        let Message { flags, length, start } = message;
        self.report(|| CallEventKind::MessageReceived { bytes: length, flags, content: start.into() });
    }

    /// Cuts `block` to what an observer is given of it.
    pub(crate) fn trailers_received(&self, flags: u8, block: &Bytes) {
        let content = block.slice(..block.len().min(self.capture()));
        self.report(|| CallEventKind::TrailersReceived { flags, content });
    }

    pub(crate) fn warn(&self, text: impl FnOnce() -> String) {
        self.report(|| CallEventKind::Warning { text: text() });
    }

    pub(crate) fn report(&self, kind: impl FnOnce() -> CallEventKind) {
        if let Some(observer) = &self.observer {
            observer(&CallEvent { call: self.call, at: web_time::Instant::now(), kind: kind() });
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
        observer: Option<Observer>,
        capture: usize,
        path: &str,
        kind: Option<Kind>,
        metadata: &HeaderMap,
    ) -> Self {
        let reporter = Reporter { call: NEXT_CALL.fetch_add(1, Ordering::Relaxed), observer, capture };
        reporter.report(|| CallEventKind::Started {
            path: path.to_owned(),
            kind,
            metadata: metadata.clone(),
        });
        Self { reporter, ended: false }
    }

    pub(crate) fn reporter(&self) -> &Reporter {
        &self.reporter
    }

    pub(crate) fn headers(&self, metadata: &HeaderMap) {
        self.reporter.report(|| CallEventKind::Headers { metadata: metadata.clone() });
    }

    pub(crate) fn end(&mut self, code: Code, message: &str, trailers: HeaderMap) {
        if !std::mem::replace(&mut self.ended, true) {
            self.reporter.report(|| CallEventKind::Ended { status: Status::new(code, message), trailers });
        }
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        self.end(Code::Cancelled, "the caller dropped the call", HeaderMap::new());
    }
}

/// An event for a test of an observer.
#[cfg(all(test, target_arch = "wasm32"))]
pub(crate) fn event(call: u64, kind: CallEventKind) -> CallEvent {
    CallEvent { call, at: web_time::Instant::now(), kind }
}
