//! Which other origins may call this server from a browser: an allow-list, empty unless filled.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
};
use http::uri::Authority;
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

/// Schemes that no page is loaded by, or whose pages have the origin `null`.
const NO_PAGES: [&str; 9] =
    ["about", "blob", "data", "file", "ftp", "javascript", "view-source", "ws", "wss"];

/// An origin as browsers send it: scheme, host, and port unless it is the scheme's own.
///
/// That of an application is taken as it is written: `tauri://localhost`, `capacitor://localhost`,
/// `chrome-extension://` and the extension's id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(HeaderValue);

/// Why a text is no origin that can be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OriginError {
    /// It is no scheme, host and port.
    #[error(
        "an origin is http:// or https://, or an application's scheme such as tauri://, a host, and a port if it is \
         not the usual one, for example http://localhost:8080"
    )]
    Malformed,
    /// It is `null`, which many pages have that have nothing to do with each other.
    #[error("null is the origin of every sandboxed page and local file: allowing it would allow them all")]
    Null,
    /// It has a `*`.
    #[error(
        "every origin has to be written out: a * would let pages of strangers call with their visitors' cookies"
    )]
    Wildcard,
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        if text.eq_ignore_ascii_case("null") {
            return Err(OriginError::Null);
        }
        if text.contains('*') {
            return Err(OriginError::Wildcard);
        }
        let text = text.strip_suffix('/').unwrap_or(text);
        let (scheme, rest) = text.split_once("://").ok_or(OriginError::Malformed)?;
        let scheme = scheme.to_ascii_lowercase();
        let origin = match scheme.as_str() {
            "http" => web_origin("http", &rest.to_ascii_lowercase(), 80),
            "https" => web_origin("https", &rest.to_ascii_lowercase(), 443),
            scheme if NO_PAGES.contains(&scheme) => None,
            scheme => application_origin(scheme, rest),
        };
        let origin = origin.and_then(|origin| HeaderValue::try_from(origin).ok());
        origin.map(Self).ok_or(OriginError::Malformed)
    }
}

fn web_origin(scheme: &str, rest: &str, usual_port: u16) -> Option<String> {
    let authority: Authority = rest.parse().ok()?;
    let host = authority.host();
    let origin = match authority.port_u16() {
        Some(port) if port != usual_port => format!("{host}:{port}"),
        _ => host.to_owned(),
    };
    // Nothing may stand beside host and port.
    let is_whole = rest == origin || rest == format!("{host}:{usual_port}");
    (is_whole && !host.is_empty()).then(|| format!("{scheme}://{origin}"))
}

/// Browsers write what stands behind such a scheme as the application does, upper case included.
fn application_origin(scheme: &str, rest: &str) -> Option<String> {
    let mut letters = scheme.bytes();
    let is_scheme = letters.next().is_some_and(|first| first.is_ascii_lowercase())
        && letters.all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let is_host = !rest.is_empty()
        && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte))
        && !rest.starts_with(':');
    (is_scheme && is_host).then(|| format!("{scheme}://{rest}"))
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

    /// Whether pages of `origin` may call with cookies.
    pub(crate) fn lists(&self, origin: &HeaderValue) -> bool {
        match &self.origins {
            Origins::Listed(origins) => origins.iter().any(|listed| listed.0 == origin),
            Origins::Any => false,
        }
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

    fn origin(text: &str) -> Result<String, OriginError> {
        text.parse::<Origin>().map(|origin| origin.to_string())
    }

    #[test]
    fn an_origin_is_written_as_browsers_send_it() {
        assert_eq!(origin("http://localhost:8080").unwrap(), "http://localhost:8080");
        assert_eq!(origin("https://Chat.Example/").unwrap(), "https://chat.example");
        assert_eq!(origin("https://chat.example:443").unwrap(), "https://chat.example");
        assert_eq!(origin("http://[::1]:3000").unwrap(), "http://[::1]:3000");
        assert_eq!(origin("http://tauri.localhost").unwrap(), "http://tauri.localhost");
    }

    #[test]
    fn origins_of_applications_are_taken_as_they_are_written() {
        for text in [
            "tauri://localhost",
            "capacitor://localhost",
            "ionic://localhost",
            "chrome-extension://aapbdbdomjkkjkaonfhkkikfgjllcleb",
            "moz-extension://2c127fa4-62c7-7e4f-90e5-472b45eecfdc",
            "safari-web-extension://E7C5F0A1-5C2F-4F0B-9A0E-6A3F0C3E1D2B",
            "app://bundle",
        ] {
            assert_eq!(origin(text).unwrap(), text);
        }
        assert_eq!(origin("Tauri://localhost/").unwrap(), "tauri://localhost");
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for text in [
            "",
            "localhost:8080",
            "ftp://a",
            "file://a",
            "ws://a",
            "data:a",
            "http://",
            "tauri://",
            "http://a/b",
            "tauri://a/b",
            "http://a?b",
            "http://u@a",
            "tauri://u@a",
            "http://a:x",
            "http://a b",
            "1a://b",
            "://b",
        ] {
            assert_eq!(origin(text), Err(OriginError::Malformed), "{text:?}");
        }
    }

    #[test]
    fn origins_of_everybody_are_refused_with_their_reason() {
        for text in ["null", "NULL"] {
            assert_eq!(origin(text), Err(OriginError::Null));
        }
        for text in ["*", "https://*.a", "tauri://*"] {
            assert_eq!(origin(text), Err(OriginError::Wildcard), "{text}");
        }
    }
}
