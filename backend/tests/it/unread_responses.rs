//! Clients that do not read their responses.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use h2::client::{Builder, SendRequest};
use h2::{Reason, RecvStream};
use http::Request;
use prost::Message;
use proto::chat::v1::{self as pb, subscribe_response::Frame};
use proto::helloworld::HelloRequest;
use rustix::process::Signal;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout};
use tonic::Code;

use crate::chat_client::Person;
use crate::support::{ChildServer, PATIENCE, TestServer};

/// Streams of the Greeter without pauses.
const GREETINGS: &str = "/helloworld.Greeter/SayHelloStreamReply";

/// Maximum memory of such a stream, bytes. A release build takes 6 KiB; futures of a debug build are larger.
const MOST_PER_STREAM: usize = 10 * 1024;

/// An HTTP/2 client without a window: it takes no byte of a response.
struct Deaf(SendRequest<Bytes>);

impl Deaf {
    async fn open(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).await.unwrap();
        let (requests, connection) = Builder::new().initial_window_size(0).handshake(stream).await.unwrap();
        tokio::spawn(connection);
        Self(requests)
    }

    /// Opens `number` streams of greetings at once.
    async fn calls(&self, number: usize) -> Vec<RecvStream> {
        let ada = HelloRequest { name: "Ada".to_owned() };
        join_all((0..number).map(|_| self.call(GREETINGS, "", &ada))).await
    }

    /// Calls and waits for the head of the response. Dropping the stream cancels the call.
    async fn call(&self, path: &str, token: &str, message: &impl Message) -> RecvStream {
        let mut requests = self.0.clone().ready().await.unwrap();
        let head = Request::post(format!("http://localhost{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("authorization", format!("Bearer {token}"))
            .header("x-greeter-count", "100000")
            .header("x-greeter-interval-ms", "0");
        let (response, mut sending) = requests.send_request(head.body(()).unwrap(), false).unwrap();
        let message = message.encode_to_vec();
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        sending.send_data([&[0], &length[..], &message].concat().into(), true).unwrap();
        let response = timeout(PATIENCE, response).await.expect("no answer in time").unwrap();
        assert!(!response.headers().contains_key("grpc-status"), "refused: {response:?}");
        response.into_body()
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn unread_stream_takes_little_memory() {
    let server = ChildServer::start().await;
    let streams = 250;
    let mut clients = Vec::new();
    let mut held = Vec::new();
    let mut resident = Vec::new();
    // The first connection's own memory is not counted.
    for _ in 0..4 {
        let client = Deaf::open(server.addr).await;
        held.extend(client.calls(streams).await);
        clients.push(client);
        resident.push(server.memory());
    }

    let per_stream = (resident[3] - resident[0]) / (3 * streams);

    assert!(per_stream < MOST_PER_STREAM, "{per_stream} bytes for each stream");
}

/// A client with the largest windows that does not read its socket.
#[cfg(target_os = "linux")]
async fn open_and_read_nothing(addr: SocketAddr, streams: usize) -> impl Sized {
    const WINDOW: u32 = i32::MAX.cast_unsigned();
    let socket = TcpSocket::new_v4().unwrap();
    // The kernel's buffer takes data for the client: keep it small.
    socket.set_recv_buffer_size(16 * 1024).unwrap();
    let stream = socket.connect(addr).await.unwrap();
    let mut builder = Builder::new();
    builder.initial_window_size(WINDOW).initial_connection_window_size(WINDOW);
    let (requests, mut connection) = builder.handshake(stream).await.unwrap();
    let client = Deaf(requests);
    let held = tokio::select! {
        held = client.calls(streams) => held,
        ended = &mut connection => panic!("the connection ended: {ended:?}"),
    };
    (connection, client, held)
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn stream_on_an_unread_socket_takes_little_memory() {
    let server = ChildServer::start().await;
    let streams = 250;
    let mut clients = Vec::new();
    let mut resident = Vec::new();
    for _ in 0..4 {
        clients.push(open_and_read_nothing(server.addr, streams).await);
        resident.push(settled_bytes(&server).await);
    }

    let per_stream = (resident[3] - resident[0]) / (3 * streams);

    // One frame more than without a window.
    assert!(per_stream < 3 * MOST_PER_STREAM / 2, "{per_stream} bytes for each stream");
}

/// Resident memory when it has stopped growing.
#[cfg(target_os = "linux")]
async fn settled_bytes(server: &ChildServer) -> usize {
    let mut before = 0;
    loop {
        let now = server.memory();
        if now <= before {
            return now;
        }
        before = now;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn memory_of_unread_streams_is_returned() {
    // The default decay time is ten seconds; use less in this test.
    let server = ChildServer::start_with_env(&[
        ("_RJEM_MALLOC_CONF", "dirty_decay_ms:100"),
        ("CHINWAG_MAX_CALLS", "100000"),
        ("CHINWAG_MAX_CALLS_PER_ADDRESS", "100000"),
    ])
    .await;
    let before = server.memory();
    let mut clients = Vec::new();
    let mut held = Vec::new();
    while server.memory() < 2 * before {
        let client = Deaf::open(server.addr).await;
        held.extend(client.calls(250).await);
        clients.push(client);
    }
    drop((held, clients));

    let deadline = Instant::now() + PATIENCE;
    while 2 * server.memory() > 3 * before {
        let now = server.memory();
        assert!(Instant::now() < deadline, "{before} bytes before, {now} bytes after");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn stalled_streams_free_their_users_places() {
    let server =
        TestServer::start_with(|config| config.limits.stall_timeout = Duration::from_millis(400)).await;
    let ada = Person::join(server.channel(), "Ada").await;
    let client = Deaf::open(server.addr).await;
    let subscribe = pb::SubscribeRequest::default();
    let mut streams = Vec::new();
    for _ in 0..16 {
        streams.push(client.call("/chat.v1.ChatService/Subscribe", &ada.token, &subscribe).await);
    }
    let refused = ada.clone().client.subscribe(subscribe.clone()).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused:?}");

    for stream in &mut streams {
        let end = timeout(PATIENCE, stream.data()).await.expect("the stream goes on").unwrap();
        assert_eq!(end.unwrap_err().reason(), Some(Reason::CANCEL));
    }

    let mut stream = ada.clone().client.subscribe(subscribe).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_some());
    drop((client, stream));
    server.shutdown().await;
}

#[tokio::test]
async fn shutdown_with_hostile_clients_is_short_and_says_goodbye_to_others() {
    let mut server = ChildServer::start().await;
    let ada = Person::join(server.channel(), "Ada").await;
    let mut reader =
        ada.clone().client.subscribe(pb::SubscribeRequest::default()).await.unwrap().into_inner();
    let halves = join_all((0..50).map(|_| half_a_head(&server))).await;
    let deaf = Deaf::open(server.addr).await;
    let streams = deaf.calls(50).await;

    let begin = Instant::now();
    server.send(Signal::TERM);
    let mut last = None;
    while let Some(frame) = timeout(PATIENCE, reader.message()).await.expect("no end in time").unwrap() {
        last = frame.frame;
    }
    let status = server.exit_status().await;
    let took = begin.elapsed();

    assert!(status.success(), "{status}");
    let Some(Frame::Goodbye(goodbye)) = last else { panic!("no goodbye, but {last:?}") };
    assert_eq!(goodbye.reason(), pb::GoodbyeReason::Shutdown);
    // Three seconds, and some time for a busy machine.
    assert!(took < Duration::from_secs(4), "it took {took:?}");
    drop((halves, deaf, streams));
}

async fn half_a_head(server: &ChildServer) -> TcpStream {
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: test\r\n").await.unwrap();
    stream
}
