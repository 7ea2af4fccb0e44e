//! gRPC-Web over the browser's `fetch`, in windows and in workers.
//!
//! The exchange with JavaScript is here; [`web`](crate::web) and [`validate`](crate::validate) know the protocol.
//! Specification of `fetch`: the Fetch Standard.

mod connections;
mod exchange;

use std::fmt;
use std::future::poll_fn;
use std::rc::Rc;

use grpc_wire::content_type::WireFormat;
use grpc_wire::web::text;
use http::uri::PathAndQuery;
use http::{Request, Response, Uri};
use send_wrapper::SendWrapper;
use tonic::Status;
use tonic::body::Body;

use self::connections::{Connections, OpenCall};
use self::exchange::{Exchange, FetchBody, offline};
use super::{Cookies, Transport, at_own_origin};
use crate::context::CallContext;
use crate::error::Error;
use crate::maybe_send::BoxFuture;
use crate::web::{self, GrpcWeb};

/// Carries calls by gRPC-Web over `fetch`.
///
/// - A call is one `POST`. A stream of requests is collected to its end and then sent, because browsers cannot receive
///   while they send. A stream of more than 64 MiB fails with [`Error::RequestTooLarge`].
/// - Dropping the call or its response aborts the request, and the server notices.
/// - Redirects are not followed: a browser would repeat the call elsewhere as a `GET` without its message, or send its
///   metadata to a third party. The call fails with [`Error::Http`].
/// - Responses are never taken from a cache or stored in one.
/// - Over HTTP/1.1 browsers open six connections to a host, and an open stream holds one. A call that waits for a
///   connection is reported as [`Warning`](crate::observe::CallEventKind::Warning), and once on the console.
/// - Calls are sent also when the browser reports that there is no network, because some report it wrongly. The report is
///   in the [`Error::Fetch`] of a call that fails.
///
/// The body of a response is gRPC-Web as it came. The [`Channel`](crate::Channel) reads it.
#[derive(Clone)]
pub struct Fetch {
    inner: SendWrapper<Rc<Inner>>,
}

#[derive(Clone)]
struct Inner {
    /// Open calls to the server's origin.
    connections: Rc<Connections>,
    /// Prefix of every call's URL: the origin and a path without a slash at its end.
    base: String,
    /// Encodes bodies in the text format. A function pointer, so that the linker drops the encoder when it is unused.
    to_text: Option<fn(&[u8]) -> String>,
    cookies: Cookies,
}

impl Fetch {
    /// Calls go to `uri`: scheme, authority, and optionally a path that precedes the path of every call.
    pub fn new(uri: Uri) -> Self {
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let origin = format!("{}://{authority}", uri.scheme_str().unwrap_or("https"));
        Self::of(Inner {
            base: format!("{origin}{}", uri.path().trim_end_matches('/')),
            connections: Connections::to(&origin),
            to_text: None,
            cookies: Cookies::default(),
        })
    }

    /// Calls go to the origin that this page or worker was loaded from. `None` where that is no address: in a page from a file.
    pub fn same_origin() -> Option<Self> {
        at_own_origin("").map(Self::new)
    }

    /// Sets the calls that carry cookies: those to the page's own origin by default.
    #[must_use]
    pub fn cookies(self, cookies: Cookies) -> Self {
        Self::of(Inner { cookies, ..(**self.inner).clone() })
    }

    /// Sends and accepts `application/grpc-web-text`: a third longer, for intermediaries that do not pass binary bodies.
    /// Responses are read in the format of their content type either way.
    #[must_use]
    pub fn text(self) -> Self {
        Self::of(Inner { to_text: Some(text::encode), ..(**self.inner).clone() })
    }

    fn of(inner: Inner) -> Self {
        Self { inner: SendWrapper::new(Rc::new(inner)) }
    }
}

impl Transport for Fetch {
    fn prepare(&self, request: &mut Request<Body>) {
        web::prepare(request.headers_mut(), self.inner.format());
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
    /// Resolves when the head of the response has come.
    async fn call(&self, request: Request<Body>) -> Result<Response<Body>, Status> {
        let (parts, body) = request.into_parts();
        let mut body = web::collect(body).await?;
        if let Some(to_text) = self.to_text {
            body = to_text(&body).into();
        }
        let url = [self.base.as_str(), parts.uri.path_and_query().map_or("/", PathAndQuery::as_str)].concat();
        let context = CallContext::of(&parts.extensions);
        // The head of a stream is returned at once; its first message may take its time.
        let gather = context.method.is_none_or(|method| !method.kind.server_streaming());
        let open = OpenCall::new(&self.connections);
        let exchange = Exchange::start(&url, &parts.headers, &body, self.cookies, gather);
        let head = open.watch(poll_fn(|cx| exchange.poll_head(cx)), &context.reporter).await;
        let head = head.map_err(|reason| self.failed(reason))??;
        let mut response = head.map(|()| Body::new(FetchBody::new(exchange, open)));
        response.extensions_mut().insert(GrpcWeb);
        Ok(response)
    }

    fn format(&self) -> WireFormat {
        if self.to_text.is_some() { WireFormat::GrpcWebText } else { WireFormat::GrpcWeb }
    }

    /// No response came.
    fn failed(&self, reason: String) -> Error {
        let origin = self.connections.origin().to_owned();
        Error::Fetch { origin, reason, offline: offline() }
    }
}
