//! The service of a connection: it counts calls, tells them their client, and passes them to the application.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use http::{Extensions, Request, Response, Version};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use tonic::body::Body;
use tower::Service as _;

use super::activity::Activity;
use super::response_body::ResponseBody;
use super::tunnel::{OpenedTunnel, PendingTunnel};
use crate::app::{AppService, InheritedHeaders, remove_cookies};
use crate::budget::Peer;
use crate::client_address::ClientAddress;
use crate::listen::request_body::BodyDrain;
use crate::observer::{OpenConnection, Protocol, SharedObserver};
use crate::proxy::TrustedProxies;
use crate::response::{ResponseFuture, ready};

/// The service of one connection.
pub(super) struct ConnectionService {
    pub(super) app: AppService,
    pub(super) drain: BodyDrain,
    pub(super) client: Client,
    /// Extensions that every request gets.
    pub(super) extensions: Extensions,
    pub(super) activity: Arc<Activity>,
    pub(super) peer: Arc<Peer>,
    /// Is told of the connection at its first request.
    pub(super) observer: Option<SharedObserver>,
    pub(super) observed: OnceLock<OpenConnection>,
}

/// The source of requests.
pub(super) enum Client {
    /// A connection from `address`, whose requests may name another client and open a socket.
    OfConnection { address: IpAddr, proxies: TrustedProxies, pending: PendingTunnel },
    /// A socket, whose handshake named the client.
    OfSocket { address: ClientAddress, inherited: InheritedHeaders },
}

impl ConnectionService {
    pub(super) fn call(
        &self,
        mut request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<ResponseBody<Body>>, Infallible>> + use<> {
        self.activity.end_head();
        self.observe(request.version());
        let client = self.prepare(&mut request);
        request.extensions_mut().extend(self.extensions.clone());
        request.extensions_mut().insert(client);
        let open = self.peer.open_call(&mut request);
        let progress = self.activity.calls.begin(Arc::clone(open.account()));
        let response = self.respond(request, client);
        let in_socket = matches!(self.client, Client::OfSocket { .. });
        async move {
            let mut response = response.await?;
            if in_socket {
                remove_cookies(response.headers_mut());
            }
            let termination = response.extensions_mut().remove();
            Ok(response.map(|body| ResponseBody::new(body, open, progress, termination)))
        }
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

    fn respond(&self, mut request: Request<Incoming>, client: ClientAddress) -> ResponseFuture {
        if let Client::OfConnection { pending, .. } = &self.client {
            if let Some(answer) = self.app.enter(&mut request) {
                return ready(answer);
            }
            // The application must not take the connection over: it would leave the limits.
            let upgrade = request.extensions_mut().remove::<OnUpgrade>();
            if let (Some(upgrade), Some(answer)) = (upgrade, self.app.open_socket(&request)) {
                if let Some(inherited) = answer.inherited {
                    pending.set(OpenedTunnel { upgrade, client, inherited });
                }
                return ready(answer.response);
            }
        }
        // The application is always ready, and waiting for that would make the future of every call larger.
        self.app.clone().call(self.drain.wrap(request))
    }
}
