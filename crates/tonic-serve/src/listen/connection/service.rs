//! The service of a connection: it counts calls, tells them their client, and passes them to the application.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use http::{Extensions, Request, Response, Version};
use hyper::body::Incoming;
use hyper::service::Service;
use hyper::upgrade::OnUpgrade;
use tower::Service as _;

use super::activity::Activity;
use super::leaving::{LeavingBody, SentBody, end_of};
use super::open_calls::CallProgress;
use super::opened_tunnel::{OpenedTunnel, PendingTunnel};
use super::response_body::ResponseBody;
use crate::app::{AppService, InheritedHeaders, remove_cookies};
use crate::budget::{OpenCall, Peer};
use crate::client_address::ClientAddress;
use crate::listen::request_body::{BodyDrain, RequestEnd};
use crate::observer::{OpenConnection, Protocol, SharedObserver};
use crate::proxy::TrustedProxies;
use crate::response::{self, ResponseFuture};

/// The service of one connection.
pub(super) struct ConnectionService {
    pub(super) app: Arc<AppService>,
    pub(super) drain: BodyDrain,
    pub(super) client: Client,
    /// Extensions that every request gets.
    pub(super) extensions: Extensions,
    pub(super) activity: Arc<Activity>,
    pub(super) peer: Arc<Peer>,
    /// Is told of the connection at its first request.
    pub(super) observer: Option<SharedObserver>,
    pub(super) observed: OnceLock<OpenConnection>,
    /// The place for bodies that leave hyper, over HTTP/1.1.
    pub(super) leaving: Option<LeavingBody>,
}

/// The source of requests.
pub(super) enum Client {
    /// A connection from `address`, whose requests may name another client and open a socket.
    OfConnection { address: IpAddr, proxies: TrustedProxies, pending: PendingTunnel },
    /// A socket, whose handshake named the client.
    OfSocket { address: ClientAddress, inherited: InheritedHeaders },
}

impl ConnectionService {
    /// Lets bodies over HTTP/1.1 leave hyper.
    pub(super) fn leaving(self, place: LeavingBody) -> Self {
        Self { leaving: Some(place), ..self }
    }

    /// Tells the observer the protocol of the connection, once.
    fn observe(&self, version: Version) {
        if let Some(observer) = &self.observer {
            let protocol = match self.client {
                Client::OfConnection { .. } => version.into(),
                Client::OfSocket { .. } => Protocol::WebSocket,
            };
            self.observed.get_or_init(|| OpenConnection::new(observer, protocol));
        }
    }

    /// Returns the client of a request, and replaces what a client in a socket could make up.
    fn prepare(&self, request: &mut Request<Incoming>) -> ClientAddress {
        match &self.client {
            Client::OfConnection { address, proxies, .. } => {
                ClientAddress(proxies.client(*address, request.headers()))
            }
            Client::OfSocket { address, inherited } => {
                inherited.apply(request);
                *address
            }
        }
    }

    fn respond(
        &self,
        mut request: Request<Incoming>,
        client: ClientAddress,
        end: Option<RequestEnd>,
    ) -> ResponseFuture {
        if let Client::OfConnection { pending, .. } = &self.client {
            if let Some(answer) = self.app.enter(&mut request) {
                return response::ready(answer);
            }
            // The application must not take the connection over: it would leave the limits.
            let upgrade = request.extensions_mut().remove::<OnUpgrade>();
            if let (Some(upgrade), Some(answer)) = (upgrade, self.app.open_socket(&request)) {
                if let Some(inherited) = answer.inherited {
                    pending.set(OpenedTunnel { upgrade, client, inherited });
                }
                return response::ready(answer.response);
            }
        }
        // The application is always ready, and waiting for that would make the future of every call larger.
        AppService::clone(&self.app).call(self.drain.wrap(request, end))
    }
}

impl Service<Request<Incoming>> for ConnectionService {
    type Response = Response<SentBody>;
    type Error = Infallible;
    type Future = CallFuture;

    fn call(&self, mut request: Request<Incoming>) -> CallFuture {
        self.activity.end_head();
        self.observe(request.version());
        let client = self.prepare(&mut request);
        request.extensions_mut().extend(self.extensions.clone());
        request.extensions_mut().insert(client);
        let open = self.peer.open_call(&mut request);
        let progress = self.activity.calls.begin(Arc::clone(open.account()));
        let leaving = self.leaving.clone().zip(end_of(&request));
        let end = leaving.as_ref().map(|(_, end)| end.clone());
        let response = self.respond(request, client, end);
        let in_socket = matches!(self.client, Client::OfSocket { .. });
        CallFuture { response, call: Some((open, progress)), leaving, in_socket }
    }
}

/// A call until the head of its response.
pub(super) struct CallFuture {
    response: ResponseFuture,
    /// `None` when the response is there.
    call: Option<(OpenCall, Arc<CallProgress>)>,
    leaving: Option<(LeavingBody, RequestEnd)>,
    in_socket: bool,
}

impl Future for CallFuture {
    type Output = Result<Response<SentBody>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut response = ready!(self.response.as_mut().poll(cx))?;
        let Some((open, progress)) = self.call.take() else { return Poll::Pending };
        if self.in_socket {
            remove_cookies(response.headers_mut());
        }
        let termination = response.extensions_mut().remove();
        let response = response.map(|body| ResponseBody::new(body, open, progress, termination));
        Poll::Ready(Ok(SentBody::in_response(response, self.leaving.take())))
    }
}
