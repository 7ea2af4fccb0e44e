//! Limits of buffered bytes: of responses that clients do not read, and of requests.

use std::convert::Infallible;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use grpc_wire::message;
use http::Request;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::echo::{self, UNARY};
use crate::support::{
    ENDLESS, HELD, Http2, LONG, LONG_RESPONSE, PATIENCE, SILENT, Server, connect_from, eventually,
};
use crate::wire::{Way, call, send_over};

/// Small limits keep the tests fast.
const PER_CONNECTION: usize = 1024 * 1024;
const PER_ADDRESS: usize = 4 * 1024 * 1024;

/// A chunk of an endless response.
const CHUNK: usize = 16 * 1024;

/// A limit with its reserve for first chunks, and with chunks that threads make at the same time.
const fn with_reserve(limit: usize) -> usize {
    limit + limit / 4 + 4 * CHUNK
}

/// Calls `path` `count` times over a connection whose client does not read.
async fn unread_calls(server: &Server, host: u8, path: &'static str, count: usize) -> (Http2, JoinSet<()>) {
    let connection = Http2::over(connect_from(host, server.addr).await, 0).await;
    let mut calls = JoinSet::new();
    for _ in 0..count {
        let mut connection = connection.clone();
        calls.spawn(async move {
            // The response is kept and not read.
            let _response = connection.send(path).await;
            std::future::pending::<()>().await;
        });
    }
    (connection, calls)
}

/// Makes a short call from 127.0.0.`host`, which must succeed.
async fn call_briefly(server: &Server, host: u8) {
    let request = call(Way::Native, UNARY, &echo::request(&["a"]));
    let answer = send_over(connect_from(host, server.addr).await, Way::Native, request).await;
    assert_eq!((answer.code(), &*answer.messages), ("0", &["a".to_owned()][..]));
}

/// Waits until `count` does not change during some short calls.
async fn settled(server: &Server, host: u8, count: impl Fn() -> usize) -> usize {
    loop {
        let before = count();
        for _ in 0..20 {
            call_briefly(server, host).await;
        }
        if count() == before {
            return before;
        }
    }
}

async fn read(body: &mut Incoming, bytes: usize) {
    let mut read = 0;
    while read < bytes {
        let frame = timeout(PATIENCE, body.frame()).await.expect("no data in time").unwrap().unwrap();
        read += frame.into_data().unwrap().len();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn responses_that_a_connection_does_not_read_are_paused() {
    let server = Server::start(|options| options.max_buffered_bytes_per_connection = PER_CONNECTION).await;
    let produced = || server.watch.produced.load(Ordering::SeqCst);
    let unread = unread_calls(&server, 2, ENDLESS, 250).await;
    eventually("the calls arrive", || server.watch.streams.load(Ordering::SeqCst) == 250).await;

    let held = settled(&server, 2, produced).await;
    assert!(held >= PER_CONNECTION, "{held} bytes: the limit was not reached");
    assert!(held <= with_reserve(PER_CONNECTION), "{held} bytes wait for a client that does not read");
    drop(unread);
    server.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_of_one_address_share_its_limit() {
    let server = Server::start(|options| {
        options.max_buffered_bytes_per_connection = PER_CONNECTION;
        options.max_buffered_bytes_per_address = PER_ADDRESS;
    })
    .await;
    let produced = || server.watch.produced.load(Ordering::SeqCst);
    let mut connections = Vec::new();
    for _ in 0..8 {
        connections.push(unread_calls(&server, 2, ENDLESS, 150).await);
    }
    eventually("the calls arrive", || server.watch.streams.load(Ordering::SeqCst) == 1_200).await;

    let held = settled(&server, 3, produced).await;
    assert!(held >= PER_ADDRESS, "{held} bytes: the limit was not reached");
    assert!(held <= with_reserve(PER_ADDRESS), "{held} bytes wait for an address that does not read");
    // Other connections of the address that read are not paused.
    for _ in 0..20 {
        call_briefly(&server, 2).await;
    }
    drop(connections);
    eventually("the calls end", || server.watch.streams.load(Ordering::SeqCst) == 0).await;
    // Their bytes are released.
    let mut reading = Http2::over(connect_from(2, server.addr).await, 65_535).await;
    let mut body = reading.call(ENDLESS).await.into_body();
    read(&mut body, 2 * PER_ADDRESS).await;
    drop((body, reading));
    server.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_response_goes_on_when_bytes_are_read() {
    const READERS: usize = 100;
    let server = Server::start(|options| options.max_buffered_bytes_per_connection = 64 * 1024).await;
    let connection = Http2::over(connect_from(2, server.addr).await, 32 * 1024).await;
    // A hundred streams with room for four chunks: each of them has to wait repeatedly.
    let readers: Vec<_> = (0..READERS)
        .map(|_| {
            let mut connection = connection.clone();
            tokio::spawn(async move {
                let mut body = connection.call(ENDLESS).await.into_body();
                read(&mut body, 20 * CHUNK).await;
            })
        })
        .collect();
    for reader in readers {
        timeout(PATIENCE, reader).await.expect("a stream is paused for ever").unwrap();
    }
    drop(connection);
    server.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_response_ends_on_a_connection_at_its_limit() {
    let server = Server::start(|options| options.max_buffered_bytes_per_connection = 4 * CHUNK).await;
    let io = TokioIo::new(connect_from(2, server.addr).await);
    let builder = &mut http2::Builder::new(TokioExecutor::new());
    let window = u32::try_from(CHUNK).unwrap();
    let (mut sender, connection) = builder.initial_stream_window_size(window).handshake(io).await.unwrap();
    let connection = tokio::spawn(connection);
    // One chunk of each stream is in the client's window, and one waits.
    let mut unread = Vec::new();
    for _ in 0..4 {
        unread.push(sender.send_request(call(Way::Native, ENDLESS, b"")).await.unwrap());
    }
    settled(&server, 3, || server.watch.produced.load(Ordering::SeqCst)).await;
    assert!(server.watch.produced.load(Ordering::SeqCst) >= 8 * CHUNK);

    for _ in 0..20 {
        let response = sender.send_request(call(Way::Native, UNARY, &echo::request(&["a"]))).await.unwrap();
        let body = timeout(PATIENCE, response.into_body().collect()).await.expect("it does not end").unwrap();
        assert_eq!(body.trailers().unwrap()["grpc-status"], "0");
    }
    drop((unread, sender));
    connection.abort();
    server.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paused_responses_end_at_their_deadline_and_at_shutdown() {
    let server = Server::start(|options| {
        options.max_buffered_bytes_per_connection = 4 * CHUNK;
        options.call_grace = Duration::from_millis(100);
    })
    .await;
    let io = TokioIo::new(connect_from(2, server.addr).await);
    let builder = &mut http2::Builder::new(TokioExecutor::new());
    let (mut sender, connection) = builder.initial_stream_window_size(0).handshake(io).await.unwrap();
    let connection = tokio::spawn(connection);
    // These fill the limit and its reserve.
    let mut unread = Vec::new();
    for _ in 0..8 {
        unread.push(sender.send_request(call(Way::Native, ENDLESS, b"")).await.unwrap());
    }
    settled(&server, 3, || server.watch.produced.load(Ordering::SeqCst)).await;

    let mut request = call(Way::Native, SILENT, b"");
    request.headers_mut().insert("grpc-timeout", "200m".parse().unwrap());
    let mut body = sender.send_request(request).await.unwrap().into_body();
    let frame = timeout(PATIENCE, body.frame()).await.expect("the deadline does not end it");
    assert_eq!(frame.unwrap().unwrap().into_trailers().unwrap()["grpc-status"], "4");

    let mut body = sender.send_request(call(Way::Native, SILENT, b"")).await.unwrap().into_body();
    let (_took, frame) = tokio::join!(server.stopped(), body.frame());
    let trailers = frame.unwrap().expect("the shutdown does not end it").into_trailers().unwrap();
    assert_eq!(trailers["grpc-status"], "14");
    drop((unread, sender));
    connection.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_response_goes_on_when_others_are_dropped() {
    let server = Server::start(|options| options.max_buffered_bytes_per_connection = PER_CONNECTION).await;
    let mut connection = Http2::over(connect_from(2, server.addr).await, 0).await;
    let mut unread = Vec::new();
    for _ in 0..200 {
        unread.push(connection.call(ENDLESS).await);
    }
    settled(&server, 2, || server.watch.produced.load(Ordering::SeqCst)).await;
    let before = server.watch.produced.load(Ordering::SeqCst);

    // The older half has the room, and is dropped.
    unread.drain(..100);

    eventually("others go on", || server.watch.produced.load(Ordering::SeqCst) >= before + 50 * CHUNK).await;
    eventually("the streams end", || server.watch.streams.load(Ordering::SeqCst) == 100).await;
    drop((unread, connection));
    server.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn above_the_total_limit_the_largest_connection_is_closed() {
    let server = Server::start(|options| {
        options.max_buffered_bytes_per_connection = 8 * PER_CONNECTION;
        options.max_buffered_bytes = 2 * PER_CONNECTION;
    })
    .await;
    let mut modest = Http2::over(connect_from(3, server.addr).await, 0).await;
    let small = modest.call(ENDLESS).await;
    let greedy = unread_calls(&server, 2, ENDLESS, 200).await;

    eventually("the greedy connection closes", || greedy.0.is_closed()).await;

    assert!(!modest.is_closed());
    call_briefly(&server, 4).await;
    // Only the stream of the modest connection is left.
    eventually("its streams end", || server.watch.streams.load(Ordering::SeqCst) == 1).await;
    drop((small, modest, greedy));
    server.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reservations_of_long_responses_wait_and_close_no_connection() {
    let server = Server::start_app(
        |options| options.max_buffered_bytes = 4 * LONG_RESPONSE,
        |app| app.long_responses([HELD], LONG_RESPONSE),
    )
    .await;
    // A page with a stream that has a few unsent bytes.
    let mut page = Http2::over(connect_from(2, server.addr).await, 0).await;
    let stream = page.call(ENDLESS).await;
    let mut connections = Vec::new();
    for host in 3..=5 {
        connections.push(unread_calls(&server, host, HELD, 3).await);
    }
    let held = || server.watch.held.load(Ordering::SeqCst);
    eventually("those with room begin", || held() >= 4).await;

    settled(&server, 6, held).await;
    assert_eq!(held(), 4, "the others did not wait");
    assert!(!page.is_closed() && connections.iter().all(|(connection, _)| !connection.is_closed()));
    for begun in 1..=9 {
        server.watch.release.notify_one();
        eventually("the next one begins", || held() == (4 + begun).min(9)).await;
    }
    drop((stream, page, connections));
    server.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_without_a_message_reserve_no_bytes() {
    let server = Server::start_app(
        |options| options.max_buffered_bytes = 4 * LONG_RESPONSE,
        |app| app.long_responses([UNARY], LONG_RESPONSE),
    )
    .await;
    let no_body = || StreamBody::new(stream::pending::<Result<Frame<Bytes>, Infallible>>());
    let mut tasks = JoinSet::new();
    for host in 2..=5 {
        let io = TokioIo::new(connect_from(host, server.addr).await);
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
        tasks.spawn(async move { drop(connection.await) });
        for _ in 0..4 {
            let head =
                Request::post(format!("http://test{UNARY}")).header("content-type", "application/grpc");
            let response = sender.send_request(head.body(no_body()).unwrap());
            tasks.spawn(async move { drop(response.await) });
        }
        // The response to a later request shows that the heads have come.
        let response = sender.send_request(Request::get("http://test/").body(no_body()).unwrap());
        assert_eq!(timeout(PATIENCE, response).await.expect("no response in time").unwrap().status(), 404);
        tasks.spawn(async move {
            let _sender = sender;
            std::future::pending().await
        });
    }

    call_briefly(&server, 6).await;

    assert!(tasks.try_join_next().is_none(), "a call without a message has ended");
    drop(tasks);
    server.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_responses_that_are_not_read_are_not_made() {
    let server = Server::start_app(
        |options| options.max_buffered_bytes_per_connection = 4 * LONG_RESPONSE,
        |app| app.long_responses([LONG], LONG_RESPONSE),
    )
    .await;
    let mut connections = Vec::new();
    for _ in 0..4 {
        connections.push(unread_calls(&server, 2, LONG, 250).await);
    }
    let alive = || server.watch.alive.load(Ordering::SeqCst);
    eventually("each connection fills its limit", || alive() >= 4 * 4 * LONG_RESPONSE).await;

    settled(&server, 2, alive).await;
    let most = server.watch.most_alive.load(Ordering::SeqCst);
    assert!(most <= 4 * 5 * LONG_RESPONSE, "{most} bytes wait for clients that do not read");
    drop(connections);
    eventually("all bytes are released", || alive() == 0).await;
    server.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_responses_that_are_read_are_made_one_after_another() {
    let server = Server::start_app(
        |options| options.max_buffered_bytes_per_connection = LONG_RESPONSE,
        |app| app.long_responses([LONG], LONG_RESPONSE),
    )
    .await;
    let connection = Http2::open(server.addr).await;
    let readers: Vec<_> = (0..100)
        .map(|_| {
            let mut connection = connection.clone();
            tokio::spawn(async move {
                let body = connection.call(LONG).await.into_body();
                body.collect().await.unwrap().to_bytes().len()
            })
        })
        .collect();
    for reader in readers {
        assert_eq!(timeout(PATIENCE, reader).await.expect("no response in time").unwrap(), LONG_RESPONSE);
    }
    let most = server.watch.most_alive.load(Ordering::SeqCst);
    assert!(most <= 3 * LONG_RESPONSE, "{most} bytes at once");
    drop(connection);
    server.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn incomplete_requests_are_counted_and_refused_over_the_limit() {
    let server = Server::start(|options| options.max_buffered_bytes_per_connection = 4 * 1024).await;
    let io = TokioIo::new(connect_from(2, server.addr).await);
    let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
    let connection = tokio::spawn(connection);
    // Most of a message, and then nothing.
    let part = message::encode(0, &[0; 1_000]).slice(..905);
    let mut codes = JoinSet::new();
    for _ in 0..20 {
        let part = Ok::<_, Infallible>(Frame::data(part.clone()));
        let body = StreamBody::new(stream::iter([part]).chain(stream::pending()));
        let request = Request::post(format!("http://test{UNARY}")).header("content-type", "application/grpc");
        let (mut sender, request) = (sender.clone(), request.body(body).unwrap());
        codes.spawn(
            async move { sender.send_request(request).await.unwrap().headers()["grpc-status"].clone() },
        );
    }

    // Four or five fill the limit and its reserve.
    for _ in 0..15 {
        let code = timeout(PATIENCE, codes.join_next()).await.expect("more are accepted").unwrap().unwrap();
        assert_eq!(code, "8");
    }
    call_briefly(&server, 2).await;
    drop((codes, sender));
    connection.abort();
    server.stopped().await;
}
