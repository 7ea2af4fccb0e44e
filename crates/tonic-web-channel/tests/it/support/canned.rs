//! A transport that answers as a test says, byte by byte, and remembers what it was sent.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _};
pub(crate) use grpc_wire::message::encode as framed;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use tonic::Status;
use tonic::body::Body;
use tonic_web_channel::rt::BoxFuture;
use tonic_web_channel::{Builder, Channel, Idempotency, Method, MethodKind, Transport};

/// One request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    /// Counted from 0.
    pub(crate) number: usize,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

type Answers = dyn Fn(Sent) -> BoxFuture<Result<Response<Body>, Status>> + Send + Sync;

#[derive(Clone)]
pub(crate) struct Canned {
    answers: Arc<Answers>,
    sent: Arc<Mutex<Vec<Sent>>>,
    read: bool,
}

impl Canned {
    /// Reads each request to its end, then answers it by `answer`.
    pub(crate) fn new<F>(answer: impl Fn(Sent) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Response<Body>, Status>> + Send + 'static,
    {
        let answers = Arc::new(move |sent| Box::pin(answer(sent)) as BoxFuture<_>);
        Self { answers, sent: Arc::default(), read: true }
    }

    /// Answers before it has read anything.
    pub(crate) fn without_reading(mut self) -> Self {
        self.read = false;
        self
    }

    /// Answers each call with the same.
    pub(crate) fn always(answer: impl Fn() -> Reply + Send + Sync + 'static) -> Self {
        Self::new(move |_| std::future::ready(Ok(answer().into_response())))
    }

    pub(crate) fn sent(&self) -> Vec<Sent> {
        self.sent.lock().unwrap().clone()
    }

    /// A channel that knows the methods of `grpc.health.v1.Health`; both change nothing.
    pub(crate) fn builder(&self) -> Builder {
        let check = Method::new("/grpc.health.v1.Health/Check", MethodKind::Unary);
        let watch = Method::new("/grpc.health.v1.Health/Watch", MethodKind::ServerStreaming);
        let methods = [check, watch].map(|method| method.with_idempotency(Idempotency::NoSideEffects));
        Channel::builder("http://canned.test").transport(self.clone()).methods(methods)
    }
}

impl Transport for Canned {
    fn call(&self, request: Request<Body>) -> BoxFuture<Result<Response<Body>, Status>> {
        let this = self.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = if this.read { body.collect().await?.to_bytes() } else { Bytes::new() };
            let sent = {
                let mut all = this.sent.lock().unwrap();
                let sent = Sent { number: all.len(), headers: parts.headers, body };
                all.push(sent.clone());
                sent
            };
            (this.answers)(sent).await
        })
    }
}

impl fmt::Debug for Canned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Canned").finish_non_exhaustive()
    }
}

/// A response, piece by piece.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    status: http::StatusCode,
    headers: HeaderMap,
    frames: Vec<Result<Frame<Bytes>, Status>>,
    hangs: bool,
}

pub(crate) fn reply() -> Reply {
    Reply::default()
}

impl Reply {
    pub(crate) fn http(mut self, status: u16) -> Self {
        self.status = http::StatusCode::from_u16(status).unwrap();
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.append(name, value.parse().unwrap());
        self
    }

    /// Bytes as they are.
    pub(crate) fn bytes(mut self, bytes: impl Into<Bytes>) -> Self {
        self.frames.push(Ok(Frame::data(bytes.into())));
        self
    }

    /// A message with its prefix.
    pub(crate) fn message(self, flags: u8, message: &[u8]) -> Self {
        self.bytes(framed(flags, message))
    }

    /// `HealthCheckResponse { status: 1 }`
    pub(crate) fn serving(self) -> Self {
        self.message(0, &[8, 1])
    }

    pub(crate) fn trailers(mut self, trailers: &[(&'static str, &str)]) -> Self {
        let trailers = trailers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        self.frames.push(Ok(Frame::trailers(trailers.collect())));
        self
    }

    pub(crate) fn ok(self) -> Self {
        self.trailers(&[("grpc-status", "0")])
    }

    /// Nothing comes after this, and the body does not end.
    pub(crate) fn hangs(mut self) -> Self {
        self.hangs = true;
        self
    }

    pub(crate) fn into_response(self) -> Response<Body> {
        let rest: BoxFuture<()> =
            if self.hangs { Box::pin(std::future::pending()) } else { Box::pin(std::future::ready(())) };
        let body = if self.frames.is_empty() && !self.hangs {
            Body::empty()
        } else {
            let end = rest.into_stream().filter_map(|()| std::future::ready(None));
            Body::new(StreamBody::new(futures_util::stream::iter(self.frames).chain(end)))
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        let content_type = response.headers_mut().entry(CONTENT_TYPE);
        content_type.or_insert_with(|| HeaderValue::from_static("application/grpc"));
        response
    }
}
