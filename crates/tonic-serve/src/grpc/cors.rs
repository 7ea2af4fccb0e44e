//! CORS: the origins whose pages may call this server from a browser, and the headers that they may use.

use std::convert::Infallible;
use std::time::Duration;

use http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
};
use http::{HeaderName, HeaderValue, Method, Request, Response};
use tonic::body::Body;
use tower::Service;
use tower_http::cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer, ExposeHeaders};
use tower_layer::Layer as _;

use super::origin::Origin;
use crate::response::ResponseFuture;

/// Request headers that every gRPC-Web client may send.
const REQUEST_HEADERS: [&str; 7] = [
    "content-type",
    "x-grpc-web",
    "x-user-agent",
    "grpc-timeout",
    "grpc-encoding",
    "grpc-accept-encoding",
    "authorization",
];

/// Response headers that every page may read: the status of a call without a body, the delay before a retry, and the
/// compression.
const RESPONSE_HEADERS: [&str; 6] = [
    "grpc-status",
    "grpc-message",
    "grpc-status-details-bin",
    "grpc-retry-pushback-ms",
    "grpc-encoding",
    "grpc-accept-encoding",
];

/// Time for which a browser may cache the response to a preflight: the longest that Chromium accepts.
const PREFLIGHT_MAX_AGE: Duration = Duration::from_secs(2 * 60 * 60);

/// The rights of pages of other origins. Default: none.
#[derive(Clone, Debug, Default)]
pub struct CorsOptions {
    origins: Origins,
    request_headers: Vec<HeaderName>,
    response_headers: Vec<HeaderName>,
    any_header: bool,
}

#[derive(Clone, Debug)]
enum Origins {
    /// These, with cookies.
    Listed(Vec<Origin>),
    /// Every origin, without cookies.
    Any,
}

impl Default for Origins {
    fn default() -> Self {
        Self::Listed(Vec::new())
    }
}

impl CorsOptions {
    /// Lets pages of these origins call, with cookies.
    pub fn new(origins: impl IntoIterator<Item = Origin>) -> Self {
        Self { origins: Origins::Listed(origins.into_iter().collect()), ..Self::default() }
    }

    /// Lets pages of every origin call, without cookies: for a public API.
    pub fn any_origin() -> Self {
        Self { origins: Origins::Any, ..Self::default() }
    }

    /// Lets pages send these headers, such as `x-request-id` or `traceparent`. Default: only `authorization` and the headers of
    /// gRPC-Web itself.
    #[must_use]
    pub fn allow_headers(mut self, headers: impl IntoIterator<Item = HeaderName>) -> Self {
        self.request_headers.extend(headers);
        self
    }

    /// Lets pages read these response headers: the metadata before the messages. Default: only the headers of gRPC itself.
    /// Trailers need no permission, because they are in the body.
    #[must_use]
    pub fn expose_headers(mut self, headers: impl IntoIterator<Item = HeaderName>) -> Self {
        self.response_headers.extend(headers);
        self
    }

    /// Lets pages send any headers and read all response headers. For tests and measurements with arbitrary metadata.
    /// Default: no.
    #[must_use]
    pub fn any_header(mut self) -> Self {
        self.any_header = true;
        self
    }

    /// Whether pages of `origin` may call with cookies.
    pub(crate) fn lists(&self, origin: &HeaderValue) -> bool {
        match &self.origins {
            Origins::Listed(origins) => origins.iter().any(|listed| listed.0 == origin),
            Origins::Any => false,
        }
    }

    /// Whether pages of every origin may call, without cookies.
    pub(crate) fn allows_any(&self) -> bool {
        matches!(self.origins, Origins::Any)
    }

    /// Adds CORS headers to the responses of `inner`. `None` when no origin is allowed.
    pub(crate) fn wrap<S: Clone>(&self, inner: S) -> Option<Cors<S>> {
        let layer = match &self.origins {
            Origins::Listed(origins) if origins.is_empty() => return None,
            Origins::Listed(origins) => CorsLayer::new()
                .allow_origin(AllowOrigin::list(origins.iter().map(|origin| origin.0.clone())))
                .allow_credentials(true),
            Origins::Any => CorsLayer::new().allow_origin(AllowOrigin::any()),
        };
        let request_headers = names(&REQUEST_HEADERS, &self.request_headers);
        let allow_headers = match self.any_header {
            true => AllowHeaders::mirror_request(),
            false => AllowHeaders::list(request_headers),
        };
        let layer = layer
            .allow_methods(AllowMethods::exact(Method::POST))
            .allow_headers(allow_headers)
            .expose_headers(ExposeHeaders::list(names(&RESPONSE_HEADERS, &self.response_headers)))
            .max_age(PREFLIGHT_MAX_AGE);
        Some(Cors { inner: layer.layer(inner), expose_all: self.any_header })
    }
}

fn names<'a>(fixed: &'a [&'static str], own: &'a [HeaderName]) -> impl Iterator<Item = HeaderName> + use<'a> {
    fixed.iter().map(|name| HeaderName::from_static(name)).chain(own.iter().cloned())
}

/// Whether a request is the preflight of a call. Preflights for other HTTP methods belong to the application.
pub(crate) fn is_preflight<B>(request: &Request<B>) -> bool {
    let asked = request.headers().get(ACCESS_CONTROL_REQUEST_METHOD);
    request.method() == Method::OPTIONS
        && request.headers().contains_key(ORIGIN)
        && asked.is_some_and(|method| method == Method::POST.as_str())
}

/// A service that pages of other origins may call.
#[derive(Clone, Debug)]
pub(crate) struct Cors<S> {
    inner: tower_http::cors::Cors<S>,
    /// Whether each response exposes all its headers, by name: a wildcard is not allowed with cookies.
    expose_all: bool,
}

impl<S> Cors<S> {
    pub(crate) fn call<B>(&mut self, request: Request<B>) -> ResponseFuture
    where
        S: Service<Request<B>, Response = Response<Body>, Error = Infallible>,
        S::Future: Send + 'static,
    {
        let (response, expose_all) = (self.inner.call(request), self.expose_all);
        Box::pin(async move {
            let mut response = response.await?;
            if expose_all && response.headers().contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
                let names: Vec<_> = response.headers().keys().map(HeaderName::as_str).collect();
                if let Ok(names) = HeaderValue::try_from(names.join(",")) {
                    response.headers_mut().insert(ACCESS_CONTROL_EXPOSE_HEADERS, names);
                }
            }
            Ok(response)
        })
    }
}
