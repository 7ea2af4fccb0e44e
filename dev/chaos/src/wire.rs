//! The two ways of a call: gRPC over HTTP/2 by our own channel, and gRPC-Web over HTTP/1.1 by `tonic-web`'s client.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use http::{Request, Response, Uri};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use proto::chat::v1::chat_service_client::ChatServiceClient;
use tonic::Status;
use tonic::body::Body;
use tonic::transport::Endpoint;
use tonic_web::GrpcWebClientService;
use tonic_web_channel::Native;
use tower::ServiceExt as _;
use tower::util::BoxCloneSyncService;

/// How long making a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Carries calls; a clone uses the same connections.
type Wire = BoxCloneSyncService<Request<Body>, Response<Body>, Status>;

/// The generated client on either wire.
pub(crate) type Client = ChatServiceClient<Wire>;

/// A client that speaks gRPC over one HTTP/2 connection, which it makes when it is needed and again when it broke.
pub(crate) fn native(addr: SocketAddr) -> Result<Client> {
    let uri = format!("http://{addr}");
    let endpoint = Endpoint::from_shared(uri.clone())?.tcp_nodelay(true).connect_timeout(CONNECT_TIMEOUT);
    let transport = Native::new(uri.clone(), endpoint.connect_lazy());
    let channel = tonic_web_channel::Channel::builder(uri).transport(transport).build()?;
    let wire = channel.map_response(|response| response.map(Body::new));
    Ok(ChatServiceClient::new(BoxCloneSyncService::new(wire)))
}

/// A client that speaks gRPC-Web over HTTP/1.1, with as many connections as it has open calls.
pub(crate) fn web(addr: SocketAddr) -> Result<Client> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
    let http = HttpClient::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector);
    let wire = GrpcWebClientService::new(http)
        .map_response(|response| response.map(Body::new))
        .map_err(|error| Status::from_error(error.into()));
    let origin: Uri = format!("http://{addr}").parse()?;
    Ok(ChatServiceClient::with_origin(BoxCloneSyncService::new(wire), origin))
}
