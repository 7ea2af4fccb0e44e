//! Sockets: HTTP/2 inside a WebSocket, by which pages make all four kinds of calls. Decides who may open one, and with which
//! headers its calls come.
//!
//! A page can send any header inside a socket, also those that only browsers and proxies send elsewhere. So these come from
//! the handshake, which the browser made, and every check of a call judges them as those of any other call.

use std::sync::Arc;

use http::header::{COOKIE, HOST, ORIGIN, SET_COOKIE};
use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri};
use http_body::Body as HttpBody;
use tonic::body::Body;

use super::service::{AppService, too_many_requests};
use crate::budget::CallAccount;
use crate::grpc::{FOREIGN_PAGE, SocketRights, socket_rights};
use crate::response::{CommonHeaders, plain_text};
use crate::websocket::{Handshake, is_websocket, offers};

/// The subprotocol of HTTP/2 with prior knowledge as the bytes of a WebSocket.
const PROTOCOL: &str = "h2ts";

/// The headers that the calls in a socket get from its handshake.
#[derive(Debug)]
pub(crate) struct InheritedHeaders {
    host: Option<Authority>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// The answer to a handshake.
#[derive(Debug)]
pub(crate) struct HandshakeAnswer {
    /// 101, or a refusal.
    pub(crate) response: Response<Body>,
    /// The headers for the calls inside. `None` with a refusal.
    pub(crate) inherited: Option<InheritedHeaders>,
}

impl From<Response<Body>> for HandshakeAnswer {
    fn from(refusal: Response<Body>) -> Self {
        Self { response: refusal, inherited: None }
    }
}

impl AppService {
    /// The answer to a request that opens a socket. `None` for other requests.
    pub(crate) fn open_socket<B: HttpBody>(&self, request: &Request<B>) -> Option<HandshakeAnswer> {
        let headers = request.headers();
        if !self.checks.web_sockets || !is_websocket(headers) || !offers(headers, PROTOCOL) {
            return None;
        }
        let mut answer = self.judge_handshake(request);
        if answer.inherited.is_none() {
            tracing::debug!(http.status = answer.response.status().as_u16(), "refused to open a socket");
            CommonHeaders::new(request, self.checks.tls).add_to(&mut answer.response);
        }
        Some(answer)
    }

    fn judge_handshake<B: HttpBody>(&self, request: &Request<B>) -> HandshakeAnswer {
        if let Some(refusal) = self.checks.refuse_host(request) {
            return refusal.into();
        }
        if !request.body().is_end_stream() {
            return plain_text(StatusCode::BAD_REQUEST, "a WebSocket is opened without a body\n").into();
        }
        let handshake = match Handshake::parse(request) {
            Ok(handshake) => handshake,
            Err(error) => return error.response().into(),
        };
        if request.extensions().get::<Arc<CallAccount>>().is_some_and(|account| account.is_refused()) {
            return too_many_requests().into();
        }
        let Some(rights) = socket_rights(request, &self.checks.hosts, &self.checks.cors) else {
            return plain_text(StatusCode::FORBIDDEN, format!("{FOREIGN_PAGE}\n")).into();
        };
        let inherited = Some(InheritedHeaders::new(request, rights));
        HandshakeAnswer { response: handshake.response(PROTOCOL), inherited }
    }
}

impl InheritedHeaders {
    fn new<B>(request: &Request<B>, rights: SocketRights) -> Self {
        let is_inherited = |name: &HeaderName| {
            is_from_handshake(name) && name != HOST && (name != COOKIE || rights == SocketRights::Cookies)
        };
        let headers = request.headers().iter().filter(|(name, _)| is_inherited(name));
        let field = request.headers().get(HOST).and_then(|host| host.to_str().ok()?.parse().ok());
        Self {
            host: request.uri().authority().cloned().or(field),
            headers: headers.map(|(name, value)| (name.clone(), value.clone())).collect(),
        }
    }

    /// Replaces the headers of a request inside the socket that its client could make up.
    pub(crate) fn apply<B>(&self, request: &mut Request<B>) {
        if let Some(host) = &self.host {
            let uri = std::mem::take(request.uri_mut());
            *request.uri_mut() = with_host(uri, host.clone());
        }
        let headers = request.headers_mut();
        let made_up: Vec<_> = headers.keys().filter(|name| is_from_handshake(name)).cloned().collect();
        for name in made_up {
            headers.remove(name);
        }
        for (name, value) in &self.headers {
            headers.append(name.clone(), value.clone());
        }
    }
}

/// Whether only the handshake tells the truth about a header: the browser's cookies, host and origin, and the words of proxies.
fn is_from_handshake(name: &HeaderName) -> bool {
    let text = name.as_str();
    [COOKIE, HOST, ORIGIN].contains(name)
        || matches!(text, "forwarded" | "x-real-ip")
        || ["sec-fetch-", "x-forwarded-"].iter().any(|prefix| text.starts_with(prefix))
}

/// `uri` with another host. A target without a path is left alone.
fn with_host(uri: Uri, host: Authority) -> Uri {
    let mut parts = uri.clone().into_parts();
    parts.authority = Some(host);
    parts.scheme.get_or_insert(Scheme::HTTP);
    Uri::from_parts(parts).unwrap_or(uri)
}

/// Removes cookies from a response inside a socket: no browser would store them.
pub(crate) fn remove_cookies(headers: &mut HeaderMap) {
    if headers.remove(SET_COOKIE).is_some() {
        tracing::debug!("a cookie was set by a call in a socket, where browsers store none");
    }
}
