//! What a port answers with: gRPC in all its forms, or the page. Decides by the request's content type.

use std::convert::Infallible;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::{ACCESS_CONTROL_REQUEST_METHOD, ALLOW, ORIGIN};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body as HttpBody;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::service::Routes;
use tonic_web::{GrpcWebLayer, GrpcWebService};
use tower::Service;
use tower_http::cors::Cors;
use tower_layer::Layer as _;

use crate::cors::CorsOptions;
use crate::guard::{Guard, GuardLayer};
use crate::page::{Page, PageService, plain};
use crate::protocol::{Protocol, normalise};

/// What a port answers with.
#[derive(Debug)]
pub struct App {
    grpc: Routes,
    page: Option<Page>,
    cors: CorsOptions,
}

impl App {
    /// Answers gRPC and gRPC-Web calls with `grpc`; unknown ones with UNIMPLEMENTED.
    pub fn new(grpc: Routes) -> Self {
        Self { grpc, page: None, cors: CorsOptions::default() }
    }

    /// Answers everything that is no call with `page`. Without one: 404.
    #[must_use]
    pub fn page(mut self, page: Page) -> Self {
        self.page = Some(page);
        self
    }

    /// Lets pages of other origins call.
    #[must_use]
    pub fn cors(mut self, cors: CorsOptions) -> Self {
        self.cors = cors;
        self
    }

    /// Ready to be called. When `stop_calls` is cancelled, the calls that still run end with UNAVAILABLE.
    pub(crate) fn into_service(self, stop_calls: CancellationToken) -> AppService {
        let guarded = GuardLayer::new(stop_calls).layer(self.grpc.prepare());
        let calls = Calls { grpc: GrpcWebLayer::new().layer(guarded) };
        AppService {
            cors: self.cors.layer().map(|cors| cors.layer(calls.clone())),
            calls,
            page: self.page.map(Page::into_service),
        }
    }
}

type AnswerFuture = BoxFuture<'static, Result<Response<Body>, Infallible>>;

/// An [`App`] that is ready to be called.
#[derive(Clone, Debug)]
pub(crate) struct AppService {
    calls: Calls,
    /// `calls` for other origins, when there are any.
    cors: Option<Cors<Calls>>,
    page: Option<PageService>,
}

impl<B> Service<Request<B>> for AppService
where
    B: HttpBody<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>> + std::fmt::Display>
        + Send
        + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = AnswerFuture;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> AnswerFuture {
        let is_call = Protocol::of(request.headers()).is_some();
        match (&mut self.cors, &self.page) {
            (Some(cors), _) if is_call || is_preflight(&request) => Box::pin(cors.call(request)),
            (None, _) if is_call => self.calls.call(request),
            (_, Some(page)) => {
                let page = page.clone();
                // The body is dropped here: a page is only read.
                let request = request.map(drop);
                Box::pin(async move { Ok(page.respond(request).await) })
            }
            (_, None) => answer(plain(StatusCode::NOT_FOUND, "there is no page here\n")),
        }
    }
}

fn is_preflight<B>(request: &Request<B>) -> bool {
    request.method() == Method::OPTIONS
        && request.headers().contains_key(ORIGIN)
        && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// gRPC in every form that a client may use.
#[derive(Clone, Debug)]
struct Calls {
    grpc: GrpcWebService<Guard<Routes>>,
}

impl<B> Service<Request<B>> for Calls
where
    B: HttpBody<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>> + std::fmt::Display>
        + Send
        + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = AnswerFuture;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> AnswerFuture {
        let protocol = Protocol::of(request.headers()).unwrap_or(Protocol::Unsupported);
        if let Err(refusal) = normalise(protocol, &mut request) {
            let mut response = plain(refusal.status, refusal.reason);
            if refusal.status == StatusCode::METHOD_NOT_ALLOWED {
                response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
            }
            return answer(response);
        }
        Box::pin(self.grpc.call(request))
    }
}

fn answer(response: Response<Body>) -> AnswerFuture {
    Box::pin(std::future::ready(Ok(response)))
}
