//! The application behind a port: gRPC services, and a page or another HTTP service for all other requests.

mod entrance;
mod service;
mod socket;

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as HttpBody;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::service::Routes;
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceExt as _};

pub(crate) use self::service::AppService;
use self::service::Fallback;
pub(crate) use self::socket::{InheritedHeaders, remove_cookies};
use crate::base_path::BasePath;
use crate::grpc::{CallPolicy, CorsOptions, Methods};
use crate::host::AllowedHosts;
use crate::options::ServeOptions;
use crate::page::Page;
use crate::readiness::Readiness;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The application behind a port.
#[derive(Debug)]
pub struct App {
    grpc: Routes,
    fallback: Fallback<Page>,
    cors: CorsOptions,
    hosts: AllowedHosts,
    policy: CallPolicy,
    readiness: Option<Readiness>,
    base: Option<BasePath>,
}

impl App {
    /// Serves gRPC and gRPC-Web calls with `grpc`. Calls of unknown methods end with UNIMPLEMENTED.
    pub fn new(grpc: Routes) -> Self {
        Self {
            grpc,
            fallback: Fallback::None,
            cors: CorsOptions::default(),
            hosts: AllowedHosts::default(),
            policy: CallPolicy::default(),
            readiness: None,
            base: None,
        }
    }

    /// Serves `page` for requests that are not calls. Default: no page, 404, and 415 for POST.
    #[must_use]
    pub fn page(mut self, page: Page) -> Self {
        self.fallback = Fallback::Page(page);
        self
    }

    /// Serves everything under this path: calls, sockets, the page and the paths of health. Default: `/`.
    ///
    /// Other requests get 404, calls among them UNIMPLEMENTED, with a sentence that names the path. The path without its last slash is
    /// redirected. Calls inside a socket have no base path: their socket has it.
    ///
    /// `index.html` learns the path: its element `base` gets it as `href`, and the document is then sent as it is, without the
    /// compressed neighbours. A page for any path has `<base href="/">` before all other addresses, and only relative ones after it. A
    /// document without such an element is not changed.
    #[must_use]
    pub fn base_path(mut self, base: BasePath) -> Self {
        self.base = Some(base).filter(|base| !base.is_root());
        self
    }

    /// Passes requests that are not calls to `service`, for example an `axum::Router`, instead of a page.
    ///
    /// `service` sets its own CORS headers, with one exception: where pages of other origins may call
    /// ([`cors`](Self::cors)), a preflight for POST is answered as for a call.
    #[must_use]
    pub fn http<S, B>(mut self, service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
        B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let service = service.map_response(|response: Response<B>| response.map(Body::new));
        self.fallback = Fallback::Service(BoxCloneSyncService::new(service));
        self
    }

    /// Lets pages of other origins call. Default: only pages of this server.
    ///
    /// A call with a cookie from a page of another site, or of another origin of the same site, ends with
    /// PERMISSION_DENIED unless that origin is listed here.
    #[must_use]
    pub fn cors(mut self, cors: CorsOptions) -> Self {
        self.cors = cors;
        self
    }

    /// Accepts only requests for these hosts. Default: every host. A server that is reached by a browser on the same
    /// machine or network should have a list, because foreign pages can use its address under a name of their own (DNS
    /// rebinding).
    ///
    /// In either case an HTTP/1.1 request without `Host`, and any request with two, is refused with 400.
    #[must_use]
    pub fn allowed_hosts(mut self, hosts: AllowedHosts) -> Self {
        self.hosts = hosts;
        self
    }

    /// Answers GET and HEAD of `/healthz` (the process lives: always 200) and of `/readyz` (200, or 503 with one sentence of
    /// reason while `readiness` fails), before the page or any other HTTP service. Default: these paths are the page's.
    ///
    /// Load balancers call by address and under any name, so [`allowed_hosts`](Self::allowed_hosts) does not apply to these
    /// two paths. They tell nothing but the reason.
    #[must_use]
    pub fn health_paths(mut self, readiness: Readiness) -> Self {
        self.readiness = Some(readiness);
        self
    }

    /// Checks the number of request messages by these descriptions of methods. Default: none, nothing is checked.
    #[must_use]
    pub fn methods(mut self, methods: Methods) -> Self {
        self.policy.methods = methods;
        self
    }

    /// Largest request message, in bytes. A larger one ends its call with RESOURCE_EXHAUSTED as soon as its length has
    /// come. Default 4 MiB, as in tonic.
    ///
    /// The limit applies to messages as they are sent. Decompressed messages are limited by the generated server's
    /// `max_decoding_message_size`; set it to the same number.
    #[must_use]
    pub fn max_message_size(mut self, bytes: usize) -> Self {
        self.policy.max_message_size = bytes;
        self
    }

    /// The same for one service, by its full name: `package.Service`. Default: [`max_message_size`](Self::max_message_size).
    #[must_use]
    pub fn max_message_size_of(mut self, service: impl Into<String>, bytes: usize) -> Self {
        self.policy.max_message_sizes.insert(service.into(), bytes);
        self
    }

    /// Compresses only the responses of these methods (`/package.Service/Method`), if their service compresses and the
    /// caller accepts it. Compression makes short messages longer, and repeats its work for each reader of a shared
    /// stream. Default: all methods.
    #[must_use]
    pub fn compress_only<P: Into<String>>(mut self, methods: impl IntoIterator<Item = P>) -> Self {
        self.policy.compressed = Some(methods.into_iter().map(Into::into).collect());
        self
    }

    /// Declares that the response message of these methods (`/package.Service/Method`) has up to `bytes`. Default: none.
    ///
    /// When a request message of such a call has come, the call reserves that many bytes within the limits of buffered
    /// bytes ([`ServeOptions::max_buffered_bytes`], per address and per connection) until its response is there. While
    /// there is no room, the handler does not get the message. Without this, a client that reads nothing could have as many
    /// such responses in memory as it may have calls.
    ///
    /// [`ServeOptions::max_buffered_bytes`]: field@ServeOptions::max_buffered_bytes
    #[must_use]
    pub fn long_responses<P: Into<String>>(
        mut self,
        methods: impl IntoIterator<Item = P>,
        bytes: usize,
    ) -> Self {
        self.policy.long_responses.extend(methods.into_iter().map(|method| (method.into(), bytes)));
        self
    }

    /// The readiness that the shutdown of the port ends.
    pub(crate) fn readiness(&self) -> Option<&Readiness> {
        self.readiness.as_ref()
    }

    /// The service of a port with `options`. Cancelling `stop_calls` ends open calls with UNAVAILABLE.
    pub(crate) fn into_service(self, stop_calls: CancellationToken, options: &ServeOptions) -> AppService {
        AppService::new(self, stop_calls, options)
    }
}
