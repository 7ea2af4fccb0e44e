//! A Greeter with all four kinds of calls.

use std::net::SocketAddr;
use std::pin::Pin;

use futures_util::{Stream, StreamExt as _, stream};
use proto::helloworld::server::greeter_server::{Greeter, GreeterServer};
use proto::helloworld::{HelloReply, HelloRequest};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, Streaming};

type Replies = Pin<Box<dyn Stream<Item = Result<HelloReply, Status>> + Send>>;

struct Service;

/// Starts the Greeter on HTTP/2 in cleartext.
pub(crate) async fn start() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(
        tonic::transport::Server::builder()
            .add_service(GreeterServer::new(Service))
            .serve_with_incoming(TcpListenerStream::new(listener)),
    );
    addr
}

pub(crate) fn named(name: impl Into<String>) -> HelloRequest {
    HelloRequest { name: name.into() }
}

fn hello(name: &str) -> HelloReply {
    HelloReply { message: format!("Hello, {name}!") }
}

#[tonic::async_trait]
impl Greeter for Service {
    type SayHelloStreamReplyStream = Replies;
    type SayHelloBidiStreamStream = Replies;

    async fn say_hello(&self, request: Request<HelloRequest>) -> Result<Response<HelloReply>, Status> {
        match request.get_ref().name.as_str() {
            "nobody" => Err(Status::not_found("there is nobody")),
            "hang" => std::future::pending().await,
            name => Ok(Response::new(hello(name))),
        }
    }

    /// Endless replies of the size of the name, which is a number of bytes.
    async fn say_hello_stream_reply(
        &self,
        request: Request<HelloRequest>,
    ) -> Result<Response<Replies>, Status> {
        let bytes = request.get_ref().name.parse().map_err(|_| Status::invalid_argument("no number"))?;
        let reply = HelloReply { message: "x".repeat(bytes) };
        Ok(Response::new(Box::pin(stream::repeat(reply).map(Ok))))
    }

    async fn say_hello_bidi_stream(
        &self,
        request: Request<Streaming<HelloRequest>>,
    ) -> Result<Response<Replies>, Status> {
        let replies = request.into_inner().map(|request| request.map(|request| hello(&request.name)));
        Ok(Response::new(Box::pin(replies)))
    }

    /// Reads nothing and never answers when the metadata has `x-unread`.
    async fn say_hello_client_stream(
        &self,
        request: Request<Streaming<HelloRequest>>,
    ) -> Result<Response<HelloReply>, Status> {
        if request.metadata().contains_key("x-unread") {
            let _unread = request.into_inner();
            std::future::pending::<()>().await;
            unreachable!();
        }
        let mut requests = request.into_inner();
        let mut names = Vec::new();
        while let Some(request) = requests.message().await? {
            names.push(request.name);
        }
        Ok(Response::new(hello(&names.join(", "))))
    }
}
