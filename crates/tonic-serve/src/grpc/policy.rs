//! The policy for calls: how many may be open, how many request messages a method has, how large and how slow they may be, and
//! the trailers of responses.
//!
//! Runs inside the gRPC-Web translation and around the services.

use std::collections::{HashMap, HashSet};
use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::Either;
use grpc_wire::method::MethodKind;
use grpc_wire::status::{GRPC_MESSAGE, GRPC_STATUS};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Uri, Version};
use http_body::Body;
use pin_project_lite::pin_project;
use tonic::{Code, Status};
use tower::Service;

use super::messages::{CheckedBody, MessageRules};
use super::methods::{Methods, service_of};
use super::trailers::{self, TrailersBody};
use crate::body_timeout::{Applies, BodyTimeouts};
use crate::budget::{CallAccount, RequestCharge};

/// Largest request message by default, in bytes, as in tonic.
const DEFAULT_MAX_MESSAGE_SIZE: usize = 4 * 1024 * 1024;

/// The header in which a caller lists the encodings that it accepts.
const GRPC_ACCEPT_ENCODING: &str = "grpc-accept-encoding";

/// Asks nginx, and proxies like it, not to collect a response before they pass it on: a stream would not arrive.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
const NO: HeaderValue = HeaderValue::from_static("no");

/// Characters of a path that an error message repeats.
const MAX_PATH_IN_MESSAGE: usize = 200;

/// The policy for the calls of a server.
#[derive(Clone, Debug)]
pub(crate) struct CallPolicy {
    pub(crate) methods: Methods,
    pub(crate) max_message_size: usize,
    /// By the full name of a service.
    pub(crate) max_message_sizes: HashMap<String, usize>,
    /// Paths of methods with compressed responses; `None` for all.
    pub(crate) compressed: Option<HashSet<String>>,
    /// Bytes of the longest response, by path.
    pub(crate) long_responses: HashMap<String, usize>,
}

impl Default for CallPolicy {
    fn default() -> Self {
        Self {
            methods: Methods::default(),
            max_message_size: DEFAULT_MAX_MESSAGE_SIZE,
            max_message_sizes: HashMap::new(),
            compressed: None,
            long_responses: HashMap::new(),
        }
    }
}

impl CallPolicy {
    /// The longest request message of any service, in bytes.
    pub(crate) fn largest_request(&self) -> usize {
        self.max_message_sizes.values().copied().fold(self.max_message_size, usize::max)
    }

    fn compresses(&self, path: &str) -> bool {
        self.compressed.as_ref().is_none_or(|paths| paths.contains(path))
    }

    fn message_rules(&self, path: &str, version: Version) -> MessageRules {
        let kind = self.methods.kind(path);
        let max_of_service = self.max_message_sizes.get(service_of(path)).copied();
        MessageRules {
            max_message_size: max_of_service.unwrap_or(self.max_message_size),
            exactly_one: kind.is_some_and(|kind| !kind.client_streaming()),
            between_messages: match kind {
                Some(MethodKind::Unary | MethodKind::ServerStreaming) => Applies::TotalAndPause,
                Some(MethodKind::ClientStreaming) => Applies::PauseOnly,
                // An unknown method may be bidirectional.
                Some(MethodKind::Bidirectional) | None if version >= Version::HTTP_2 => Applies::Nothing,
                // HTTP/1.1 has no pings, so only bytes show that a client is there.
                Some(MethodKind::Bidirectional) | None => Applies::PauseOnly,
            },
        }
    }
}

/// A service whose calls follow a policy.
#[derive(Clone, Debug)]
pub(super) struct EnforcePolicy<S> {
    inner: S,
    policy: Arc<CallPolicy>,
    timeouts: BodyTimeouts,
}

impl<S> EnforcePolicy<S> {
    pub(super) fn new(inner: S, policy: Arc<CallPolicy>, timeouts: BodyTimeouts) -> Self {
        Self { inner, policy, timeouts }
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for EnforcePolicy<S>
where
    S: Service<Request<CheckedBody<ReqBody>>, Response = Response<ResBody>>,
    ResBody: Body<Data = Bytes> + Default,
{
    type Response = Response<TrailersBody<ResBody>>;
    type Error = S::Error;
    type Future = Either<Ready<Result<Self::Response, S::Error>>, PolicyFuture<S::Future>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let account = request.extensions().get::<Arc<CallAccount>>().cloned();
        if let Some(refusal) = account.as_ref().and_then(|account| account.refusal()) {
            return Either::Left(ready(Ok(refusal.into_http())));
        }
        let uri = request.uri().clone();
        if !self.policy.compresses(uri.path()) {
            request.headers_mut().remove(GRPC_ACCEPT_ENCODING);
        }
        let rules = self.policy.message_rules(uri.path(), request.version());
        let reserve = self.policy.long_responses.get(uri.path()).copied();
        let charge = account.map(|account| RequestCharge::new(account, reserve));
        let request = request.map(|body| CheckedBody::new(body, rules, self.timeouts, charge));
        let streams = self.policy.methods.kind(uri.path()).is_none_or(MethodKind::server_streaming);
        Either::Right(PolicyFuture { call: self.inner.call(request), uri, streams })
    }
}

pin_project! {
    /// A call until the head of its response.
    pub(super) struct PolicyFuture<F> {
        #[pin]
        call: F,
        uri: Uri,
        streams: bool,
    }
}

impl<F, B, E> Future for PolicyFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<TrailersBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.call.poll(cx).map_ok(|mut response| {
            name_unimplemented(response.headers_mut(), this.uri);
            if *this.streams {
                response.headers_mut().insert(X_ACCEL_BUFFERING, NO);
            }
            let trailers = trailers::take(response.extensions_mut());
            response.map(|body| TrailersBody::new(body, trailers))
        })
    }
}

/// Adds the method to a status UNIMPLEMENTED without a message, as tonic sends it for unknown services and methods.
fn name_unimplemented(headers: &mut HeaderMap, uri: &Uri) {
    let code = headers.get(GRPC_STATUS).map(|value| Code::from_bytes(value.as_bytes()));
    if code == Some(Code::Unimplemented) && headers.get(GRPC_MESSAGE).is_none_or(HeaderValue::is_empty) {
        let path: String = uri.path().chars().take(MAX_PATH_IN_MESSAGE).collect();
        let status = Status::unimplemented(format!("this server does not implement {path}"));
        if status.add_header(headers).is_err() {
            tracing::error!("cannot write a status as headers");
        }
    }
}
