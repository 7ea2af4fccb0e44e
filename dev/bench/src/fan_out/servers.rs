//! The servers that are measured: each started for a round, with a way to publish.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use clap::ValueEnum;
use harness::{Process, Server, procfs};
use http::Request as HttpRequest;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use prost::Message as _;
use proto::chat::v1::SubscribeRequest;
use proto::chat::v1::chat_service_client::ChatServiceClient;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};

use super::connections::{Request, Subscribers, open};
use super::received::Received;
use super::{Protocol, http2, socket, write_server};
use crate::people::{Guest, join};
use crate::process::own_server;
use crate::tls;

/// A server to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    /// The application's server
    Ours,
    /// The application's server by socket
    OursBySocket,
    /// Centrifuge, which streams a response as ours does
    CentrifugeStream,
    /// Centrifuge by WebSocket
    CentrifugeWebSocket,
    /// Bare writes
    Writes,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ours => "Chinwag",
            Self::OursBySocket => "Chinwag, socket",
            Self::CentrifugeStream => "Centrifuge, HTTP streaming",
            Self::CentrifugeWebSocket => "Centrifuge, WebSocket",
            Self::Writes => "bare `write(2)`",
        })
    }
}

impl Kind {
    pub(super) fn is_peer(self) -> bool {
        matches!(self, Self::CentrifugeStream | Self::CentrifugeWebSocket)
    }
}

/// The program of `dev/bench/centrifuge`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer<'a>(pub(super) &'a Path);

/// A server that runs until it is dropped.
pub(super) struct Measured {
    addr: SocketAddr,
    process: Running,
    publisher: Publisher,
    subscription: Subscription,
    tls: Option<TlsConnector>,
}

enum Running {
    Ours { server: Server, _folder: tempfile::TempDir },
    Other(Process),
}

enum Publisher {
    Chat {
        client: ChatServiceClient<Channel>,
        author: Guest,
    },
    Http(SendRequest<Full<Bytes>>),
    /// Connects for the first message, because subscribers have to come before.
    Lines(Option<TcpStream>),
}

/// The requests of subscribers.
enum Subscription {
    /// The same for all but the guest.
    Guests {
        guests: Vec<Guest>,
        request: fn(&Guest) -> Request,
    },
    /// Over shared connections of HTTP/2.
    Shared(Vec<Guest>),
    Same(Request),
}

impl Measured {
    pub(super) async fn start(
        kind: Kind,
        protocol: Protocol,
        subscribers: usize,
        peer: Option<Peer<'_>>,
    ) -> Result<Self> {
        match kind {
            Kind::Ours => Self::ours(protocol, subscribers, grpc_web).await,
            Kind::OursBySocket => Self::ours(protocol, subscribers, socket::subscribe).await,
            Kind::CentrifugeStream => Self::centrifuge(peer, http_stream()).await,
            Kind::CentrifugeWebSocket => Self::centrifuge(peer, web_socket()).await,
            Kind::Writes => {
                let (process, addr) = own_server(&["write-server"])?;
                let subscription = Subscription::Same(Request { first: get("/"), then: Vec::new() });
                let process = Running::Other(process);
                Ok(Self { addr, process, publisher: Publisher::Lines(None), subscription, tls: None })
            }
        }
    }

    async fn ours(protocol: Protocol, subscribers: usize, request: fn(&Guest) -> Request) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut server = Server::new(folder.path())?.flags(["--log=warn"]);
        server.add_flags([
            format!("--max-connections={}", subscribers + 100),
            format!("--max-calls={}", 2 * subscribers + 100),
        ]);
        let tls = (protocol == Protocol::Tls).then(|| tls::identity(folder.path())).transpose()?;
        if let Some(identity) = &tls {
            server.add_flags(identity.flags());
        }
        let addr = server.start()?;
        let channel = match &tls {
            Some(identity) => identity.channel(addr).await?,
            None => Endpoint::from_shared(server.url())?.tcp_nodelay(true).connect().await?,
        };
        let guests = join(&channel, subscribers).await?;
        let author = guests.first().context("there are no subscribers")?.clone();
        let subscription = match protocol {
            Protocol::Http2 => Subscription::Shared(guests),
            Protocol::Http1 | Protocol::Tls => Subscription::Guests { guests, request },
        };
        Ok(Self {
            addr,
            process: Running::Ours { server, _folder: folder },
            publisher: Publisher::Chat { client: ChatServiceClient::new(channel), author },
            subscription,
            tls: tls.map(|identity| identity.connector()),
        })
    }

    async fn centrifuge(peer: Option<Peer<'_>>, request: Request) -> Result<Self> {
        let Peer(program) = peer.context("there is no program of the peer: --centrifuge")?;
        let (process, addr) = Process::start_listening(&mut Command::new(program))?;
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        let (publisher, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self {
            addr,
            process: Running::Other(process),
            publisher: Publisher::Http(publisher),
            subscription: Subscription::Same(request),
            tls: None,
        })
    }

    /// Opens subscribers.
    pub(super) async fn subscribe(&self, count: usize, received: &Arc<Received>) -> Result<Subscribers> {
        let tls = self.tls.as_ref();
        match &self.subscription {
            Subscription::Shared(guests) => http2::open(self.addr, guests, received).await,
            Subscription::Guests { guests, request } => {
                open(self.addr, count, tls, |index| request(&guests[index]), received).await
            }
            Subscription::Same(request) => open(self.addr, count, tls, |_| request.clone(), received).await,
        }
    }

    /// Sends a message to all subscribers. It may return before they have it.
    pub(super) async fn publish(&mut self, text: &str) -> Result<()> {
        match &mut self.publisher {
            Publisher::Chat { client, author } => {
                client.send_message(author.message(text)).await?;
            }
            Publisher::Http(publisher) => {
                let request = HttpRequest::post("/publish").header("host", "localhost");
                let message = format!(r#"{{"text":"{text}"}}"#);
                // The end of the last response may not have reached the connection yet.
                publisher.ready().await?;
                let answer = publisher.send_request(request.body(Full::from(message))?).await?;
                ensure!(answer.status().is_success(), "HTTP {}", answer.status());
                answer.into_body().collect().await?;
            }
            Publisher::Lines(publisher) => {
                let stream = match publisher {
                    Some(stream) => stream,
                    None => publisher.insert(publishing(self.addr).await?),
                };
                stream.write_all(format!("{text}\n").as_bytes()).await?;
            }
        }
        Ok(())
    }

    pub(super) fn resident_bytes(&self) -> Result<u64> {
        procfs::resident_bytes(self.id()?)
    }

    pub(super) fn cpu_time(&self) -> Result<Duration> {
        procfs::cpu_time(self.id()?)
    }

    fn id(&self) -> Result<u32> {
        match &self.process {
            Running::Ours { server, .. } => server.id(),
            Running::Other(process) => Ok(process.id()),
        }
    }
}

/// A connection that publishes to bare writes.
async fn publishing(addr: SocketAddr) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(addr).await?;
    stream.set_nodelay(true)?;
    stream.write_all(write_server::PUBLISH.as_bytes()).await?;
    stream.read_exact(&mut [0; write_server::HEAD.len()]).await?;
    Ok(stream)
}

/// A call of `Subscribe` by gRPC-Web, with a session as a page has it.
fn grpc_web(guest: &Guest) -> Request {
    let subscribe = SubscribeRequest::default().encode_to_vec();
    let body = grpc_wire::message::encode(0, &subscribe);
    let head = format!(
        "POST /chat.v1.ChatService/Subscribe HTTP/1.1\r\nhost: localhost\r\n\
         content-type: application/grpc-web+proto\r\nx-grpc-web: 1\r\nauthorization: {}\r\n\
         content-length: {}\r\n\r\n",
        guest.authorization(),
        body.len()
    );
    Request { first: [head.as_bytes(), &body].concat(), then: Vec::new() }
}

const CONNECT: &str = r#"{"id":1,"connect":{}}"#;

fn http_stream() -> Request {
    let head =
        format!("POST /http_stream HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n", CONNECT.len());
    Request { first: [head, CONNECT.to_owned()].concat().into_bytes(), then: Vec::new() }
}

fn web_socket() -> Request {
    Request {
        first: socket::handshake("/websocket", "").into_bytes(),
        then: socket::message(socket::TEXT, CONNECT.as_bytes()),
    }
}

fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").into_bytes()
}
