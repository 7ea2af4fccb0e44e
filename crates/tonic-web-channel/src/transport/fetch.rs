//! gRPC-Web over the browser's `fetch`, in windows and in workers.
//!
//! This is the way between Rust and JavaScript and no more: what the bytes mean is the business of
//! [`web`](crate::web). Specification of `fetch`: the Fetch Standard.

mod abort;
mod chunks;
mod connections;
mod js;

use std::fmt;
use std::rc::Rc;

use grpc_wire::content_type::WireFormat;
use grpc_wire::web::text;
use http::uri::PathAndQuery;
use http::{HeaderMap, Request, Response, Uri};
use js_sys::Uint8Array;
use send_wrapper::SendWrapper;
use tonic::Status;
use tonic::body::Body;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Headers, RequestCache, RequestCredentials, RequestInit, RequestRedirect};

use self::abort::Abort;
use self::chunks::Chunks;
use self::connections::{Connections, OpenCall};
use super::{Cookies, Transport};
use crate::context::CallContext;
use crate::error::{self, Error};
use crate::js::message;
use crate::maybe_send::BoxFuture;
use crate::observe::Reporter;
use crate::web::{self, GrpcWeb};

/// Carries calls by gRPC-Web over `fetch`.
///
/// - A call is one `POST`. A stream of requests is collected to its end and then sent: browsers cannot receive
///   while they send. Until then nothing has left. More than 64 MiB of it fail with [`Error::RequestTooLarge`].
/// - Dropping the call or its response aborts the request, which the server notices.
/// - Redirects are not followed: a browser would repeat the call elsewhere as a `GET` without its message, or send
///   its metadata to whom it was not meant for. The call fails with [`Error::Http`].
/// - Responses are never taken from a cache nor kept in one.
/// - Over HTTP/1.1 browsers open six connections to a host, and an open stream holds one. A call that waits because
///   of that is reported as [`Warning`](crate::observe::CallEventKind::Warning), and once on the console.
/// - [`Error::Offline`] is what the browser says before a call leaves, except of a server on this machine.
#[derive(Clone)]
pub struct Fetch {
    inner: SendWrapper<Rc<Inner>>,
}

#[derive(Clone)]
struct Inner {
    /// Those to the server's origin.
    connections: Rc<Connections>,
    /// Where every call's path is appended: the origin and a path without a slash at its end.
    base: String,
    /// Whether the server is on this machine, which needs no network.
    loopback: bool,
    /// What makes the text form of a body, where that is sent. A page that does not send it does not carry it.
    to_text: Option<fn(&[u8]) -> String>,
    /// What is the same for every call. `fetch` reads it while it is called, so calls share it.
    init: RequestInit,
}

impl Fetch {
    /// Calls go to `uri`: scheme, authority, and perhaps a path that is put before the path of every call.
    pub fn new(uri: Uri) -> Self {
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let origin = format!("{}://{authority}", uri.scheme_str().unwrap_or("https"));
        Self::of(Inner {
            base: format!("{origin}{}", uri.path().trim_end_matches('/')),
            connections: Connections::to(&origin),
            loopback: is_loopback(authority),
            to_text: None,
            init: init(Cookies::default()),
        })
    }

    /// Which calls carry cookies: those to the page's own origin by default.
    #[must_use]
    pub fn cookies(self, cookies: Cookies) -> Self {
        Self::of(Inner { init: init(cookies), ..(**self.inner).clone() })
    }

    /// Sends and asks for the text form, `application/grpc-web-text`: a third longer, for what is between here and
    /// the server and lets no binary bodies through. A response is read in the form it comes in, whatever was
    /// asked for.
    #[must_use]
    pub fn text(self) -> Self {
        Self::of(Inner { to_text: Some(text::encode), ..(**self.inner).clone() })
    }

    fn of(inner: Inner) -> Self {
        Self { inner: SendWrapper::new(Rc::new(inner)) }
    }
}

impl Transport for Fetch {
    fn prepare(&self, headers: &mut HeaderMap) {
        let is_text = self.inner.to_text.is_some();
        web::prepare(headers, if is_text { WireFormat::GrpcWebText } else { WireFormat::GrpcWeb });
    }

    fn call(&self, request: Request<Body>) -> BoxFuture<Result<Response<Body>, Status>> {
        let inner = Rc::clone(&self.inner);
        Box::pin(async move { inner.call(request).await })
    }
}

impl fmt::Debug for Fetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetch")
            .field("base", &self.inner.base)
            .field("text", &self.inner.to_text.is_some())
            .finish()
    }
}

impl Inner {
    async fn call(&self, request: Request<Body>) -> Result<Response<Body>, Status> {
        if !self.loopback && js::offline() {
            return Err(Error::Offline.into());
        }
        let (parts, body) = request.into_parts();
        let mut body = web::collect(body).await?;
        if let Some(to_text) = self.to_text {
            body = to_text(&body).into();
        }
        let path = parts.uri.path_and_query().map_or("/", PathAndQuery::as_str);
        let context = CallContext::of(&parts.extensions);
        Ok(self.send(path, &parts.headers, &body, &context.reporter).await?)
    }

    /// Sends the request, and resolves when the head of its response has come.
    async fn send(
        &self,
        path: &str,
        headers: &HeaderMap,
        body: &[u8],
        reporter: &Reporter,
    ) -> Result<Response<Body>, Error> {
        let url = format!("{}{path}", self.base);
        let open = OpenCall::new(&self.connections);
        let abort = Abort::new().map_err(|error| self.failed(&error))?;
        let promise = self.start(&url, headers, body, &abort).map_err(|error| self.failed(&error))?;
        let response = open.watch(JsFuture::from(promise), reporter).await;
        let response = response.map_err(|error| self.failed(&error))?;
        let response: web_sys::Response = response.into();
        let head = js::head(&response)?;
        let chunks = Chunks::new(response.body(), abort, open)?;
        let mut response = head.map(|()| Body::new(chunks));
        response.extensions_mut().insert(GrpcWeb);
        Ok(response)
    }

    fn start(
        &self,
        url: &str,
        headers: &HeaderMap,
        body: &[u8],
        abort: &Abort,
    ) -> Result<js_sys::Promise, JsValue> {
        self.init.set_headers(js_headers(headers)?.as_ref());
        // The one copy into JavaScript's memory.
        self.init.set_body(&Uint8Array::from(body));
        self.init.set_signal(Some(&abort.signal()));
        let promise = js::fetch(url, &self.init);
        // So that nobody keeps what was sent.
        self.init.set_body(&JsValue::UNDEFINED);
        self.init.set_signal(None);
        promise
    }

    /// No response came.
    fn failed(&self, thrown: &JsValue) -> Error {
        let origin = self.connections.origin().to_owned();
        Error::Fetch { origin, reason: message(thrown), offline: js::offline() }
    }
}

/// The parts of a request that every call has in common.
fn init(cookies: Cookies) -> RequestInit {
    let init = RequestInit::new();
    init.set_method("POST");
    init.set_cache(RequestCache::NoStore);
    init.set_redirect(RequestRedirect::Manual);
    init.set_credentials(match cookies {
        Cookies::SameOrigin => RequestCredentials::SameOrigin,
        Cookies::Include => RequestCredentials::Include,
        Cookies::Omit => RequestCredentials::Omit,
    });
    init
}

/// Repeated headers are appended, so that none is lost. `fetch` joins them.
fn js_headers(headers: &HeaderMap) -> Result<Headers, JsValue> {
    let all = Headers::new()?;
    for (name, value) in headers {
        // JavaScript's headers are bytes, each written as the character of that number.
        all.append(name.as_str(), &error::text_of(value.as_bytes()))?;
    }
    Ok(all)
}

/// Whether a server at `authority` is on this machine, by its name alone. Not by parsing addresses, which weighs
/// more than it is worth.
fn is_loopback(authority: &str) -> bool {
    let port = authority.bytes().rposition(|byte| byte == b':' || byte == b']');
    let host = match port {
        Some(at) if authority.as_bytes()[at] == b':' => &authority[..at],
        _ => authority,
    };
    host == "localhost" || host.ends_with(".localhost") || host.starts_with("127.") || host == "[::1]"
}
