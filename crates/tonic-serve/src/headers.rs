//! The headers that every answer has, whatever has answered.

use http::header::{CACHE_CONTROL, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};

use crate::host::Host;

const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");

/// Features that documents of this server, and documents inside them, may not use. Browsers warn of names that
/// they do not know, so the list has only names that every browser with this header knows.
const PERMISSIONS: HeaderValue = HeaderValue::from_static(
    "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), \
     microphone=(), midi=(), payment=(), usb=()",
);

const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");

const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");

/// A fault may be gone at the next request.
pub(crate) const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// How long a browser reaches a host by https alone after it has done so once: a year, renewed by every
/// answer.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Whether an answer with this status is what was asked for, and may be cached as its sender says.
pub(crate) fn is_cacheable(status: StatusCode) -> bool {
    matches!(status, StatusCode::OK | StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED)
}

/// The headers that answers to one request get beside their own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Common {
    hsts: bool,
}

impl Common {
    /// Over `tls` a host that is reached by its name is reached by https alone from then on. Not this machine
    /// itself: what else it serves is not ours to decide. Browsers leave addresses out by themselves.
    pub(crate) fn of<B>(request: &Request<B>, tls: bool) -> Self {
        Self { hsts: tls && matches!(Host::of(request), Some(Host::Name(_))) }
    }

    /// Adds what `response` does not say itself.
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
