//! An observer is told what happens on a port: calls, connections, bytes, and limits that were reached.
//!
//! Knows no library of metrics. Labels are bounded: methods are those of [`Methods`](crate::Methods), and everything else is
//! an enumeration.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use grpc_wire::method::MethodKind;
use http::Version;
use tonic::Code;

use crate::tracer::CallSpan;

/// Is told what happens on a port, for metrics.
///
/// The methods are called where it happens, on the threads that serve, and [`limit_reached`](Self::limit_reached) under a lock:
/// count and return. All of them do nothing by default.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use tonic_serve::{EndedCall, Observer, ServeOptions};
///
/// #[derive(Debug, Default)]
/// struct Failures(AtomicU64);
///
/// impl Observer for Failures {
///     fn call_ended(&self, call: &EndedCall<'_>) {
///         if call.code != tonic::Code::Ok {
///             self.0.fetch_add(1, Ordering::Relaxed);
///         }
///     }
/// }
///
/// let failures = Arc::new(Failures::default());
/// let options = ServeOptions::default().observer(failures.clone());
/// ```
pub trait Observer: fmt::Debug + Send + Sync + 'static {
    /// The head of a call came. `None`: its method is not among [`App::methods`](crate::App::methods).
    fn call_began(&self, method: Option<KnownMethod<'_>>) {
        let _ = method;
    }

    /// A call ended: its status was passed on, or its client gave it up. Follows every [`call_began`](Self::call_began).
    fn call_ended(&self, call: &EndedCall<'_>) {
        let _ = call;
    }

    /// A connection made its first request, which tells its protocol.
    fn connection_opened(&self, protocol: Protocol) {
        let _ = protocol;
    }

    /// Such a connection closed. One over HTTP/1.1 that becomes a WebSocket closes, and opens as the other.
    fn connection_closed(&self, protocol: Protocol) {
        let _ = protocol;
    }

    /// Bytes came from clients, after TLS is undone.
    fn bytes_received(&self, bytes: usize) {
        let _ = bytes;
    }

    /// Bytes were passed to the system for clients, before TLS is done.
    fn bytes_sent(&self, bytes: usize) {
        let _ = bytes;
    }

    /// A limit was reached, with this consequence for one connection, call or response.
    fn limit_reached(&self, limit: Limit, outcome: LimitOutcome) {
        let _ = (limit, outcome);
    }
}

/// A method of the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KnownMethod<'a> {
    /// `/package.Service/Method`.
    pub path: &'a str,
    /// Unary, or with which streams.
    pub kind: MethodKind,
}

/// A call that ended.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct EndedCall<'a> {
    /// `None`: the method is not among [`App::methods`](crate::App::methods).
    pub method: Option<KnownMethod<'a>>,
    /// The code of its status; `Cancelled` if the client gave the call up.
    pub code: Code,
    /// Time since the head came.
    pub duration: Duration,
}

/// The protocol of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// HTTP/1.0 or HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
    /// HTTP/2 inside a WebSocket.
    WebSocket,
}

/// A limit of a port, documented at the field of [`ServeOptions`](crate::ServeOptions) with its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// `max_connections`.
    Connections,
    /// `max_connections_per_address`.
    ConnectionsPerAddress,
    /// `max_calls`.
    Calls,
    /// `max_calls_per_address`.
    CallsPerAddress,
    /// `max_buffered_bytes`.
    BufferedBytes,
    /// `max_buffered_bytes_per_address`.
    BufferedBytesPerAddress,
    /// `max_buffered_bytes_per_connection`.
    BufferedBytesPerConnection,
}

impl Limit {
    /// Every limit.
    pub const ALL: [Self; 7] = [
        Self::Connections,
        Self::ConnectionsPerAddress,
        Self::Calls,
        Self::CallsPerAddress,
        Self::BufferedBytes,
        Self::BufferedBytesPerAddress,
        Self::BufferedBytesPerConnection,
    ];
}

/// The consequence of a reached limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LimitOutcome {
    /// A new connection or call was refused.
    Refused,
    /// A connection without an open call was closed to make room.
    ClosedIdle,
    /// A connection with open calls was closed to make room.
    ClosedBusy,
    /// A response had to wait.
    Waited,
}

/// A shared observer.
pub(crate) type SharedObserver = Arc<dyn Observer>;

/// A connection whose observer knows its protocol. Dropping it tells the end.
#[derive(Debug)]
pub(crate) struct OpenConnection {
    observer: SharedObserver,
    protocol: Protocol,
}

impl OpenConnection {
    pub(crate) fn new(observer: &SharedObserver, protocol: Protocol) -> Self {
        observer.connection_opened(protocol);
        Self { observer: Arc::clone(observer), protocol }
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.observer.connection_closed(self.protocol);
    }
}

impl From<Version> for Protocol {
    fn from(version: Version) -> Self {
        if version >= Version::HTTP_2 { Self::Http2 } else { Self::Http1 }
    }
}

/// An open call. Dropping it tells the end.
#[derive(Debug)]
pub(crate) struct ObservedCall {
    observer: Option<SharedObserver>,
    span: Option<Box<dyn CallSpan>>,
    method: Option<(Arc<str>, MethodKind)>,
    began: Instant,
    code: Code,
}

impl ObservedCall {
    pub(crate) fn new(
        observer: Option<&SharedObserver>,
        span: Option<Box<dyn CallSpan>>,
        method: Option<(Arc<str>, MethodKind)>,
    ) -> Self {
        if let Some(observer) = observer {
            observer.call_began(known(method.as_ref()));
        }
        Self { observer: observer.cloned(), span, method, began: Instant::now(), code: Code::Cancelled }
    }

    /// Sets the code of its status.
    pub(crate) fn set_code(&mut self, code: Code) {
        self.code = code;
    }
}

impl Drop for ObservedCall {
    fn drop(&mut self) {
        let (code, duration) = (self.code, self.began.elapsed());
        if let Some(span) = &mut self.span {
            span.end(code);
        }
        if let Some(observer) = &self.observer {
            observer.call_ended(&EndedCall { method: known(self.method.as_ref()), code, duration });
        }
    }
}

pub(crate) fn known(method: Option<&(Arc<str>, MethodKind)>) -> Option<KnownMethod<'_>> {
    method.map(|(path, kind)| KnownMethod { path, kind: *kind })
}
