//! Events of calls: the public ones, and the reports that they are made of.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use grpc_wire::reader::Message;
use http::HeaderMap;
use tonic::Status;

pub use crate::gzip::gunzip;
use crate::method::MethodKind;

/// An event of a call.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CallEvent {
    /// The number of the call, unique in the program. Interceptors and transports see it too
    /// ([`Outgoing::call_number`](crate::Outgoing::call_number), [`CallContext::number`](crate::CallContext::number)).
    pub call: u64,
    /// The time of the event.
    pub at: web_time::Instant,
    /// The event.
    pub kind: CallEventKind,
}

/// The kinds of events. `Started` is the first of a call and `Ended` the last, each once.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum CallEventKind {
    /// The call was handed to the channel. A generated client does that when the future of its method is first polled;
    /// a future that is dropped before has no events.
    Started {
        /// `/package.Service/Method`.
        path: String,
        /// The kind of the method, when the channel's method table has it.
        kind: Option<MethodKind>,
        /// The metadata as the caller gave it. [`AttemptStarted`](Self::AttemptStarted) has the headers that are sent.
        metadata: HeaderMap,
    },
    /// An attempt is sent.
    AttemptStarted {
        /// The number of the attempt, from 1.
        attempt: u32,
        /// The request's headers after interceptors, credentials and the transport's own changes, as they are sent.
        /// A browser adds its own, and tonic's HTTP/2 channel a `user-agent`.
        headers: HeaderMap,
    },
    /// A message was read from the caller for sending.
    MessageSent {
        /// Length without the prefix, as it is sent, in bytes.
        bytes: usize,
        /// The first byte of the prefix: bit 0 marks a compressed message.
        flags: u8,
        /// The message as it is sent, up to [`Builder::capture`](crate::Builder::capture) bytes of it; empty by default.
        content: Bytes,
    },
    /// The response's headers came.
    Headers {
        /// The response's metadata.
        metadata: HeaderMap,
    },
    /// A message came, whole.
    MessageReceived {
        /// Length without the prefix, as it came, in bytes.
        bytes: usize,
        /// The first byte of the prefix: bit 0 marks a compressed message.
        flags: u8,
        /// The message as it came, up to [`Builder::capture`](crate::Builder::capture) bytes of it; empty by default.
        content: Bytes,
    },
    /// The frame of trailers came. Only gRPC-Web has one.
    TrailersReceived {
        /// The first byte of the prefix: bit 7 marks trailers, bit 0 compressed ones.
        flags: u8,
        /// The block of trailers as it came, up to [`Builder::capture`](crate::Builder::capture) bytes of it.
        content: Bytes,
    },
    /// An attempt failed, and another follows.
    Retrying {
        /// The number of the attempt that failed, from 1.
        attempt: u32,
        /// The delay before the next attempt.
        delay: Duration,
        /// The status of the attempt that failed.
        status: Status,
    },
    /// A problem that a developer should know of.
    Warning {
        /// A sentence.
        text: String,
    },
    /// The call is over. `CANCELLED` when the caller dropped it.
    Ended {
        /// The status, without details.
        status: Status,
        /// The trailers, empty where none came.
        trailers: HeaderMap,
    },
}

/// The parts of an event, borrowed: the event itself is made only where somebody listens.
pub(crate) enum EventRef<'a> {
    Started { path: &'a str, kind: Option<MethodKind>, metadata: &'a HeaderMap },
    AttemptStarted { headers: &'a HeaderMap },
    MessageSent(Message),
    Headers(&'a HeaderMap),
    MessageReceived(Message),
    TrailersReceived { flags: u8, block: &'a [u8] },
    Retrying { delay: Duration, status: &'a Status },
    Warning(&'a str),
    Ended { status: &'a Status, trailers: &'a HeaderMap },
}

/// Receives the events of one call.
pub(crate) trait Listener: Send + Sync {
    fn report(&self, event: &EventRef<'_>);
}

/// Reports events of one call, where somebody listens.
#[derive(Clone, Default)]
pub(crate) struct Reporter(Option<Arc<dyn Listener>>);

impl Reporter {
    pub(crate) fn new(listener: Arc<dyn Listener>) -> Self {
        Self(Some(listener))
    }

    pub(crate) fn is_observed(&self) -> bool {
        self.0.is_some()
    }

    pub(crate) fn report(&self, event: &EventRef<'_>) {
        if let Some(listener) = &self.0 {
            listener.report(event);
        }
    }
}
