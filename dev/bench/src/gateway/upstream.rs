//! The server behind all proxies: a Greeter by tonic alone.

use std::net::Ipv4Addr;

use anyhow::Result;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use proto::helloworld::server::greeter_server::{Greeter, GreeterServer};
use proto::helloworld::{HelloReply, HelloRequest};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};

/// Serves on a free port, which it prints, until the process is killed.
pub(crate) async fn serve() -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let server = Server::builder().tcp_nodelay(true).add_service(GreeterServer::new(Upstream));
    Ok(server.serve_with_incoming(TcpListenerStream::new(listener)).await?)
}

struct Upstream;

fn greeting(request: Request<HelloRequest>) -> HelloReply {
    HelloReply { message: format!("Hello, {}!", request.into_inner().name) }
}

#[tonic::async_trait]
impl Greeter for Upstream {
    type SayHelloStreamReplyStream = BoxStream<'static, Result<HelloReply, Status>>;
    type SayHelloBidiStreamStream = BoxStream<'static, Result<HelloReply, Status>>;

    async fn say_hello(&self, request: Request<HelloRequest>) -> Result<Response<HelloReply>, Status> {
        Ok(Response::new(greeting(request)))
    }

    /// One greeting, and then nothing until the call is cancelled.
    async fn say_hello_stream_reply(
        &self,
        request: Request<HelloRequest>,
    ) -> Result<Response<Self::SayHelloStreamReplyStream>, Status> {
        let greeting = greeting(request);
        Ok(Response::new(stream::iter([Ok(greeting)]).chain(stream::pending()).boxed()))
    }

    async fn say_hello_bidi_stream(
        &self,
        _: Request<Streaming<HelloRequest>>,
    ) -> Result<Response<Self::SayHelloBidiStreamStream>, Status> {
        Err(Status::unimplemented("it is not measured"))
    }

    async fn say_hello_client_stream(
        &self,
        _: Request<Streaming<HelloRequest>>,
    ) -> Result<Response<HelloReply>, Status> {
        Err(Status::unimplemented("it is not measured"))
    }
}
