//! The same Greeter on both servers, and a client close to the wire.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt as _, Stream, StreamExt as _, stream};
use h2::client::SendRequest;
use http::{HeaderName, HeaderValue, StatusCode};
use proto::helloworld::server::greeter_server::{Greeter, GreeterServer};
use proto::helloworld::{HelloReply, HelloRequest};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::interval;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_util::io::{CopyToBytes, SinkWriter, StreamReader};
use tonic::service::Routes;
use tonic::{Request, Response, Status, Streaming};

type Replies = Pin<Box<dyn Stream<Item = Result<HelloReply, Status>> + Send>>;

/// Time between two replies of a stream.
pub const BETWEEN: Duration = Duration::from_millis(10);

/// The project that the server is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `tonic-serve`
    Ours,
    /// `grpc-webnext`, with the service in the same process
    Theirs,
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    pub addr: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<io::Result<()>>,
}

impl Server {
    /// Starts a server on a free port.
    pub async fn start(kind: Kind) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let addr = listener.local_addr().expect("an address");
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async move {
            stopped.await.ok();
        };
        let routes = Routes::new(GreeterServer::new(Service));
        let task = match kind {
            Kind::Ours => tokio::spawn(tonic_serve::serve(
                listener,
                tonic_serve::App::new(routes),
                tonic_serve::ServeOptions::default(),
                shutdown,
            )),
            Kind::Theirs => tokio::spawn(grpc_webnext::serve_in_process_with_shutdown(
                listener,
                routes,
                grpc_webnext::ServerConfig::default(),
                shutdown,
            )),
        };
        Self { addr, stop: Some(stop), task }
    }

    /// The address of its sockets.
    pub fn uri(&self) -> http::Uri {
        format!("http://{}", self.addr).parse().expect("an address is a URI")
    }

    /// Asks it to stop.
    pub fn begin_stop(&mut self) {
        drop(self.stop.take());
    }

    /// Waits until it has stopped.
    pub async fn stopped(mut self) {
        self.begin_stop();
        self.task.await.expect("no panic").expect("no error of the listener");
    }
}

struct Service;

fn hello(name: &str) -> HelloReply {
    HelloReply { message: format!("Hello, {name}!") }
}

#[tonic::async_trait]
impl Greeter for Service {
    type SayHelloStreamReplyStream = Replies;
    type SayHelloBidiStreamStream = Replies;

    /// Greets; `cookie` tells the cookie of the request, and `nobody` fails.
    async fn say_hello(&self, request: Request<HelloRequest>) -> Result<Response<HelloReply>, Status> {
        match request.get_ref().name.as_str() {
            "nobody" => {
                let mut status = Status::not_found("there is nobody");
                status
                    .metadata_mut()
                    .insert_bin("x-detail-bin", tonic::metadata::MetadataValue::from_bytes(&[0, 255]));
                Err(status)
            }
            "cookie" => {
                let cookie = request.metadata().get("cookie").and_then(|cookie| cookie.to_str().ok());
                Ok(Response::new(HelloReply { message: cookie.unwrap_or("none").to_owned() }))
            }
            name => Ok(Response::new(hello(name))),
        }
    }

    /// Endless replies: of the size of the name at once, where that is a number, otherwise one after each [`BETWEEN`].
    async fn say_hello_stream_reply(
        &self,
        request: Request<HelloRequest>,
    ) -> Result<Response<Replies>, Status> {
        let name = request.into_inner().name;
        if let Ok(size) = name.parse() {
            let reply = HelloReply { message: "x".repeat(size) };
            return Ok(Response::new(stream::repeat(reply).map(Ok).boxed()));
        }
        let mut ticks = interval(BETWEEN);
        let replies = stream::poll_fn(move |cx| ticks.poll_tick(cx).map(Some)).map(move |_| Ok(hello(&name)));
        Ok(Response::new(replies.boxed()))
    }

    async fn say_hello_bidi_stream(
        &self,
        request: Request<Streaming<HelloRequest>>,
    ) -> Result<Response<Replies>, Status> {
        Ok(Response::new(
            request.into_inner().map(|request| request.map(|request| hello(&request.name))).boxed(),
        ))
    }

    async fn say_hello_client_stream(
        &self,
        request: Request<Streaming<HelloRequest>>,
    ) -> Result<Response<HelloReply>, Status> {
        let mut requests = request.into_inner();
        let mut names = Vec::new();
        while let Some(request) = requests.message().await? {
            names.push(request.name);
        }
        Ok(Response::new(hello(&names.join(", "))))
    }
}

/// Opens a WebSocket with these headers in its handshake; otherwise the status that refuses it.
pub async fn open(
    addr: SocketAddr,
    headers: &[(&'static str, &str)],
) -> Result<WebSocketStream<TcpStream>, StatusCode> {
    let mut request = format!("ws://{addr}/").into_client_request().expect("an address");
    request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("h2ts"));
    for (name, value) in headers {
        let value = HeaderValue::from_str(value).expect("a header's value");
        request.headers_mut().insert(HeaderName::from_static(name), value);
    }
    let stream = TcpStream::connect(addr).await.expect("a server");
    match tokio_tungstenite::client_async(request, stream).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(response)) => Err(response.status()),
        Err(error) => panic!("the handshake fails: {error}"),
    }
}

/// HTTP/2 in a WebSocket, driven by a task.
pub async fn http2(socket: WebSocketStream<TcpStream>) -> SendRequest<Bytes> {
    let (requests, connection) = h2::client::handshake(as_bytes(socket)).await.expect("HTTP/2 begins");
    // It ends with the server.
    tokio::spawn(async move { connection.await.ok() });
    requests
}

fn as_bytes(socket: WebSocketStream<TcpStream>) -> impl AsyncRead + AsyncWrite + Unpin + Send + 'static {
    let (sink, stream) = socket.split();
    let payloads = stream.filter_map(|message| {
        std::future::ready(match message {
            Ok(Message::Binary(payload)) => Some(Ok(payload)),
            Ok(_) => None,
            Err(error) => Some(Err(io::Error::other(error))),
        })
    });
    let message = |payload: Bytes| std::future::ready(Ok::<_, io::Error>(Message::Binary(payload)));
    let sink = sink.sink_map_err(io::Error::other).with(message);
    tokio::io::join(StreamReader::new(payloads), SinkWriter::new(CopyToBytes::new(sink)))
}
