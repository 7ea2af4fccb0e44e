//! The socket transport when its connection is closed at any byte, in either direction, from the handshake on.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use proto::helloworld::greeter_client::GreeterClient;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tonic::{Code, Status};
use tonic_web_channel::retry::RetryPolicy;
use tonic_web_channel::{Channel, Error, Socket};

use crate::support::greeter::{self, named};
use crate::support::tunnel::Tunnel;

/// Time for all calls of a connection before the test fails.
const PATIENCE: Duration = Duration::from_secs(10);

/// The direction whose bytes are counted.
#[derive(Clone, Copy, Debug)]
enum Direction {
    ToServer,
    ToClient,
}

/// Passes one connection on until so many bytes have come in a direction, and closes it then.
struct Cutter {
    addr: SocketAddr,
    /// Bytes that were passed on in that direction.
    passed: Arc<AtomicUsize>,
}

impl Cutter {
    async fn start(target: SocketAddr, direction: Direction, limit: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let passed = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&passed);
        tokio::spawn(async move {
            let (client, _) = listener.accept().await.unwrap();
            let server = TcpStream::connect(target).await.unwrap();
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            let (counted, other) = match direction {
                Direction::ToServer => ((from_client, to_server), (from_server, to_client)),
                Direction::ToClient => ((from_server, to_client), (from_client, to_server)),
            };
            let uncounted = AtomicUsize::new(0);
            // Both directions end with the first.
            tokio::select! {
                () = pass(counted, limit, &count) => {}
                () = pass(other, usize::MAX, &uncounted) => {}
            }
        });
        Self { addr, passed }
    }
}

/// Passes `limit` bytes on at most.
async fn pass((mut from, mut to): (OwnedReadHalf, OwnedWriteHalf), limit: usize, passed: &AtomicUsize) {
    let mut left = limit;
    let mut bytes = [0; 4096];
    while left > 0 {
        let Ok(length @ 1..) = from.read(&mut bytes).await else { return };
        let length = length.min(left);
        if to.write_all(&bytes[..length]).await.is_err() {
            return;
        }
        passed.fetch_add(length, Ordering::SeqCst);
        left -= length;
    }
}

/// Makes calls through a new socket. All messages of the responses.
async fn calls(addr: SocketAddr) -> Result<Vec<String>, Status> {
    let socket = Socket::new(format!("http://{addr}").parse().unwrap());
    let channel = Channel::with_transport(socket).retry(RetryPolicy::never()).build().unwrap();
    let mut client = GreeterClient::new(channel);
    let mut all = vec![client.say_hello(named("Ada")).await?.into_inner().message];
    let names = || stream::iter(["Ada", "Grace"]).map(named);
    all.push(client.say_hello_client_stream(names()).await?.into_inner().message);
    let mut replies = client.say_hello_bidi_stream(names()).await?.into_inner();
    while let Some(reply) = replies.message().await? {
        all.push(reply.message);
    }
    Ok(all)
}

/// Every result of calls whose connection is closed after each number of bytes: whole, or a failure that says so.
async fn closed_at_any_byte(direction: Direction) {
    let tunnel = Tunnel::start(greeter::start().await).await;
    let cutter = Cutter::start(tunnel.addr, direction, usize::MAX).await;
    let expected = calls(cutter.addr).await.unwrap();
    let total = cutter.passed.load(Ordering::SeqCst);
    assert!(total > 500, "{total} bytes");
    let mut lost = 0;
    for limit in 0..total {
        let cutter = Cutter::start(tunnel.addr, direction, limit).await;
        let ended = timeout(PATIENCE, calls(cutter.addr)).await;
        match ended.unwrap_or_else(|_| panic!("{direction:?} {limit}: the calls do not end")) {
            Ok(all) => assert_eq!(all, expected, "{direction:?} {limit}"),
            Err(status) => {
                assert_eq!(status.code(), Code::Unavailable, "{direction:?} {limit}: {status:?}");
                let error = Error::from_status(&status).unwrap_or_else(|| panic!("{limit}: {status:?}"));
                lost += usize::from(matches!(error, Error::ConnectionLost { .. }));
                let is_expected = matches!(
                    error,
                    Error::Connect { .. } | Error::ConnectionLost { .. } | Error::NotProcessed { .. }
                );
                assert!(is_expected, "{direction:?} {limit}: {status:?}");
            }
        }
    }
    assert!(lost > total / 4, "only {lost} of {total} closed an open connection");
}

#[tokio::test]
async fn connection_that_is_closed_at_any_byte_of_the_server_fails_its_calls() {
    closed_at_any_byte(Direction::ToClient).await;
}

#[tokio::test]
async fn connection_that_is_closed_at_any_byte_of_the_client_fails_its_calls() {
    closed_at_any_byte(Direction::ToServer).await;
}
