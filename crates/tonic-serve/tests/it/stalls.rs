//! Clients that do not read their responses, and clients that cancel their calls.

use std::sync::atomic::Ordering;
use std::time::Duration;

use h2::{Reason, RecvStream};
use tokio::io::{AsyncWriteExt as _, Interest};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout};

use crate::echo::UNARY;
use crate::raw::{self, Client};
use crate::support::{ENDLESS, LONG, LONG_RESPONSE, PATIENCE, SILENT, Server, eventually};

/// Short enough for a test, long enough for a busy machine.
const SHORT: Duration = Duration::from_millis(400);

/// The reason of the reset of a stream whose window is not updated. `None`: it ended.
async fn end(body: &mut RecvStream) -> Option<Reason> {
    loop {
        match timeout(PATIENCE, body.data()).await.expect("the call goes on") {
            Some(Ok(_data)) => {}
            Some(Err(error)) => return error.reason(),
            None => return None,
        }
    }
}

#[tokio::test]
async fn a_stalled_call_is_reset_and_others_go_on() {
    let server = Server::start(|options| options.stall_timeout = SHORT).await;
    let (grpc, web, text) = ("application/grpc", "application/grpc-web", "application/grpc-web-text");
    // Without a window, and with one for a part of the first frame.
    for window in [0, 3] {
        let mut client = Client::open(&server, window).await;
        let mut silent = client.body(SILENT, grpc).await;
        let mut stalled = Vec::new();
        for content_type in [grpc, web, text] {
            for path in [ENDLESS, LONG] {
                stalled.push((path, content_type, client.body(path, content_type).await));
            }
        }
        for (path, content_type, body) in &mut stalled {
            let reason = end(body).await;
            assert_eq!(reason, Some(Reason::CANCEL), "{path}, {content_type}, a window of {window}");
        }
        eventually("the handlers are dropped", || server.watch.streams.load(Ordering::SeqCst) == 1).await;

        // The stream without anything to send is as old, and the connection accepts calls.
        let mut next = client.body(SILENT, grpc).await;
        assert_eq!(server.watch.streams.load(Ordering::SeqCst), 2);
        for body in [&mut silent, &mut next] {
            assert!(!body.is_end_stream());
        }
        drop((silent, next, client));
        eventually("the client is gone", || server.watch.streams.load(Ordering::SeqCst) == 0).await;
    }
    server.stopped().await;
}

#[tokio::test]
async fn a_short_stalled_response_closes_the_connection() {
    let server = Server::start(|options| options.stall_timeout = SHORT).await;
    let mut client = Client::open(&server, 3).await;
    // HTTP/2 got its end together with its bytes, and cannot reset such a stream.
    let _body = client.body(UNARY, "application/grpc").await;

    timeout(PATIENCE, client.connection).await.expect("the connection stays open").unwrap().ok();
    server.stopped().await;
}

#[tokio::test]
async fn a_short_stalled_response_to_a_proxy_is_reset() {
    let server = Server::start(|options| {
        options.stall_timeout = SHORT;
        options.trusted_proxies = ["127.0.0.1".parse().unwrap()].into_iter().collect();
    })
    .await;
    let mut client = Client::open(&server, 3).await;
    let mut stalled = client.body(UNARY, "application/grpc").await;

    assert_eq!(end(&mut stalled).await, Some(Reason::CANCEL));
    // The connection goes on.
    drop(client.body(SILENT, "application/grpc").await);
    assert!(!client.connection.is_finished());
    drop(client);
    server.stopped().await;
}

/// Makes a call over HTTP/1.1 and does not read its response.
async fn call_without_reading(server: &Server, path: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    // Bytes that the client's kernel buffers count as sent.
    socket.set_recv_buffer_size(16 * 1024).unwrap();
    let mut stream = socket.connect(server.addr).await.unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: test\r\ncontent-type: application/grpc-web\r\ncontent-length: 0\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn a_stalled_call_over_http1_resets_the_connection() {
    let server = Server::start(|options| options.stall_timeout = SHORT).await;

    let stream = call_without_reading(&server, ENDLESS).await;

    // Reset, and not closed behind the bytes in the kernel.
    timeout(PATIENCE, stream.ready(Interest::ERROR)).await.expect("the connection stays open").unwrap();
    assert_eq!(server.watch.streams.load(Ordering::SeqCst), 0, "the handler was not dropped");
    server.stopped().await;
}

/// Whether the kernel has an open connection between these ports.
#[cfg(target_os = "linux")]
fn is_open(from: u16, to: u16) -> bool {
    let (from, to) = (format!(":{from:04X} "), format!(":{to:04X} "));
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    table.lines().any(|line| line.find(&from).is_some_and(|at| line[at + from.len()..].contains(&to)))
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn the_kernel_closes_a_connection_with_unacknowledged_bytes() {
    let server = Server::start(|options| options.unacknowledged_timeout = SHORT).await;

    let stream = call_without_reading(&server, LONG).await;

    let (from, to) = (server.addr.port(), stream.local_addr().unwrap().port());
    let produced = server.watch.produced.clone();
    eventually("the response is made", || produced.load(Ordering::SeqCst) > 0).await;
    eventually("the kernel closes the connection", || !is_open(from, to)).await;
    server.stopped().await;
}

#[tokio::test]
async fn a_slow_reader_is_not_stalled() {
    let server = Server::start(|options| options.stall_timeout = SHORT).await;
    let mut client = Client::open(&server, 1000).await;
    let mut body = client.body(ENDLESS, "application/grpc").await;
    let begin = Instant::now();
    // Longer in all than the timeout.
    while begin.elapsed() < 3 * SHORT {
        let data = timeout(PATIENCE, body.data()).await.expect("nothing comes").unwrap().unwrap();
        tokio::time::sleep(SHORT / 20).await;
        body.flow_control().release_capacity(data.len()).unwrap();
    }

    assert_eq!(server.watch.streams.load(Ordering::SeqCst), 1, "the stream was ended");
    drop((body, client));
    server.stopped().await;
}

#[tokio::test]
async fn a_long_response_through_small_windows_is_complete() {
    let server = Server::start(|options| options.stall_timeout = SHORT).await;
    let mut client = Client::open(&server, 64 * 1024).await;
    for content_type in ["application/grpc", "application/grpc-web"] {
        let mut body = client.body(LONG, content_type).await;
        let mut length = 0;
        while let Some(data) = timeout(PATIENCE, body.data()).await.expect("nothing comes") {
            let data = data.unwrap();
            length += data.len();
            body.flow_control().release_capacity(data.len()).unwrap();
        }
        assert!(length >= LONG_RESPONSE, "{length} bytes came");
    }
    drop(client);
    server.stopped().await;
}

/// An HTTP/2 client that opens calls and cancels them in the same write.
struct Canceller {
    stream: TcpStream,
    next: u32,
}

impl Canceller {
    async fn open(server: &Server) -> Self {
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        let settings = raw::frame(raw::SETTINGS, 0, 0, &[]);
        stream.write_all(&[raw::PREFACE, &settings].concat()).await.unwrap();
        Self { stream, next: 1 }
    }

    /// Opens and cancels `number` calls, then makes one more. Whether that has a response.
    async fn cancel(&mut self, number: u32) -> bool {
        let mut bytes = Vec::new();
        for _ in 0..number {
            bytes.extend(raw::call(self.next, SILENT));
            bytes.extend(raw::cancel(self.next));
            self.next += 2;
        }
        let last = self.next;
        self.next += 2;
        bytes.extend(raw::call(last, "/unknown.Service/Method"));
        self.stream.write_all(&bytes).await.is_ok() && raw::has_response(&mut self.stream, last).await
    }
}

#[tokio::test]
async fn the_cancellations_of_a_browser_leave_the_connection_open() {
    let server = Server::start(|_| {}).await;
    for number in [30, 60, 250] {
        let mut client = Canceller::open(&server).await;

        assert!(client.cancel(number).await, "the connection ended after {number} calls");
        // And again, as when a page is reloaded.
        assert!(client.cancel(number).await, "the connection ended after {number} calls more");
    }
    server.stopped().await;
}

#[tokio::test]
async fn a_client_that_keeps_cancelling_loses_its_connection() {
    let server = Server::start(|_| {}).await;

    assert!(!Canceller::open(&server).await.cancel(5_000).await, "all at once");

    let mut client = Canceller::open(&server).await;
    let mut times = 0;
    while client.cancel(50).await {
        times += 1;
        assert!(times < 100, "{times} times 50");
    }
    assert!(times >= 20, "a thousand may be cancelled at once, and only {times} times 50 were");
    server.stopped().await;
}

#[tokio::test]
async fn cancellations_through_a_proxy_leave_its_connection_open() {
    let trusted = "127.0.0.1".parse().unwrap();
    let server = Server::start(|options| options.trusted_proxies = [trusted].into_iter().collect()).await;
    let mut proxy = Canceller::open(&server).await;
    for times in 0..60 {
        assert!(proxy.cancel(50).await, "the connection ended after {times} times 50");
    }
    server.stopped().await;
}
