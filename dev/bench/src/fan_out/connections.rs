//! Subscribers with a connection each, over HTTP/1.1 or WebSocket.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::ready;

use anyhow::{Context as _, Result, bail};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::received::Received;
use crate::tls;

/// Connections that are opened at the same time.
const OPENING: usize = 64;
/// Longest head of a response, bytes.
const MAX_HEAD: usize = 4096;

/// The bytes with which a subscriber begins.
#[derive(Clone, Debug, Default)]
pub(super) struct Request {
    /// Up to the response's head.
    pub(super) first: Vec<u8>,
    /// Behind the response's head.
    pub(super) then: Vec<u8>,
}

/// Open subscribers. Dropping them closes their connections.
pub(super) struct Subscribers {
    pub(super) tasks: JoinSet<()>,
    pub(super) closed: Arc<AtomicUsize>,
}

impl Subscribers {
    pub(super) fn new() -> Self {
        Self { tasks: JoinSet::new(), closed: Arc::default() }
    }

    /// Whether the server has closed none.
    pub(super) fn are_open(&self) -> bool {
        self.closed.load(Ordering::Relaxed) == 0
    }
}

/// Opens `count` subscribers, each from an address of its own.
pub(super) async fn open(
    server: SocketAddr,
    count: usize,
    connector: Option<&TlsConnector>,
    request: impl Fn(usize) -> Request,
    received: &Arc<Received>,
) -> Result<Subscribers> {
    let mut opening = stream::iter(0..count)
        .map(|index| connect_one(server, index, connector, request(index), Arc::clone(received)))
        .buffer_unordered(OPENING);
    let mut subscribers = Subscribers::new();
    while let Some(reading) = opening.try_next().await? {
        let closed = Arc::clone(&subscribers.closed);
        subscribers.tasks.spawn(async move {
            reading.await;
            closed.fetch_add(1, Ordering::Relaxed);
        });
    }
    Ok(subscribers)
}

type Reading = Pin<Box<dyn Future<Output = ()> + Send>>;

async fn connect_one(
    server: SocketAddr,
    index: usize,
    connector: Option<&TlsConnector>,
    request: Request,
    received: Arc<Received>,
) -> Result<Reading> {
    let mut stream = connect(server, index).await?;
    let Some(connector) = connector else {
        begin(&mut stream, &request, &received).await?;
        return Ok(Box::pin(read(stream, received)));
    };
    let mut stream = connector.connect(ServerName::try_from(tls::NAME)?, stream).await?;
    begin(&mut stream, &request, &received).await?;
    Ok(Box::pin(read(stream, received)))
}

/// Connects to `server` from the loopback address of a client.
pub(super) async fn connect(server: SocketAddr, client: usize) -> Result<TcpStream> {
    let [.., high, low] = u32::try_from(client)?.to_be_bytes();
    let socket = TcpSocket::new_v4()?;
    socket.bind((Ipv4Addr::new(127, 1, high, low), 0).into())?;
    let stream = socket.connect(server).await.context("cannot connect")?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Sends the request and checks the head of the response.
async fn begin(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    request: &Request,
    received: &Received,
) -> Result<()> {
    send(stream, &request.first).await?;
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = read_some(stream, |bytes| head.extend_from_slice(bytes)).await?;
        if read == 0 || head.len() > MAX_HEAD {
            bail!("the response is {}", String::from_utf8_lossy(&head));
        }
    }
    let text = String::from_utf8_lossy(&head).to_lowercase();
    if !text.starts_with("http/1.1 200") && !text.starts_with("http/1.1 101") || text.contains("grpc-status:")
    {
        bail!("the response is {text}");
    }
    received.count(&head, &mut Vec::new());
    send(stream, &request.then).await?;
    Ok(())
}

/// TLS may keep what it was given until it is flushed.
async fn send(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}

async fn read(mut stream: impl AsyncRead + Unpin, received: Arc<Received>) {
    let mut rest = Vec::new();
    // A failed connection shows as a closed one.
    while read_some(&mut stream, |bytes| received.count(bytes, &mut rest)).await.is_ok_and(|read| read > 0) {}
}

/// Passes the bytes that have come to `take`. Their buffer is not part of the future, of which there are thousands.
async fn read_some(stream: &mut (impl AsyncRead + Unpin), mut take: impl FnMut(&[u8])) -> io::Result<usize> {
    poll_fn(|cx| {
        let mut bytes = [MaybeUninit::uninit(); 4096];
        let mut buffer = ReadBuf::uninit(&mut bytes);
        ready!(Pin::new(&mut *stream).poll_read(cx, &mut buffer))?;
        take(buffer.filled());
        std::task::Poll::Ready(Ok(buffer.filled().len()))
    })
    .await
}
