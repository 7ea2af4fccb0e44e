//! Reports the events of calls to an observer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use grpc_wire::reader::Message;
use http::{HeaderMap, Request};
use tonic::body::Body;
use tonic::{Code, Status};

use super::{Layer, ResponseFuture, Service, SharedService, layer};
use crate::body::CallGuard;
use crate::context::CallContext;
use crate::observe::{CallEvent, CallEventKind, EventRef, Listener, Reporter};

pub(crate) type Observer = Box<dyn Fn(&CallEvent) + Send + Sync>;

/// Reports to one observer.
pub(crate) struct Observe {
    observer: Observer,
    inner: SharedService,
}

impl Observe {
    pub(crate) fn layer(observer: Observer) -> Layer {
        layer(move |inner| Self { observer, inner })
    }
}

impl Service for Observe {
    fn call(self: Arc<Self>, mut request: Request<Body>) -> ResponseFuture {
        let context = CallContext::of(request.extensions());
        let call = Arc::new(ObservedCall {
            number: context.number,
            capture: context.limits.capture,
            attempts: AtomicU32::new(0),
            layer: self.clone(),
            outer: context.reporter,
        });
        CallContext::of_mut(request.extensions_mut()).reporter = Reporter::new(call.clone());
        call.observe(&EventRef::Started {
            path: request.uri().path(),
            kind: context.method.map(|method| method.kind),
            metadata: request.headers(),
        });
        if context.is_unlisted {
            call.observe(&EventRef::Warning(
                "the method table has methods of this service, but not this one; check the table's path",
            ));
        }
        let mut end = ReportEnd { call, ended: false };
        // Not inside the future: the observers below are told of a call whose future is never polled, too.
        let response = self.inner.clone().call(request);
        Box::pin(async move {
            match response.await {
                Ok(mut response) => {
                    end.call.observe(&EventRef::Headers(response.headers()));
                    response.body_mut().attach(Box::new(end));
                    Ok(response)
                }
                Err(status) => {
                    end.end(&status, &HeaderMap::new());
                    Err(status)
                }
            }
        })
    }
}

/// One call of an observer.
struct ObservedCall {
    number: u64,
    /// Bytes of each message that the observer is given.
    capture: usize,
    attempts: AtomicU32,
    layer: Arc<Observe>,
    /// Reports to the observers of the layers around this one.
    outer: Reporter,
}

impl ObservedCall {
    /// Reports to this observer alone.
    fn observe(&self, event: &EventRef<'_>) {
        let kind = self.kind(event);
        (self.layer.observer)(&CallEvent { call: self.number, at: web_time::Instant::now(), kind });
    }

    fn kind(&self, event: &EventRef<'_>) -> CallEventKind {
        match *event {
            EventRef::Started { path, kind, metadata } => {
                CallEventKind::Started { path: path.to_owned(), kind, metadata: metadata.clone() }
            }
            EventRef::AttemptStarted { headers } => {
                let attempt = self.attempts.fetch_add(1, Ordering::Relaxed) + 1;
                CallEventKind::AttemptStarted { attempt, headers: headers.clone() }
            }
            EventRef::MessageSent(Message { flags, length, ref start }) => {
                CallEventKind::MessageSent { bytes: length, flags, content: Bytes::copy_from_slice(start) }
            }
            EventRef::Headers(metadata) => CallEventKind::Headers { metadata: metadata.clone() },
            EventRef::MessageReceived(Message { flags, length, ref start }) => {
                CallEventKind::MessageReceived {
                    bytes: length,
                    flags,
                    content: Bytes::copy_from_slice(start),
                }
            }
            EventRef::TrailersReceived { flags, block } => {
                let content = Bytes::copy_from_slice(&block[..block.len().min(self.capture)]);
                CallEventKind::TrailersReceived { flags, content }
            }
            EventRef::Retrying { delay, status } => {
                let attempt = self.attempts.load(Ordering::Relaxed);
                CallEventKind::Retrying { attempt, delay, status: status.clone() }
            }
            EventRef::Warning(text) => CallEventKind::Warning { text: text.to_owned() },
            EventRef::Ended { status, trailers } => CallEventKind::Ended {
                status: Status::new(status.code(), status.message()),
                trailers: trailers.clone(),
            },
        }
    }
}

impl Listener for ObservedCall {
    fn report(&self, event: &EventRef<'_>) {
        self.observe(event);
        self.outer.report(event);
    }
}

/// Reports the end of a call, also when the caller drops it.
struct ReportEnd {
    call: Arc<ObservedCall>,
    ended: bool,
}

impl CallGuard for ReportEnd {
    fn end(&mut self, status: &Status, trailers: &HeaderMap) {
        if !std::mem::replace(&mut self.ended, true) {
            self.call.observe(&EventRef::Ended { status, trailers });
        }
    }
}

impl Drop for ReportEnd {
    fn drop(&mut self) {
        self.end(&Status::new(Code::Cancelled, "the caller dropped the call"), &HeaderMap::new());
    }
}
