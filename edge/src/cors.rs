//! Which other origins may call this server from a browser: an allow-list, empty unless filled.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use http::uri::Uri;
use http::{HeaderName, HeaderValue, Method};
use tower_http::cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer, ExposeHeaders};

/// Request headers that every gRPC-Web client may send.
const REQUEST_HEADERS: [&str; 5] =
    ["content-type", "x-grpc-web", "x-user-agent", "grpc-timeout", "authorization"];

/// Response headers that a page of another origin may read: the status of a call that ended without a body.
const RESPONSE_HEADERS: [&str; 3] = ["grpc-status", "grpc-message", "grpc-status-details-bin"];

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
    origins: Vec<Origin>,
    request_headers: Vec<HeaderName>,
}

impl CorsOptions {
    /// Pages of these origins may call, with cookies. None: only pages that this server serves itself.
    pub fn new(origins: impl IntoIterator<Item = Origin>) -> Self {
        Self { origins: origins.into_iter().collect(), request_headers: Vec::new() }
    }

    /// Lets pages send these headers too, beside those of gRPC-Web.
    #[must_use]
    pub fn allow_headers(mut self, headers: impl IntoIterator<Item = HeaderName>) -> Self {
        self.request_headers.extend(headers);
        self
    }

    /// `None` when no origin is allowed: then no such header is ever sent.
    pub(crate) fn layer(&self) -> Option<CorsLayer> {
        if self.origins.is_empty() {
            return None;
        }
        let request_headers = REQUEST_HEADERS.map(HeaderName::from_static).into_iter();
        let request_headers = request_headers.chain(self.request_headers.iter().cloned());
        let layer = CorsLayer::new()
            .allow_origin(AllowOrigin::list(self.origins.iter().map(|origin| origin.0.clone())))
            .allow_methods(AllowMethods::exact(Method::POST))
            .allow_headers(AllowHeaders::list(request_headers))
            .expose_headers(ExposeHeaders::list(RESPONSE_HEADERS.map(HeaderName::from_static)))
            .allow_credentials(true)
            .max_age(PREFLIGHT_MAX_AGE);
        Some(layer)
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
