//! Which other origins may call this server from a browser: an allow-list, empty unless filled.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
};
use http::uri::Uri;
use http::{HeaderName, HeaderValue, Method, Request, Response};
use tonic::body::Body;
use tower::Service;
use tower_http::cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer, ExposeHeaders};
use tower_layer::Layer as _;

use crate::app::AnswerFuture;

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

/// Response headers that a page of another origin may read: the status of a call that ended without a
/// body, when it may be repeated, and how messages are compressed.
const RESPONSE_HEADERS: [&str; 6] = [
    "grpc-status",
    "grpc-message",
    "grpc-status-details-bin",
    "grpc-retry-pushback-ms",
    "grpc-encoding",
    "grpc-accept-encoding",
];

/// How long a browser may remember the answer to a preflight: the longest that Chromium honours.
const PREFLIGHT_MAX_AGE: Duration = Duration::from_secs(2 * 60 * 60);

/// An origin as browsers send it: scheme, host, and port unless it is the scheme's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(HeaderValue);

/// A text that is no origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OriginError;

impl fmt::Display for OriginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an origin is http:// or https://, a host, and a port if it is not the usual one, for example http://localhost:8080")
    }
}

impl std::error::Error for OriginError {}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let text = text.strip_suffix('/').unwrap_or(text).to_ascii_lowercase();
        let uri: Uri = text.parse().map_err(|_| OriginError)?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(OriginError);
        };
        let usual_port = match scheme {
            "http" => 80,
            "https" => 443,
            _ => return Err(OriginError),
        };
        // Nothing may stand beside scheme, host and port.
        let host = authority.host();
        let origin = match authority.port_u16() {
            Some(port) if port != usual_port => format!("{scheme}://{host}:{port}"),
            _ => format!("{scheme}://{host}"),
        };
        let written_in_full = format!("{scheme}://{host}:{usual_port}");
        if host.is_empty() || host.contains('*') || (text != origin && text != written_in_full) {
            return Err(OriginError);
        }
        HeaderValue::try_from(origin).map(Self).map_err(|_| OriginError)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.to_str().unwrap_or_default())
    }
}

/// What pages of other origins may do.
#[derive(Clone, Debug, Default)]
pub struct CorsOptions {
    origins: Origins,
    request_headers: Vec<HeaderName>,
    response_headers: Vec<HeaderName>,
    any_header: bool,
}

#[derive(Clone, Debug)]
enum Origins {
    /// With cookies.
    Listed(Vec<Origin>),
    /// Without.
    Any,
}

impl Default for Origins {
    fn default() -> Self {
        Self::Listed(Vec::new())
    }
}

impl CorsOptions {
    /// Pages of these origins may call, with cookies. None: only pages that this server serves itself.
    pub fn new(origins: impl IntoIterator<Item = Origin>) -> Self {
        Self { origins: Origins::Listed(origins.into_iter().collect()), ..Self::default() }
    }

    /// Pages of every origin may call, without cookies: for a server whose answers are for everybody.
    pub fn any_origin() -> Self {
        Self { origins: Origins::Any, ..Self::default() }
    }

    /// Lets pages send these headers too, beside those of gRPC-Web.
    #[must_use]
    pub fn allow_headers(mut self, headers: impl IntoIterator<Item = HeaderName>) -> Self {
        self.request_headers.extend(headers);
        self
    }

    /// Lets pages read these headers of a response too: metadata that comes before the messages. What
    /// comes after them needs no permission, for it is in the body.
    #[must_use]
    pub fn expose_headers(mut self, headers: impl IntoIterator<Item = HeaderName>) -> Self {
        self.response_headers.extend(headers);
        self
    }

    /// Lets pages send whatever headers they ask for, and read whatever headers an answer has. For
    /// programs that test or measure, whose metadata is anything.
    #[must_use]
    pub fn any_header(mut self) -> Self {
        self.any_header = true;
        self
    }

    /// `None` when no origin is allowed: then no such header is ever sent.
    pub(crate) fn around<S: Clone>(&self, inner: S) -> Option<Cors<S>> {
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

/// Whether a browser asks beforehand whether a page may make a call. Other methods than a call's are
/// somebody else's to allow.
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
    /// Whether each answer exposes whatever headers it has. A wildcard would do, were there no cookies.
    expose_all: bool,
}

impl<S> Cors<S> {
    pub(crate) fn call<B>(&mut self, request: Request<B>) -> AnswerFuture
    where
        S: Service<Request<B>, Response = Response<Body>, Error = Infallible>,
        S::Future: Send + 'static,
    {
        let (answer, expose_all) = (self.inner.call(request), self.expose_all);
        Box::pin(async move {
            let mut answer = answer.await?;
            if expose_all && answer.headers().contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
                let names: Vec<_> = answer.headers().keys().map(HeaderName::as_str).collect();
                if let Ok(names) = HeaderValue::try_from(names.join(",")) {
                    answer.headers_mut().insert(ACCESS_CONTROL_EXPOSE_HEADERS, names);
                }
            }
            Ok(answer)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> Option<String> {
        text.parse::<Origin>().ok().map(|origin| origin.to_string())
    }

    #[test]
    fn an_origin_is_written_as_browsers_send_it() {
        assert_eq!(origin("http://localhost:8080").unwrap(), "http://localhost:8080");
        assert_eq!(origin("https://Chat.Example/").unwrap(), "https://chat.example");
        assert_eq!(origin("https://chat.example:443").unwrap(), "https://chat.example");
        assert_eq!(origin("http://[::1]:3000").unwrap(), "http://[::1]:3000");
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for text in [
            "",
            "*",
            "null",
            "localhost:8080",
            "ftp://a",
            "http://",
            "http://a/b",
            "http://a?b",
            "http://u@a",
            "https://*.a",
            "http://a:x",
            "http://a b",
        ] {
            assert_eq!(origin(text), None, "{text:?}");
        }
    }
}
