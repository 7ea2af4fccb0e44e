//! The callers of a proxy: gRPC over HTTP/2 by tonic, gRPC-Web over HTTP/1.1 by tonic-web's client.

use std::fmt;
use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use http::{Request, Response, Uri};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use proto::helloworld::greeter_client::GreeterClient;
use proto::helloworld::{HelloReply, HelloRequest};
use tonic::body::Body;
use tonic::{Status, Streaming};
use tonic_web::GrpcWebClientService;
use tower::ServiceExt as _;
use tower::util::BoxCloneSyncService;

use crate::people::connect;

/// Connections of all callers over HTTP/2.
const CONNECTIONS: usize = 8;

/// The protocol of the calls.
#[derive(Clone, Copy, Debug)]
pub(super) enum Protocol {
    /// gRPC-Web over HTTP/1.1: a connection for each open call.
    Web,
    /// gRPC over HTTP/2.
    Native,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Web => "gRPC-Web, HTTP/1.1",
            Self::Native => "gRPC, HTTP/2",
        })
    }
}

type Wire = BoxCloneSyncService<Request<Body>, Response<Body>, Status>;

/// A client with one call at a time.
pub(super) struct Caller(GreeterClient<Wire>);

impl Protocol {
    /// `count` callers of the server at `addr`.
    pub(super) async fn callers(self, addr: SocketAddr, count: usize) -> Result<Vec<Caller>> {
        let url = format!("http://{addr}");
        let origin: Uri = url.parse()?;
        let wires: Vec<Wire> = match self {
            Self::Web => vec![web()],
            Self::Native => {
                let channels = connect(&url, CONNECTIONS).await?;
                let wire = |error: tonic::transport::Error| Status::from_error(error.into());
                channels.into_iter().map(|channel| BoxCloneSyncService::new(channel.map_err(wire))).collect()
            }
        };
        let caller = |index: usize| {
            Caller(GreeterClient::with_origin(wires[index % wires.len()].clone(), origin.clone()))
        };
        Ok((0..count).map(caller).collect())
    }
}

fn web() -> Wire {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let http = HttpClient::builder(TokioExecutor::new()).build(connector);
    let wire = GrpcWebClientService::new(http)
        .map_response(|response| response.map(Body::new))
        .map_err(|error| Status::from_error(error.into()));
    BoxCloneSyncService::new(wire)
}

fn request() -> HelloRequest {
    HelloRequest { name: "World".to_owned() }
}

impl Caller {
    /// Makes one unary call.
    pub(super) async fn call(&mut self) -> Result<()> {
        let reply = self.0.say_hello(request()).await?;
        anyhow::ensure!(reply.get_ref().message == "Hello, World!", "another reply came");
        Ok(())
    }

    /// Opens a stream and waits for its first message.
    pub(super) async fn open(&mut self) -> Result<Streaming<HelloReply>> {
        let mut stream = self.0.say_hello_stream_reply(request()).await?.into_inner();
        stream.message().await?.context("the stream has ended")?;
        Ok(stream)
    }
}
