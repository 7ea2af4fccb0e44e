//! Bytes that were made and that nobody takes, or that came and that nobody has read: how many there may be.

use std::convert::Infallible;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use http::Request;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::echo::{self, UNARY};
use crate::support::{
    ENDLESS, HELD, Http2, LONG, LONG_ANSWER, PATIENCE, SILENT, Server, connect_from, eventually,
};
use crate::wire::{Way, call, send_over};

/// Small limits, so that the tests are quick.
const PER_CONNECTION: usize = 1024 * 1024;
const PER_ADDRESS: usize = 4 * 1024 * 1024;

/// One piece of an endless answer.
const PIECE: usize = 16 * 1024;

/// What a limit may be exceeded by: the reserve of first pieces, and a piece for each thread at the same time.
const fn with_reserve(limit: usize) -> usize {
    limit + limit / 4 + 4 * PIECE
}

/// Calls `path` `count` times over a connection whose client takes nothing.
async fn deaf(server: &Server, host: u8, path: &'static str, count: usize) -> (Http2, JoinSet<()>) {
    let connection = Http2::over(connect_from(host, server.addr).await, 0).await;
    let mut calls = JoinSet::new();
    for _ in 0..count {
        let mut connection = connection.clone();
        calls.spawn(async move {
            // The answer is kept, and nobody reads it.
            let _response = connection.send(path).await;
            std::future::pending::<()>().await;
        });
    }
    (connection, calls)
}

/// A short call from 127.0.0.`host` that has to succeed.
async fn answers(server: &Server, host: u8) {
    let request = call(Way::Native, UNARY, &echo::request(&["a"]));
    let answer = send_over(connect_from(host, server.addr).await, Way::Native, request).await;
    assert_eq!((answer.code(), &*answer.messages), ("0", &["a".to_owned()][..]));
}

/// Waits until nothing more is produced: nothing new while `rounds` short calls were answered.
async fn settled(server: &Server, host: u8, count: impl Fn() -> usize) -> usize {
    loop {
        let before = count();
        for _ in 0..20 {
            answers(server, host).await;
        }
        if count() == before {
            return before;
        }
    }
}

async fn read(body: &mut Incoming, bytes: usize) {
    let mut read = 0;
    while read < bytes {
        let frame = timeout(PATIENCE, body.frame()).await.expect("nothing comes").unwrap().unwrap();
        read += frame.into_data().unwrap().len();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_a_connection_does_not_take_are_not_made() {
    let server = Server::start(|options| options.max_buffered_bytes_per_connection = PER_CONNECTION).await;
    let produced = || server.watch.produced.load(Ordering::SeqCst);
    let deaf = deaf(&server, 2, ENDLESS, 250).await;
    eventually("the calls arrive", || server.watch.streams.load(Ordering::SeqCst) == 250).await;

    let held = settled(&server, 2, produced).await;
    assert!(held >= PER_CONNECTION, "{held} bytes: the limit is not what stops them");
    assert!(held <= with_reserve(PER_CONNECTION), "{held} bytes wait for a client that takes none");
    drop(deaf);
    server.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_connections_of_one_address_hold_no_more_than_the_address_may() {
    let server = Server::start(|options| {
        options.max_buffered_bytes_per_connection = PER_CONNECTION;
        options.max_buffered_bytes_per_address = PER_ADDRESS;
    })
    .await;
    let produced = || server.watch.produced.load(Ordering::SeqCst);
    let mut connections = Vec::new();
    for _ in 0..8 {
        connections.push(deaf(&server, 2, ENDLESS, 150).await);
    }
    eventually("the calls arrive", || server.watch.streams.load(Ordering::SeqCst) == 1_200).await;

    let held = settled(&server, 3, produced).await;
    assert!(held >= PER_ADDRESS, "{held} bytes: the limit is not what stops them");
    assert!(held <= with_reserve(PER_ADDRESS), "{held} bytes wait for an address that takes none");
    // Connections of the same address that take what they get are served.
    for _ in 0..20 {
        answers(&server, 2).await;
    }
    drop(connections);
    eventually("the calls end", || server.watch.streams.load(Ordering::SeqCst) == 0).await;
    // What they held is free again.
    let mut reading = Http2::over(connect_from(2, server.addr).await, 65_535).await;
    let mut body = reading.call(ENDLESS).await.into_body();
    read(&mut body, 2 * PER_ADDRESS).await;
    drop((body, reading));
    server.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_waits_for_room_goes_on_when_bytes_are_taken() {
    const READERS: usize = 100;
    let server = Server::start(|options| options.max_buffered_bytes_per_connection = 64 * 1024).await;
    let connection = Http2::over(connect_from(2, server.addr).await, 32 * 1024).await;
    // A hundred streams in room for four pieces: each of them has to wait, again and again.
    let readers: Vec<_> = (0..READERS)
        .map(|_| {
            let mut connection = connection.clone();
            tokio::spawn(async move {
                let mut body = connection.call(ENDLESS).await.into_body();
                read(&mut body, 20 * PIECE).await;
            })
        })
        .collect();
    for reader in readers {
        timeout(PATIENCE, reader).await.expect("a stream stands still").unwrap();
    }
    drop(connection);
    server.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_answer_ends_on_a_connection_that_is_at_its_limit() {
    let server = Server::start(|options| options.max_buffered_bytes_per_connection = 4 * PIECE).await;
    let io = TokioIo::new(connect_from(2, server.addr).await);
    let builder = &mut http2::Builder::new(TokioExecutor::new());
    let window = u32::try_from(PIECE).unwrap();
    let (mut sender, connection) = builder.initial_stream_window_size(window).handshake(io).await.unwrap();
    let connection = tokio::spawn(connection);
    // Of each stream one piece is in the client's window, and one waits.
    let mut unread = Vec::new();
    for _ in 0..4 {
        unread.push(sender.send_request(call(Way::Native, ENDLESS, b"")).await.unwrap());
    }
    settled(&server, 3, || server.watch.produced.load(Ordering::SeqCst)).await;
    assert!(server.watch.produced.load(Ordering::SeqCst) >= 8 * PIECE);

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
async fn calls_that_wait_for_room_end_at_their_deadline_and_at_a_stop() {
    let server = Server::start(|options| {
        options.max_buffered_bytes_per_connection = 4 * PIECE;
        options.call_grace = Duration::from_millis(100);
    })
    .await;
    let io = TokioIo::new(connect_from(2, server.addr).await);
    let builder = &mut http2::Builder::new(TokioExecutor::new());
    let (mut sender, connection) = builder.initial_stream_window_size(0).handshake(io).await.unwrap();
    let connection = tokio::spawn(connection);
    // They fill the limit and its reserve.
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
    let trailers = frame.unwrap().expect("the stop does not end it").into_trailers().unwrap();
    assert_eq!(trailers["grpc-status"], "14");
    drop((unread, sender));
    connection.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_waits_for_room_goes_on_when_others_are_given_up() {
    let server = Server::start(|options| options.max_buffered_bytes_per_connection = PER_CONNECTION).await;
    let mut connection = Http2::over(connect_from(2, server.addr).await, 0).await;
    let mut unread = Vec::new();
    for _ in 0..200 {
        unread.push(connection.call(ENDLESS).await);
    }
    settled(&server, 2, || server.watch.produced.load(Ordering::SeqCst)).await;
    let before = server.watch.produced.load(Ordering::SeqCst);

    // The older half, which got the room, is given up.
    unread.drain(..100);

    eventually("others go on", || server.watch.produced.load(Ordering::SeqCst) >= before + 50 * PIECE).await;
    eventually("the streams end", || server.watch.streams.load(Ordering::SeqCst) == 100).await;
    drop((unread, connection));
    server.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn above_the_limit_in_all_the_connection_that_holds_the_most_is_closed() {
    let server = Server::start(|options| {
        options.max_buffered_bytes_per_connection = 8 * PER_CONNECTION;
        options.max_buffered_bytes = 2 * PER_CONNECTION;
    })
    .await;
    let mut modest = Http2::over(connect_from(3, server.addr).await, 0).await;
    let small = modest.call(ENDLESS).await;
    let greedy = deaf(&server, 2, ENDLESS, 200).await;

    eventually("the greedy connection closes", || greedy.0.is_closed()).await;

    assert!(!modest.is_closed());
    answers(&server, 4).await;
    // Only what the modest connection has is left.
    eventually("its streams end", || server.watch.streams.load(Ordering::SeqCst) == 1).await;
    drop((small, modest, greedy));
    server.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_answers_that_have_not_begun_close_no_connection_and_wait_when_all_is_reserved() {
    let server = Server::start_app(
        |options| options.max_buffered_bytes = 4 * LONG_ANSWER,
        |app| app.long_answers([HELD], LONG_ANSWER),
    )
    .await;
    // A page with a stream, of which a little waits.
    let mut page = Http2::over(connect_from(2, server.addr).await, 0).await;
    let stream = page.call(ENDLESS).await;
    let mut connections = Vec::new();
    for host in 3..=5 {
        connections.push(deaf(&server, host, HELD, 3).await);
    }
    let held = || server.watch.held.load(Ordering::SeqCst);
    eventually("as many begin as there is room for", || held() >= 4).await;

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
async fn long_answers_that_nobody_reads_are_not_made() {
    let server = Server::start_app(
        |options| options.max_buffered_bytes_per_connection = 4 * LONG_ANSWER,
        |app| app.long_answers([LONG], LONG_ANSWER),
    )
    .await;
    let mut connections = Vec::new();
    for _ in 0..4 {
        connections.push(deaf(&server, 2, LONG, 250).await);
    }
    let alive = || server.watch.alive.load(Ordering::SeqCst);
    eventually("each makes what it may", || alive() >= 4 * 4 * LONG_ANSWER).await;

    settled(&server, 2, alive).await;
    let most = server.watch.most_alive.load(Ordering::SeqCst);
    assert!(most <= 4 * 5 * LONG_ANSWER, "{most} bytes wait for clients that take none");
    drop(connections);
    eventually("all is given back", || alive() == 0).await;
    server.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_answers_that_are_read_are_made_one_after_another() {
    let server = Server::start_app(
        |options| options.max_buffered_bytes_per_connection = LONG_ANSWER,
        |app| app.long_answers([LONG], LONG_ANSWER),
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
        assert_eq!(timeout(PATIENCE, reader).await.expect("one is not answered").unwrap(), LONG_ANSWER);
    }
    let most = server.watch.most_alive.load(Ordering::SeqCst);
    assert!(most <= 3 * LONG_ANSWER, "{most} bytes at once");
    drop(connection);
    server.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_of_requests_count_too_and_more_of_them_are_refused() {
    let server = Server::start(|options| options.max_buffered_bytes_per_connection = 4 * 1024).await;
    let io = TokioIo::new(connect_from(2, server.addr).await);
    let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
    let connection = tokio::spawn(connection);
    // Most of a message, and then nothing more.
    let part: Vec<u8> = [&[0][..], &1_000_u32.to_be_bytes(), &[0; 900]].concat();
    let mut codes = JoinSet::new();
    for _ in 0..20 {
        let part = Ok::<_, Infallible>(Frame::data(Bytes::from(part.clone())));
        let body = StreamBody::new(stream::iter([part]).chain(stream::pending()));
        let request = Request::post(format!("http://test{UNARY}")).header("content-type", "application/grpc");
        let (mut sender, request) = (sender.clone(), request.body(body).unwrap());
        codes.spawn(
            async move { sender.send_request(request).await.unwrap().headers()["grpc-status"].clone() },
        );
    }

    // Four or five of them fill the limit and its reserve.
    for _ in 0..15 {
        let code =
            timeout(PATIENCE, codes.join_next()).await.expect("all of them are held").unwrap().unwrap();
        assert_eq!(code, "8");
    }
    answers(&server, 2).await;
    drop((codes, sender));
    connection.abort();
    server.stopped().await;
}
