//! One room with many subscribers, against a bare HTTP/2 server that writes the same bytes to as many
//! streams.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use futures_util::future::try_join_all;
use futures_util::{StreamExt as _, stream};
use harness::procfs::{cpu_time, resident_bytes};
use http::{Method, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use prost::Message as _;
use proto::chat::v1::SubscribeRequest;
use proto::chat::v1::chat_service_client::ChatServiceClient;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, broadcast};
use tokio::time::{Instant, interval};
use tokio_stream::wrappers::BroadcastStream;

use crate::ROUNDS;
use crate::people::{Guest, connect, join};
use crate::process::{backend, own_server};
use crate::report::{Samples, Table};

const SUBSCRIBERS: usize = 1_000;
const CONNECTIONS: usize = 10;
/// Streams of one guest; the server allows sixteen.
const STREAMS_PER_GUEST: usize = 10;
/// Messages of one round and their pace. All of them to everybody: 100,000 deliveries a second would
/// saturate the machine and hide the cost behind batching, 50,000 does not.
const MESSAGES: u32 = 250;
const PER_SECOND: u32 = 50;
const TEXT: &str = "A line that somebody wrote, not too short and not too long for a chat.";

pub(crate) async fn run(table: &mut Table) -> Result<()> {
    let (mut ours, mut bare, mut memory, mut bare_memory) = (vec![], vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        let (round, message_bytes) = our_round().await?;
        ours.push(round.cpu_per_delivery_us);
        memory.push(round.bytes_per_idle_subscriber / 1024.0);
        let round = bare_round(message_bytes).await?;
        bare.push(round.cpu_per_delivery_us);
        bare_memory.push(round.bytes_per_idle_subscriber / 1024.0);
    }
    table.row(
        "fan-out to 1,000 subscribers, server CPU per delivered message",
        Samples::ratios(&ours, &bare).show(),
        &format!("x bare hyper ({} against {} µs)", Samples::new(ours).show(), Samples::new(bare).show()),
        "<= 1.5",
    );
    table.row(
        "memory per idle subscriber, KiB",
        Samples::new(memory).show(),
        &format!("bare hyper: {}", Samples::new(bare_memory).show()),
        "-",
    );
    Ok(())
}

struct Round {
    cpu_per_delivery_us: f64,
    bytes_per_idle_subscriber: f64,
}

/// The application's server. Returns also the bytes of a delivered message on the wire.
async fn our_round() -> Result<(Round, usize)> {
    let data = tempfile::tempdir()?;
    let server = backend(data.path())?;
    let channel = connect(&server.url(), 1).await?.remove(0);
    let guests = join(&channel, SUBSCRIBERS / STREAMS_PER_GUEST).await?;
    let before = server.resident_bytes()? as f64;
    let received = Arc::new(Received::default());
    let subscribe = SubscribeRequest { cursors: vec![], replay_limit: 0 };
    let subscribe = grpc_wire::message::encode(0, &subscribe.encode_to_vec());
    let connections = open_streams(server.addr(), received.clone(), |index| {
        let guest: &Guest = &guests[index / STREAMS_PER_GUEST];
        Request::builder()
            .method(Method::POST)
            .uri(format!("{}/chat.v1.ChatService/Subscribe", server.url()))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("authorization", guest.authorization())
            .body(Full::new(subscribe.clone()))
    })
    .await?;
    // Until Hello, the room's state and CaughtUp have reached every subscriber.
    received.quiet().await;
    let after = server.resident_bytes()? as f64;

    let at_start = received.bytes();
    let cpu = server.cpu_time()?;
    let mut writer = ChatServiceClient::new(channel);
    let mut ticks = interval(Duration::from_secs(1) / PER_SECOND);
    let mut message_bytes = 0;
    for number in 0..MESSAGES {
        ticks.tick().await;
        let sent = writer.send_message(guests[0].message(TEXT)).await?.into_inner();
        if number == 0 {
            // With no other traffic, the received bytes are those of this message.
            received.quiet().await;
            message_bytes = ((received.bytes() - at_start) / SUBSCRIBERS as u64) as usize;
            ticks.reset();
        }
        anyhow::ensure!(sent.seq > u64::from(number), "the log is dense");
    }
    received.at_least(at_start + message_bytes as u64 * SUBSCRIBERS as u64 * u64::from(MESSAGES)).await?;
    let used = server.cpu_time()? - cpu;
    drop(connections);
    Ok((round(used, after - before), message_bytes))
}

/// The peer: the same bytes, at the same pace, to as many streams.
async fn bare_round(message_bytes: usize) -> Result<Round> {
    let arguments = [message_bytes.to_string(), PER_SECOND.to_string(), MESSAGES.to_string()];
    let (server, addr) = own_server(&["bare-server", &arguments[0], &arguments[1], &arguments[2]])?;
    let before = resident_bytes(server.id())? as f64;
    let received = Arc::new(Received::default());
    let connections = open_streams(addr, received.clone(), |_| {
        Request::builder().uri(format!("http://{addr}/stream")).body(Full::default())
    })
    .await?;
    received.quiet().await;
    let after = resident_bytes(server.id())? as f64;

    let cpu = cpu_time(server.id())?;
    let mut start = handshake(addr).await?;
    let request = Request::builder().uri(format!("http://{addr}/start")).body(Full::default())?;
    start.send_request(request).await?;
    received.at_least(message_bytes as u64 * SUBSCRIBERS as u64 * u64::from(MESSAGES)).await?;
    let used = cpu_time(server.id())? - cpu;
    drop(connections);
    Ok(round(used, after - before))
}

fn round(used: Duration, memory: f64) -> Round {
    let deliveries = SUBSCRIBERS as f64 * f64::from(MESSAGES);
    Round {
        cpu_per_delivery_us: used.as_secs_f64() * 1_000_000.0 / deliveries,
        bytes_per_idle_subscriber: memory / SUBSCRIBERS as f64,
    }
}

/// Opens a stream for each subscriber and counts the received bytes.
async fn open_streams(
    server: SocketAddr,
    received: Arc<Received>,
    request: impl Fn(usize) -> http::Result<Request<Full<Bytes>>>,
) -> Result<Vec<SendRequest<Full<Bytes>>>> {
    let mut connections = try_join_all((0..CONNECTIONS).map(|_| handshake(server))).await?;
    for index in 0..SUBSCRIBERS {
        let response = connections[index % CONNECTIONS].send_request(request(index)?).await?;
        anyhow::ensure!(response.status().is_success(), "HTTP {}", response.status());
        anyhow::ensure!(!response.headers().contains_key("grpc-status"), "refused: {:?}", response.headers());
        tokio::spawn(count(response.into_body(), received.clone()));
    }
    Ok(connections)
}

async fn handshake(server: SocketAddr) -> Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn count(mut body: Incoming, received: Arc<Received>) {
    while let Some(Ok(frame)) = body.frame().await {
        if let Some(data) = frame.data_ref() {
            received.bytes.fetch_add(data.len() as u64, Ordering::Relaxed);
            received.more.notify_one();
        }
    }
}

/// Bytes that all subscribers together have received.
#[derive(Default)]
struct Received {
    bytes: AtomicU64,
    more: Notify,
}

impl Received {
    fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Waits until half a second has passed without bytes.
    async fn quiet(&self) {
        while tokio::time::timeout(Duration::from_millis(500), self.more.notified()).await.is_ok() {}
    }

    async fn at_least(&self, bytes: u64) -> Result<()> {
        let limit = Instant::now() + Duration::from_secs(60);
        while self.bytes() < bytes {
            tokio::time::timeout_at(limit, self.more.notified())
                .await
                .with_context(|| format!("{} of {bytes} bytes came", self.bytes()))?;
        }
        Ok(())
    }
}

/// The peer: bare HTTP/2 by hyper. `/stream` carries the messages, `/start` begins them.
pub(crate) async fn bare_server(message_bytes: usize, per_second: u32, count: u32) -> Result<()> {
    let (messages, _) = broadcast::channel::<Bytes>(count as usize + 1);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let messages = messages.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let messages = messages.clone();
                async move {
                    Ok::<_, Infallible>(bare_answer(&request, messages, message_bytes, per_second, count))
                }
            });
            // The client reports broken connections.
            let served = auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
            drop(served);
        });
    }
}

type BareBody = http_body_util::combinators::UnsyncBoxBody<Bytes, Infallible>;

fn bare_answer(
    request: &Request<Incoming>,
    messages: broadcast::Sender<Bytes>,
    message_bytes: usize,
    per_second: u32,
    count: u32,
) -> Response<BareBody> {
    if request.uri().path() == "/stream" {
        let frames = BroadcastStream::new(messages.subscribe())
            .filter_map(async |message| message.ok().map(|bytes| Ok(Frame::data(bytes))));
        return Response::new(StreamBody::new(Box::pin(frames)).boxed_unsync());
    }
    tokio::spawn(async move {
        let message = Bytes::from(vec![b'x'; message_bytes]);
        let mut ticks = interval(Duration::from_secs(1) / per_second);
        for _ in 0..count {
            ticks.tick().await;
            // Without subscribers this is an error, and nothing is lost.
            drop(messages.send(message.clone()));
        }
    });
    Response::new(StreamBody::new(stream::empty()).boxed_unsync())
}
