//! The page: files from a directory, and `index.html` for every path that is no file.
//!
//! Files are served from memory (`page/files.rs`): as they lie there, or their `.br` and `.gz` neighbours to those
//! who accept them.

mod files;
mod policy;

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::{Empty, Full};
use tonic::body::Body;
use tower::ServiceExt as _;
use tower_http::services::ServeDir;
use tower_http::services::fs::DefaultServeDirFallback;

use self::files::Files;
use self::policy::PolicyCache;
use crate::headers::{NO_STORE, is_cacheable};

/// For files whose name holds a hash of their content: they never change.
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// For everything else: kept, but asked for again each time (a 304 when it is the same).
const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");

const COOP: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const CORP: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Bytes of a file that are handed over at once: what an answer holds that its client does not take.
const CHUNK: usize = 4 * 1024;

/// Fewest and most hexadecimal digits that count as a hash in a file's name.
const HASH_DIGITS: std::ops::RangeInclusive<usize> = 12..=64;

/// A directory with a built page.
#[derive(Clone, Debug)]
pub struct Page {
    dir: PathBuf,
    when_missing: Bytes,
}

impl Page {
    /// The page built into `dir`. It may be built, or built again, while the server runs.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), when_missing: Bytes::from_static(b"<!doctype html><title>No page</title>") }
    }

    /// The HTML document that is shown while `dir` holds no `index.html`.
    #[must_use]
    pub fn when_missing(mut self, html: impl Into<Bytes>) -> Self {
        self.when_missing = html.into();
        self
    }

    pub(crate) fn into_service(self) -> PageService {
        let files = ServeDir::with_backend(&self.dir, Files::default())
            .append_index_html_on_directories(false)
            .with_buf_chunk_size(CHUNK)
            .precompressed_br()
            .precompressed_gzip();
        let policy = Arc::new(PolicyCache::new(self.dir.join("index.html")));
        PageService { files, policy, when_missing: self.when_missing }
    }
}

/// A [`Page`] that answers requests.
#[derive(Clone, Debug)]
pub(crate) struct PageService {
    files: ServeDir<DefaultServeDirFallback, Files>,
    policy: Arc<PolicyCache>,
    when_missing: Bytes,
}

impl PageService {
    /// Answers a request that is no gRPC call; its body is not looked at.
    pub(crate) async fn respond<B>(self, request: Request<B>) -> Response<Body> {
        let mut response = match *request.method() {
            Method::GET | Method::HEAD if names_a_file(request.uri().path()) => self.file(&request).await,
            Method::GET | Method::HEAD => self.index(&request).await,
            Method::POST => {
                plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, "POST is for calls: gRPC or gRPC-Web\n")
            }
            _ => {
                let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "the page can only be read\n");
                response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
                response
            }
        };
        response.headers_mut().insert(COOP, HeaderValue::from_static("same-origin"));
        response.headers_mut().insert(CORP, HeaderValue::from_static("same-origin"));
        response
    }

    async fn file<B>(self, request: &Request<B>) -> Response<Body> {
        let path = request.uri().path();
        let name = path.rsplit('/').next().unwrap_or_default();
        if name == "index.html" {
            return self.index(request).await;
        }
        let cache_control = if is_hashed(name) { IMMUTABLE } else { REVALIDATE };
        let mut response = self.read(request, request.uri().clone()).await;
        if response.status() == StatusCode::NOT_FOUND {
            return plain(StatusCode::NOT_FOUND, "there is no such file\n");
        }
        set_cache_control(&mut response, cache_control);
        response
    }

    async fn index<B>(self, request: &Request<B>) -> Response<Body> {
        let policy = Arc::clone(&self.policy);
        let (Some(policy), when_missing) = (policy.current().await, self.when_missing.clone()) else {
            return html(StatusCode::SERVICE_UNAVAILABLE, self.when_missing);
        };
        let mut response = self.read(request, Uri::from_static("/index.html")).await;
        if response.status() == StatusCode::NOT_FOUND {
            // Taken away since the policy was read: it is being built again.
            return html(StatusCode::SERVICE_UNAVAILABLE, when_missing);
        }
        set_cache_control(&mut response, REVALIDATE);
        let headers = response.headers_mut();
        headers.insert(CONTENT_SECURITY_POLICY, policy);
        if headers.contains_key(CONTENT_TYPE) {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        }
        response
    }

    async fn read<B>(self, request: &Request<B>, uri: Uri) -> Response<Body> {
        let mut read = Request::new(Empty::<Bytes>::new());
        *read.method_mut() = request.method().clone();
        *read.uri_mut() = uri;
        *read.headers_mut() = request.headers().clone();
        let Ok(response) = self.files.oneshot(read).await;
        let mut response = response.map(Body::new);
        response.headers_mut().insert(VARY, HeaderValue::from_static("accept-encoding"));
        response
    }
}

/// Whether a path asks for a file: its last segment has an extension. Everything else is a place in the
/// page, which finds its own way from there.
fn names_a_file(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|name| name.contains('.'))
}

/// Whether a file's name ends with a hash of its content, as trunk writes it: `chat-0123456789abcdef.css`,
/// `frontend-0123456789abcdef_bg.wasm`.
fn is_hashed(name: &str) -> bool {
    let Some((stem, _extension)) = name.split_once('.') else { return false };
    let stem = stem.strip_suffix("_bg").unwrap_or(stem);
    let Some((_, hash)) = stem.rsplit_once('-') else { return false };
    HASH_DIGITS.contains(&hash.len()) && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Says how long `response` may be cached. A fault is never cached, whatever the file's name: it may be gone at
/// the next request.
fn set_cache_control(response: &mut Response<Body>, cache_control: HeaderValue) {
    let cache_control = if is_cacheable(response.status()) { cache_control } else { NO_STORE };
    response.headers_mut().insert(CACHE_CONTROL, cache_control);
}

/// A short text for a person.
pub(crate) fn plain(status: StatusCode, text: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::new(Full::new(text.into())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, NO_STORE);
    response
}

fn html(status: StatusCode, document: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::new(Full::new(document)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CACHE_CONTROL, NO_STORE);
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_a_hash_are_known() {
        for name in [
            "frontend-8f2a91c04d5e6b7a.js",
            "frontend-8f2a91c04d5e6b7a_bg.wasm",
            "chat-0f2a91c04d5e.css",
            "a-b-8f2a91c04d5e6b7a.svg",
        ] {
            assert!(is_hashed(name), "{name}");
        }
        for name in
            ["index.html", "frontend.js", "icon-192.png", "quick-brown-foxes-jump.js", "a-8f2a91c0.js"]
        {
            assert!(!is_hashed(name), "{name}");
        }
    }

    #[test]
    fn only_a_last_segment_with_a_dot_names_a_file() {
        for path in ["/favicon.svg", "/snippets/a-1/inline0.js", "/index.html"] {
            assert!(names_a_file(path), "{path}");
        }
        for path in ["/", "/room/general", "/room/general/12", "/v1.2/about", "/greeter"] {
            assert!(!names_a_file(path), "{path}");
        }
    }
}
