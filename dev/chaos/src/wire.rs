//! The two protocols of calls: gRPC over HTTP/2 by tonic-web-channel, and gRPC-Web over HTTP/1.1 by tonic-web's client.

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

/// Time limit of connecting.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The transport of a client. Clones share its connections.
type Wire = BoxCloneSyncService<Request<Body>, Response<Body>, Status>;

/// The generated client on either transport.
pub(crate) type Client = ChatServiceClient<Wire>;

/// A gRPC client over one HTTP/2 connection, which it makes for the first call and again after a failure.
pub(crate) fn native(addr: SocketAddr) -> Result<Client> {
    let uri = format!("http://{addr}");
    let endpoint = Endpoint::from_shared(uri.clone())?.tcp_nodelay(true).connect_timeout(CONNECT_TIMEOUT);
    let transport = Native::new(uri.clone(), endpoint.connect_lazy());
    let channel = tonic_web_channel::Channel::builder(uri).transport(transport).build()?;
    let wire = channel.map_response(|response| response.map(Body::new));
    Ok(ChatServiceClient::new(BoxCloneSyncService::new(wire)))
}

/// A gRPC-Web client over HTTP/1.1, with a connection for each open call.
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
