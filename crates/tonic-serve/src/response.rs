//! Responses of the server itself in plain text, and the headers that every response gets.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::{
    CACHE_CONTROL, CONTENT_TYPE, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use tonic::Status;
use tonic::body::Body;

use crate::host::Host;

const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");

/// Features that documents of this server, and frames in them, may not use. Browsers warn about unknown names, so the list
/// has only names that every browser with this header knows.
const PERMISSIONS: HeaderValue = HeaderValue::from_static(
    "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), \
     microphone=(), midi=(), payment=(), usb=()",
);

const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");

const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");

/// For errors, which may be gone at the next request.
pub(crate) const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// Time for which a browser reaches a host by https alone after an https response: a year, renewed by every response.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// A response that is being made.
pub(crate) type ResponseFuture = BoxFuture<'static, Result<Response<Body>, Infallible>>;

/// The trailers of a call that ends with `status`.
pub(crate) fn trailers(status: &Status) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    if status.add_header(&mut trailers).is_err() {
        // Only a message that is no valid header is refused, and these are plain sentences.
        tracing::error!("cannot write a status as trailers");
    }
    trailers
}

/// A response that is there.
pub(crate) fn ready(response: Response<Body>) -> ResponseFuture {
    Box::pin(std::future::ready(Ok(response)))
}

/// A short text for a person, which is not cached.
pub(crate) fn plain_text(status: StatusCode, text: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::new(Full::new(text.into())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, NO_STORE);
    response
}

/// Whether a response with this status may be cached as its headers say.
pub(crate) fn is_cacheable(status: StatusCode) -> bool {
    matches!(status, StatusCode::OK | StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED)
}

/// The headers that every response gets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CommonHeaders {
    hsts: bool,
}

impl CommonHeaders {
    /// For the response to `request`. Over `tls` a named host gets `strict-transport-security`. `localhost` does not, because
    /// other servers of the machine share that name; browsers ignore the header for addresses.
    pub(crate) fn new<B>(request: &Request<B>, tls: bool) -> Self {
        Self { hsts: tls && matches!(Host::of(request), Some(Host::Name(_))) }
    }

    /// Adds the headers that `response` does not have already.
    pub(crate) fn add_to<B>(self, response: &mut Response<B>) {
        let cacheable = is_cacheable(response.status());
        let headers = response.headers_mut();
        or_insert(headers, X_CONTENT_TYPE_OPTIONS, NOSNIFF);
        or_insert(headers, PERMISSIONS_POLICY, PERMISSIONS);
        or_insert(headers, REFERRER_POLICY, NO_REFERRER);
        if !cacheable {
            or_insert(headers, CACHE_CONTROL, NO_STORE);
        }
        if self.hsts {
            or_insert(headers, STRICT_TRANSPORT_SECURITY, HSTS);
        }
    }
}

fn or_insert(headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) {
    headers.entry(name).or_insert(value);
}
