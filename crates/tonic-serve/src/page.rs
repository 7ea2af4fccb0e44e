//! The page: files from a directory or from memory, and `index.html` for every path without a file extension.
//!
//! Files are served from memory (`page/files.rs`): as they are, or their `.br` and `.gz` neighbours for clients that accept them.

mod csp;
mod document;
mod files;

use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::{Empty, Full};
use tonic::body::Body;
use tower::ServiceExt as _;
use tower_http::services::ServeDir;
use tower_http::services::fs::DefaultServeDirFallback;

pub use self::csp::SourceError;
use self::csp::{Policy, PolicyCache};
use self::files::Files;
use crate::base_path::BasePath;
use crate::response::{NO_STORE, is_cacheable, plain_text};

/// The name of the document.
const INDEX: &str = "index.html";

/// For files whose name has a hash of their content.
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// For all other files: cached, and revalidated for each use.
const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");

const COEP: HeaderName = HeaderName::from_static("cross-origin-embedder-policy");
const COOP: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const CORP: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

const SAME_ORIGIN: HeaderValue = HeaderValue::from_static("same-origin");

/// The document for the time in which there is none.
const NO_PAGE: &[u8] =
    b"<!doctype html><title>No page</title><p>This server has no page yet: its folder has no index.html. \
    The log of the server names the folder.";

/// Bytes of a file per chunk, which a response holds for a client that does not read.
const CHUNK: usize = 4 * 1024;

/// Fewest and most hexadecimal digits of a hash in a file's name.
const HASH_DIGITS: std::ops::RangeInclusive<usize> = 12..=64;

/// A built page: a directory, or files that the program has.
///
/// Files whose name ends with a hash of their content, such as `app-0123456789abcdef.js`, are cached for a year; all others are
/// revalidated, and scripts among them have the content security policy of the page, because a service worker is one of them.
/// The security headers are strict by default, and each has a setter.
#[derive(Clone, Debug)]
pub struct Page {
    files: Files,
    /// Goes before the paths of all files.
    dir: PathBuf,
    when_missing: Bytes,
    policy: Policy,
    headers: PageHeaders,
}

impl Page {
    /// The page in `dir`, which may be built, or built again, while the server runs. A relative path begins in the working directory
    /// of the program. A server that starts without an `index.html` there says so in its log, at the level `warn`.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self::of(Files::on_disk(), dir.into())
    }

    /// A page of files in memory, by their paths in the page's directory: `index.html`, `app-0123456789abcdef.js` and its compressed
    /// neighbour `app-0123456789abcdef.js.br`, for example those that a program has by `include_bytes!`.
    pub fn in_memory<P: Into<PathBuf>, B: Into<Bytes>>(files: impl IntoIterator<Item = (P, B)>) -> Self {
        let dir = PathBuf::from("/");
        let files = files.into_iter().map(|(path, content)| (dir.join(path.into()), content.into()));
        Self::of(Files::in_memory(files.collect()), dir)
    }

    fn of(files: Files, dir: PathBuf) -> Self {
        Self {
            files,
            dir,
            when_missing: Bytes::from_static(NO_PAGE),
            policy: Policy::default(),
            headers: PageHeaders::default(),
        }
    }

    /// The HTML document for the time in which `dir` has no `index.html`. It has the status 503. Default: a sentence that says so.
    #[must_use]
    pub fn when_missing(mut self, html: impl Into<Bytes>) -> Self {
        self.when_missing = html.into();
        self
    }

    /// Allows another source in a directive of the default content security policy, for example
    /// `("img-src", "https://cdn.example")` or `("connect-src", "https://api.example")`.
    ///
    /// By default a page loads everything from its own origin: scripts and styles (and those inside `index.html`, by their
    /// hash), WebAssembly, connections, workers, fonts, and images, which may also be `data:` and `blob:`. Style attributes are
    /// allowed, frames are not.
    ///
    /// # Errors
    ///
    /// `directive` is not a directive's name, or `source` is not a single source. Nothing can be added to a policy of
    /// [`content_security_policy`](Self::content_security_policy).
    pub fn allow_source(mut self, directive: &str, source: &str) -> Result<Self, SourceError> {
        self.policy.allow(directive, source)?;
        Ok(self)
    }

    /// Replaces the content security policy of `index.html`, or removes it. Scripts and styles inside `index.html` then need a
    /// source of their own.
    #[must_use]
    pub fn content_security_policy(mut self, policy: impl Into<Option<HeaderValue>>) -> Self {
        self.policy = Policy::Fixed(policy.into());
        self
    }

    /// Sets `cross-origin-opener-policy`, or removes it. Default: `same-origin`, which separates the page from windows of other
    /// origins that open it or that it opens.
    #[must_use]
    pub fn cross_origin_opener_policy(mut self, policy: impl Into<Option<HeaderValue>>) -> Self {
        self.headers.coop = policy.into();
        self
    }

    /// Sets `cross-origin-resource-policy`, or removes it. Default: `same-origin`, which keeps other origins from embedding the
    /// page's files.
    #[must_use]
    pub fn cross_origin_resource_policy(mut self, policy: impl Into<Option<HeaderValue>>) -> Self {
        self.headers.corp = policy.into();
        self
    }

    /// Sets `cross-origin-embedder-policy`, or removes it. Default: none. Threads in WebAssembly (`SharedArrayBuffer`) need
    /// `require-corp` or `credentialless`.
    #[must_use]
    pub fn cross_origin_embedder_policy(mut self, policy: impl Into<Option<HeaderValue>>) -> Self {
        self.headers.coep = policy.into();
        self
    }

    /// Sets another header of every response of the page, its errors included. It replaces the one that the page, or the server for
    /// every response, would send: `permissions-policy`, for example. Default: none.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.more.insert(name, value);
        self
    }

    /// The page under a base path.
    pub(crate) fn into_service(self, base: Option<&BasePath>) -> PageService {
        if self.files.is_on_disk() && !self.dir.join(INDEX).exists() {
            let dir = std::path::absolute(&self.dir).unwrap_or_else(|_| self.dir.clone());
            tracing::warn!(page.dir = %dir.display(), "the page's folder has no index.html yet; build the page, or name its folder");
        }
        // As `ServeDir` names it, which begins relative paths with a dot.
        let index = Path::new(".").join(&self.dir).join(INDEX);
        let files = match base {
            Some(base) => self.files.with_base(&index, base),
            None => self.files,
        };
        let policy = PolicyCache::new(files.clone(), index, self.policy);
        let files = ServeDir::with_backend(&self.dir, files)
            .append_index_html_on_directories(false)
            .with_buf_chunk_size(CHUNK)
            .precompressed_br()
            .precompressed_gzip();
        PageService { files, policy, when_missing: self.when_missing, headers: self.headers }
    }
}

/// Headers of every response of a page.
#[derive(Clone, Debug)]
struct PageHeaders {
    coop: Option<HeaderValue>,
    corp: Option<HeaderValue>,
    coep: Option<HeaderValue>,
    more: HeaderMap,
}

impl Default for PageHeaders {
    fn default() -> Self {
        Self { coop: Some(SAME_ORIGIN), corp: Some(SAME_ORIGIN), coep: None, more: HeaderMap::new() }
    }
}

/// A [`Page`] that handles requests.
#[derive(Debug)]
pub(crate) struct PageService {
    files: ServeDir<DefaultServeDirFallback, Files>,
    policy: PolicyCache,
    when_missing: Bytes,
    headers: PageHeaders,
}

impl PageService {
    /// Handles a request that is not a call. Its body is not read.
    pub(crate) async fn respond<B>(&self, request: Request<B>) -> Response<Body> {
        let PageHeaders { coop, corp, coep, more } = self.headers.clone();
        let mut response = match *request.method() {
            Method::GET | Method::HEAD if is_file(request.uri().path()) => self.file(&request).await,
            Method::GET | Method::HEAD => self.index(&request).await,
            Method::POST => plain_text(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "POST requests must be gRPC or gRPC-Web calls\n",
            ),
            _ => {
                let mut response = plain_text(StatusCode::METHOD_NOT_ALLOWED, "the page is read-only\n");
                response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
                response
            }
        };
        let headers = [(COOP, coop), (CORP, corp), (COEP, coep)];
        let headers = headers.into_iter().filter_map(|(name, value)| Some((name, value?)));
        response.headers_mut().extend(headers);
        for (name, value) in &more {
            response.headers_mut().insert(name, value.clone());
        }
        response
    }

    async fn file<B>(&self, request: &Request<B>) -> Response<Body> {
        let path = request.uri().path();
        let name = path.rsplit('/').next().unwrap_or_default();
        if name == INDEX {
            return self.index(request).await;
        }
        let cache_control = if is_hashed(name) { IMMUTABLE } else { REVALIDATE };
        let mut response = self.read(request, request.uri().clone()).await;
        if response.status() == StatusCode::NOT_FOUND {
            return plain_text(StatusCode::NOT_FOUND, "no such file\n");
        }
        set_cache_control(&mut response, cache_control);
        // A worker has the policy of its script. A service worker's has no hash in its name: the name must not change.
        if name.ends_with(".js") && !is_hashed(name) {
            let policy = self.policy.current().await.flatten();
            response.headers_mut().extend(policy.map(|policy| (CONTENT_SECURITY_POLICY, policy)));
        }
        response
    }

    async fn index<B>(&self, request: &Request<B>) -> Response<Body> {
        let Some(policy) = self.policy.current().await else {
            return missing_page(self.when_missing.clone());
        };
        let mut response = self.read(request, Uri::from_static("/index.html")).await;
        if response.status() == StatusCode::NOT_FOUND {
            // Removed since the policy was made, because the page is being built again.
            return missing_page(self.when_missing.clone());
        }
        set_cache_control(&mut response, REVALIDATE);
        let headers = response.headers_mut();
        if let Some(policy) = policy {
            headers.insert(CONTENT_SECURITY_POLICY, policy);
        }
        if headers.contains_key(CONTENT_TYPE) {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        }
        response
    }

    async fn read<B>(&self, request: &Request<B>, uri: Uri) -> Response<Body> {
        let mut read = Request::new(Empty::<Bytes>::new());
        *read.method_mut() = request.method().clone();
        *read.uri_mut() = uri;
        *read.headers_mut() = request.headers().clone();
        let Ok(response) = self.files.clone().oneshot(read).await;
        let mut response = response.map(Body::new);
        response.headers_mut().insert(VARY, HeaderValue::from_static("accept-encoding"));
        response
    }
}

/// Whether a path is that of a file: its last segment has an extension. All other paths are routes of the page.
fn is_file(path: &str) -> bool {
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

/// Sets the caching of `response`. An error is never cached, whatever the file's name: it may be gone at the next request.
fn set_cache_control(response: &mut Response<Body>, cache_control: HeaderValue) {
    let cache_control = if is_cacheable(response.status()) { cache_control } else { NO_STORE };
    response.headers_mut().insert(CACHE_CONTROL, cache_control);
}

fn missing_page(document: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::new(Full::new(document)));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
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
    fn names_with_a_hash_are_recognized() {
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
    fn only_a_last_segment_with_a_dot_is_a_file() {
        for path in ["/favicon.svg", "/snippets/a-1/inline0.js", "/index.html"] {
            assert!(is_file(path), "{path}");
        }
        for path in ["/", "/room/general", "/room/general/12", "/v1.2/about", "/greeter"] {
            assert!(!is_file(path), "{path}");
        }
    }
}
