//! The service of a port. Decides by the content type which part of the application handles a request, after the checks
//! that every request has to pass.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use grpc_wire::content_type::ContentType;
use http::header::{ALLOW, ORIGIN, RETRY_AFTER as RETRY_AFTER_HEADER};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body as HttpBody;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::{Code, Status};
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceExt as _};

use super::{App, BoxError};
use crate::base_path::BasePath;
use crate::body_timeout::BodyTimeouts;
use crate::budget::{CallAccount, RETRY_AFTER};
use crate::grpc::{
    CallObserver, Cors, CorsOptions, FOREIGN_PAGE, GrpcService, content_type, is_foreign, is_preflight,
    normalize, refuse_call,
};
use crate::host::{AllowedHosts, HostRefusal};
use crate::options::ServeOptions;
use crate::page::PageService;
use crate::readiness::Readiness;
use crate::response::{CommonHeaders, ResponseFuture, plain_text, ready};
use crate::websocket::is_websocket;

/// Shortest interval between two warnings of the same kind that pages can cause.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);

/// An [`App`] that handles requests.
#[derive(Clone, Debug)]
pub(crate) struct AppService {
    calls: CheckedCalls,
    /// `calls` with CORS headers, if pages of other origins may call.
    cors: Option<Cors<CheckedCalls>>,
    fallback: Fallback<Arc<PageService>>,
    readiness: Option<Readiness>,
    pub(super) base: Option<BasePath>,
    pub(super) checks: Arc<Checks>,
}

/// The handler of requests that are not calls, with a page of type `P`.
#[derive(Clone, Debug)]
pub(super) enum Fallback<P> {
    None,
    Page(P),
    Service(BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>),
}

impl AppService {
    pub(super) fn new(app: App, stop_calls: CancellationToken, options: &ServeOptions) -> Self {
        let App { grpc, fallback, cors, hosts, policy, readiness, base } = app;
        if policy.largest_request() > options.max_buffered_bytes_per_connection {
            tracing::warn!(
                request.max_bytes = policy.largest_request(),
                connection.max_bytes = options.max_buffered_bytes_per_connection,
                "the longest requests are refused, because a connection may not buffer as many bytes; raise \
                 ServeOptions::max_buffered_bytes_per_connection"
            );
        }
        let fallback = match fallback {
            Fallback::None => Fallback::None,
            Fallback::Page(page) => Fallback::Page(Arc::new(page.into_service(base.as_ref()))),
            Fallback::Service(service) => Fallback::Service(service),
        };
        let policy = Arc::new(policy);
        let observer = CallObserver::new(options, &policy);
        let grpc = GrpcService::new(grpc, policy, BodyTimeouts::new(options), stop_calls, observer.clone());
        let checks = Arc::new(Checks {
            hosts,
            cors,
            tls: options.tls.is_some(),
            web_sockets: options.web_sockets,
            foreign_page: RareWarning::default(),
            unlisted_origin: RareWarning::default(),
        });
        let calls = CheckedCalls { grpc, checks: Arc::clone(&checks), observer };
        let cors = checks.cors.wrap(calls.clone());
        Self { calls, cors, fallback, readiness, base, checks }
    }

    /// The response to a request for the health of the server.
    fn health<B>(&self, request: &Request<B>) -> Option<Response<Body>> {
        let account = request.extensions().get::<Arc<CallAccount>>();
        let is_refused = account.is_some_and(|account| account.is_refused());
        self.readiness.as_ref()?.respond(request, is_refused)
    }

    fn handle<B>(&mut self, request: Request<B>) -> ResponseFuture
    where
        B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let is_call = is_call(request.headers());
        // A browser whose preflight is refused makes no call at all, so preflights pass where calls are counted.
        let is_preflight = is_preflight(&request);
        let is_call_or_preflight = is_call || self.cors.is_some() && is_preflight;
        // Other preflights are the application's.
        if is_preflight && (self.cors.is_some() || !matches!(self.fallback, Fallback::Service(_))) {
            self.checks.warn_of_unlisted_origin(&request);
        }
        let account = request.extensions().get::<Arc<CallAccount>>();
        if !is_call_or_preflight && account.is_some_and(|account| account.is_refused()) {
            return ready(too_many_requests());
        }
        match (&mut self.cors, &self.fallback) {
            (Some(cors), _) if is_call_or_preflight => cors.call(request),
            (None, _) if is_call => self.calls.call(request),
            (_, Fallback::Service(service)) => Box::pin(service.clone().oneshot(request.map(Body::new))),
            // A page in response would look like a success.
            (_, Fallback::None | Fallback::Page(_)) if is_websocket(request.headers()) => ready(plain_text(
                StatusCode::NOT_IMPLEMENTED,
                "this server opens no WebSocket without the subprotocol h2ts; calls are gRPC or gRPC-Web\n",
            )),
            (_, Fallback::Page(page)) => {
                let page = Arc::clone(page);
                // A page reads no request body.
                let request = request.map(drop);
                Box::pin(async move { Ok(page.respond(request).await) })
            }
            (_, Fallback::None) if request.method() == Method::POST => ready(plain_text(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "POST requests must be gRPC or gRPC-Web calls\n",
            )),
            (_, Fallback::None) => ready(plain_text(StatusCode::NOT_FOUND, "this server has no page\n")),
        }
    }
}

impl<B> Service<Request<B>> for AppService
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ResponseFuture {
        let common = CommonHeaders::new(&request, self.checks.tls);
        // Calls are checked inside CORS, so that a page of another origin can read the refusal. OPTIONS never gets there.
        let is_call = is_call(request.headers()) && request.method() != Method::OPTIONS;
        // Before the check of the host: load balancers call by address, and over HTTP/1.0 without a host.
        let health = if is_call { None } else { self.health(&request) };
        let refusal = if is_call { None } else { health.or_else(|| self.checks.refuse(&request)) };
        let response = match refusal {
            Some(refusal) => ready(refusal),
            None => self.handle(request),
        };
        Box::pin(async move {
            let mut response = response.await?;
            common.add_to(&mut response);
            Ok(response)
        })
    }
}

/// The checks that every request has to pass.
#[derive(Debug)]
pub(super) struct Checks {
    pub(super) hosts: AllowedHosts,
    pub(super) cors: CorsOptions,
    pub(super) tls: bool,
    pub(super) web_sockets: bool,
    foreign_page: RareWarning,
    unlisted_origin: RareWarning,
}

/// A warning that any page can cause, so the operator is told rarely.
#[derive(Debug, Default)]
struct RareWarning {
    last: Mutex<Option<Instant>>,
}

impl RareWarning {
    fn is_due(&self) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = last.is_none_or(|last| last.elapsed() > WARNING_INTERVAL);
        if is_due {
            *last = Some(Instant::now());
        }
        is_due
    }
}

impl Checks {
    /// Tells the operator that calls of pages are refused: behind a proxy that does not pass on the host, these are the server's own
    /// pages.
    fn warn_of_foreign_page(&self) {
        if self.foreign_page.is_due() {
            tracing::warn!(
                "refusing calls with cookies, because their page has another host than their request asks for; if it is this \
                 server's own page, a proxy in front does not pass on the host name {}",
                self.hosts.how_to_allow()
            );
        }
    }

    /// Tells the operator that a browser is about to refuse the calls of a page whose origin CORS does not list: the browser tells
    /// its page nothing.
    fn warn_of_unlisted_origin<B>(&self, preflight: &Request<B>) {
        let origin = preflight.headers().get(ORIGIN).filter(|origin| !self.cors.lists(origin));
        if let Some(origin) = origin
            && !self.cors.allows_any()
            && self.unlisted_origin.is_due()
        {
            tracing::warn!(
                ?origin,
                "a page of this origin may not call; if it should, list the origin for CORS"
            );
        }
    }

    /// The response to a request that fails a check.
    fn refuse<B>(&self, request: &Request<B>) -> Option<Response<Body>> {
        if let Some(refusal) = self.refuse_host(request) {
            return Some(refusal);
        }
        if is_call(request.headers()) && is_foreign(request, &self.hosts, &self.cors) {
            self.warn_of_foreign_page();
            let call = refuse_call(request, || Status::permission_denied(FOREIGN_PAGE));
            return Some(call.unwrap_or_else(|| plain_text(StatusCode::FORBIDDEN, FOREIGN_PAGE)));
        }
        None
    }

    /// The response to a request for a host that is not allowed.
    pub(super) fn refuse_host<B>(&self, request: &Request<B>) -> Option<Response<Body>> {
        match self.hosts.check(request) {
            Ok(()) => None,
            Err(HostRefusal::Malformed) => {
                Some(plain_text(StatusCode::BAD_REQUEST, "a request must name exactly one host\n"))
            }
            Err(HostRefusal::NotAllowed(text)) => {
                let call = refuse_call(request, || Status::permission_denied(&text));
                let other = || plain_text(StatusCode::MISDIRECTED_REQUEST, format!("{text}\n"));
                Some(call.unwrap_or_else(other))
            }
        }
    }
}

/// The gRPC services behind the checks of requests and of protocols.
#[derive(Clone, Debug)]
struct CheckedCalls {
    grpc: GrpcService,
    checks: Arc<Checks>,
    observer: Option<CallObserver>,
}

impl<B> Service<Request<B>> for CheckedCalls
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> ResponseFuture {
        if let Some(refusal) = self.checks.refuse(&request) {
            // A refusal without a status is an error of HTTP, and no call.
            let code =
                refusal.headers().get(Status::GRPC_STATUS).map(|code| Code::from_bytes(code.as_bytes()));
            if let (Some(observer), Some(code)) = (&self.observer, code) {
                observer.refuse(&request, code);
            }
            return ready(refusal);
        }
        match normalize(&mut request) {
            Ok(format) => self.grpc.call(format, request),
            Err(refusal) => {
                let mut response = plain_text(refusal.status, refusal.reason);
                if refusal.status == StatusCode::METHOD_NOT_ALLOWED {
                    response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
                }
                ready(response)
            }
        }
    }
}

fn is_call(headers: &HeaderMap) -> bool {
    content_type(headers) != ContentType::Other
}

pub(super) fn too_many_requests() -> Response<Body> {
    let mut response = plain_text(StatusCode::SERVICE_UNAVAILABLE, "too many requests are open\n");
    response.headers_mut().insert(RETRY_AFTER_HEADER, HeaderValue::from(RETRY_AFTER.as_secs()));
    response
}
