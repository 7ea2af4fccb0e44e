//! What a port answers with: gRPC in all its forms, or something else. Decides by the request's content
//! type.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::{ALLOW, RETRY_AFTER as RETRY_AFTER_HEADER};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body as HttpBody;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::body::Body;
use tonic::service::Routes;
use tonic_web::{GrpcWebLayer, GrpcWebService};
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceExt as _};
use tower_layer::Layer as _;

use crate::budget::{Admission, AdmissionLayer, CallAccount, RETRY_AFTER};
use crate::contract::{Contract, ContractLayer, Kept};
use crate::cors::{Cors, CorsOptions, is_preflight};
use crate::cross_site;
use crate::guard::{Guard, GuardLayer};
use crate::headers::Common;
use crate::host::{AllowedHosts, HostRefusal};
use crate::methods::Methods;
use crate::options::ServeOptions;
use crate::pace::PaceLimits;
use crate::page::{Page, PageService, plain};
use crate::protocol::{Protocol, normalise, refuse_call};
use crate::text::BinaryBody;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What a port answers with.
#[derive(Debug)]
pub struct App {
    grpc: Routes,
    other: Other,
    cors: CorsOptions,
    hosts: AllowedHosts,
    contract: Contract,
    /// Bytes of the longest answer, by path.
    long_answers: HashMap<String, usize>,
}

impl App {
    /// Answers gRPC and gRPC-Web calls with `grpc`; unknown ones with UNIMPLEMENTED.
    pub fn new(grpc: Routes) -> Self {
        Self {
            grpc,
            other: Other::Nothing,
            cors: CorsOptions::default(),
            hosts: AllowedHosts::default(),
            contract: Contract::default(),
            long_answers: HashMap::new(),
        }
    }

    /// Answers everything that is no call with `page`. Without one: 404, and 415 for POST.
    #[must_use]
    pub fn page(mut self, page: Page) -> Self {
        self.other = Other::Page(page.into_service());
        self
    }

    /// Answers everything that is no call with `service`, for example an `axum::Router`, instead of a
    /// page.
    ///
    /// What pages of other origins may ask of it is its own business, but for this: where such pages may
    /// call ([`cors`](Self::cors)), a browser's question whether they may POST is answered as for a call.
    #[must_use]
    pub fn http<S, B>(mut self, service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
        B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let service = service.map_response(|response: Response<B>| response.map(Body::new));
        self.other = Other::Http(BoxCloneSyncService::new(service));
        self
    }

    /// Lets pages of other origins call.
    ///
    /// A call that carries a cookie and comes from a page of another site, or of another origin of the same
    /// site, ends with PERMISSION_DENIED unless that origin is listed here.
    #[must_use]
    pub fn cors(mut self, cors: CorsOptions) -> Self {
        self.cors = cors;
        self
    }

    /// Answers only requests for these hosts. Default: every host; a server that a browser on the same
    /// machine or network reaches should have a list, for pages of other sites can name themselves as its
    /// host (DNS rebinding).
    ///
    /// A request of HTTP/1.1 without `Host`, and any request with two, is refused with 400 in either case.
    #[must_use]
    pub fn allowed_hosts(mut self, hosts: AllowedHosts) -> Self {
        self.hosts = hosts;
        self
    }

    /// Checks calls against what their methods are.
    #[must_use]
    pub fn methods(mut self, methods: Methods) -> Self {
        self.contract.methods = methods;
        self
    }

    /// Largest request message, bytes. A larger one ends its call with RESOURCE_EXHAUSTED as soon as its
    /// length has come. Default 4 MiB, which is tonic's own limit too.
    ///
    /// This measures messages as they are sent. What a compressed one grows to is limited by the generated
    /// server's `max_decoding_message_size`; give it the same number.
    #[must_use]
    pub fn max_message_size(mut self, bytes: usize) -> Self {
        self.contract.max_message_size = bytes;
        self
    }

    /// The same for the messages of one service, named as in its path: `package.Service`.
    #[must_use]
    pub fn max_message_size_of(mut self, service: impl Into<String>, bytes: usize) -> Self {
        self.contract.max_message_sizes.insert(service.into(), bytes);
        self
    }

    /// Compresses the answers of these methods alone (`/package.Service/Method`), of those whose service
    /// compresses and whose caller takes it: short messages grow by it, and those of a stream that many
    /// callers share would be compressed for each of them. Default: all.
    #[must_use]
    pub fn compress_only<P: Into<String>>(mut self, methods: impl IntoIterator<Item = P>) -> Self {
        self.contract.compressed = Some(methods.into_iter().map(Into::into).collect());
        self
    }

    /// Answers of these methods (`/package.Service/Method`) may have up to so many bytes, in one message. A call
    /// of one counts with that many against the limits of buffered bytes ([`ServeOptions::max_buffered_bytes`], per address and per
    /// connection) from its begin until its answer is there, and does not begin before there is room: otherwise a client that reads nothing could have as many such answers made
    /// as it may have calls. Default: none.
    ///
    /// [`ServeOptions::max_buffered_bytes`]: crate::ServeOptions::max_buffered_bytes
    #[must_use]
    pub fn long_answers<P: Into<String>>(
        mut self,
        methods: impl IntoIterator<Item = P>,
        bytes: usize,
    ) -> Self {
        self.long_answers.extend(methods.into_iter().map(|method| (method.into(), bytes)));
        self
    }

    /// Ready to be called on a port with `options`. When `stop_calls` is cancelled, the calls that still run end
    /// with UNAVAILABLE.
    pub(crate) fn into_service(self, stop_calls: CancellationToken, options: &ServeOptions) -> AppService {
        let pace = PaceLimits::new(options);
        let kept = ContractLayer::new(Arc::new(self.contract), pace).layer(self.grpc.prepare());
        let admitted = AdmissionLayer::new(self.long_answers).layer(kept);
        let guarded = GuardLayer::new(stop_calls).layer(admitted);
        let grpc = GrpcWebLayer::new().layer(guarded);
        let rules = Arc::new(Rules { hosts: self.hosts, cors: self.cors, tls: options.tls.is_some() });
        let calls = Calls { grpc, rules: Arc::clone(&rules) };
        let cors = rules.cors.around(calls.clone());
        AppService { calls, cors, other: self.other, rules }
    }
}

/// What answers a request that is no call.
#[derive(Clone, Debug)]
enum Other {
    Nothing,
    Page(PageService),
    Http(BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>),
}

pub(crate) type AnswerFuture = BoxFuture<'static, Result<Response<Body>, Infallible>>;

/// An [`App`] that is ready to be called.
#[derive(Clone, Debug)]
pub(crate) struct AppService {
    calls: Calls,
    /// `calls` for other origins, when there are any.
    cors: Option<Cors<Calls>>,
    other: Other,
    rules: Arc<Rules>,
}

/// What every request is measured by before a handler runs.
#[derive(Debug)]
struct Rules {
    hosts: AllowedHosts,
    cors: CorsOptions,
    tls: bool,
}

impl Rules {
    /// The answer to a request that is refused.
    fn refuse<B>(&self, request: &Request<B>) -> Option<Response<Body>> {
        let protocol = Protocol::of(request.headers());
        match self.hosts.check(request) {
            Ok(()) => {}
            Err(HostRefusal::Malformed) => {
                return Some(plain(StatusCode::BAD_REQUEST, "a request has to name one host\n"));
            }
            Err(HostRefusal::NotAllowed(text)) => {
                let call = refuse_call(protocol, request, || Status::permission_denied(&text));
                let other = || plain(StatusCode::MISDIRECTED_REQUEST, format!("{text}\n"));
                return Some(call.unwrap_or_else(other));
            }
        }
        if protocol.is_some() && cross_site::is_foreign(request, &self.hosts, &self.cors) {
            let call = refuse_call(protocol, request, || Status::permission_denied(cross_site::REFUSAL));
            return Some(call.unwrap_or_else(|| plain(StatusCode::FORBIDDEN, cross_site::REFUSAL)));
        }
        None
    }
}

impl<B> Service<Request<B>> for AppService
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = AnswerFuture;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> AnswerFuture {
        let common = Common::of(&request, self.rules.tls);
        // A call is refused behind CORS, so that a page of another origin can read why. CORS itself answers OPTIONS.
        let is_call = Protocol::of(request.headers()).is_some() && request.method() != Method::OPTIONS;
        let refusal = if is_call { None } else { self.rules.refuse(&request) };
        let answering = match refusal {
            Some(refusal) => answer(refusal),
            None => self.answer(request),
        };
        Box::pin(async move {
            let mut response = answering.await?;
            common.add_to(&mut response);
            Ok(response)
        })
    }
}

impl AppService {
    fn answer<B>(&mut self, request: Request<B>) -> AnswerFuture
    where
        B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let is_call = Protocol::of(request.headers()).is_some();
        // A browser that is refused a preflight makes no call, so those are not refused before sessions are.
        let asks_for_call = is_call || self.cors.is_some() && is_preflight(&request);
        if !asks_for_call && request.extensions().get().is_some_and(CallAccount::is_refused) {
            return answer(too_many_calls());
        }
        match (&mut self.cors, &self.other) {
            (Some(cors), _) if asks_for_call => cors.call(request),
            (None, _) if is_call => self.calls.call(request),
            (_, Other::Page(page)) => {
                let page = page.clone();
                // The body is dropped here: a page is only read.
                let request = request.map(drop);
                Box::pin(async move { Ok(page.respond(request).await) })
            }
            (_, Other::Http(service)) => Box::pin(service.clone().oneshot(request.map(Body::new))),
            (_, Other::Nothing) if request.method() == Method::POST => answer(no_content_type_of_ours()),
            (_, Other::Nothing) => answer(plain(StatusCode::NOT_FOUND, "there is no page here\n")),
        }
    }
}

fn too_many_calls() -> Response<Body> {
    let mut response = plain(StatusCode::SERVICE_UNAVAILABLE, "too many requests are open\n");
    response.headers_mut().insert(RETRY_AFTER_HEADER, HeaderValue::from(RETRY_AFTER.as_secs()));
    response
}

fn no_content_type_of_ours() -> Response<Body> {
    plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, "POST is for calls: gRPC or gRPC-Web\n")
}

/// gRPC in every form that a client may use.
#[derive(Clone, Debug)]
pub(crate) struct Calls {
    grpc: GrpcWebService<Guard<Admission<Kept<Routes>>>>,
    rules: Arc<Rules>,
}

impl<B> Service<Request<B>> for Calls
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = AnswerFuture;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> AnswerFuture {
        if let Some(refusal) = self.rules.refuse(&request) {
            return answer(refusal);
        }
        let protocol = Protocol::of(request.headers()).unwrap_or(Protocol::Unsupported);
        if let Err(refusal) = normalise(protocol, &mut request) {
            let mut response = plain(refusal.status, refusal.reason);
            if refusal.status == StatusCode::METHOD_NOT_ALLOWED {
                response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
            }
            return answer(response);
        }
        let request = request.map(|body| match protocol {
            Protocol::WebText => BinaryBody::from_text(body),
            _ => BinaryBody::plain(body),
        });
        Box::pin(self.grpc.call(request))
    }
}

fn answer(response: Response<Body>) -> AnswerFuture {
    Box::pin(std::future::ready(Ok(response)))
}
