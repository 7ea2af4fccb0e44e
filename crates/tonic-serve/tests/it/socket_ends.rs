//! The ends of sockets: shutdown, idleness, silence, and clients that do not speak the protocol.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::raw;
use crate::socket::{Raw, Seen, bytes, frame, open};
use crate::support::{PATIENCE, Server, closed};

/// Types of HTTP/2 frames.
const PING: u8 = 6;
const GO_AWAY: u8 = 7;

/// The flag of the answer to a PING.
const ACK: u8 = 1;

/// First bytes of WebSocket frames.
const BINARY: u8 = 0x82;
const TEXT: u8 = 0x81;
const WS_PING: u8 = 0x89;

/// Opens a socket and sends the first bytes of HTTP/2.
async fn hello(server: &Server) -> (impl AsyncRead + AsyncWrite + Unpin + Send + 'static, Seen) {
    let (mut io, closed) = bytes(open(server.addr, &[]).await);
    io.write_all(&[raw::PREFACE, &raw::frame(raw::SETTINGS, 0, 0, &[])].concat()).await.unwrap();
    io.flush().await.unwrap();
    (io, closed)
}

/// Reads to the end of a socket, answers pings if `answers`, and returns the types of the frames.
async fn read_to_end(mut io: impl AsyncRead + AsyncWrite + Unpin, answers: bool) -> Vec<u8> {
    let mut kinds = Vec::new();
    let reading = async {
        loop {
            let mut head = [0; 9];
            if io.read_exact(&mut head).await.is_err() {
                break;
            }
            let [a, b, c, kind, flags, ..] = head;
            let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]).try_into().unwrap()];
            io.read_exact(&mut payload).await.unwrap();
            kinds.push(kind);
            if kind == PING && flags & ACK == 0 && answers {
                io.write_all(&raw::frame(PING, ACK, 0, &payload)).await.unwrap();
                io.flush().await.unwrap();
            }
        }
    };
    timeout(PATIENCE, reading).await.expect("the socket stays open");
    kinds
}

#[tokio::test]
async fn a_shutdown_says_goodbye_in_http2_and_then_closes_the_socket() {
    let mut server = Server::start(|_| {}).await;
    let (io, closed) = hello(&server).await;
    server.begin_stop();

    let kinds = read_to_end(io, true).await;

    assert!(kinds.contains(&GO_AWAY), "{kinds:?}");
    assert_eq!(closed.code(), Some(1001));
    let took = server.stopped().await;
    assert!(took < Duration::from_secs(1), "it took {took:?}");
}

#[tokio::test]
async fn a_socket_that_answers_nothing_does_not_delay_a_shutdown() {
    let server = Server::start(|_| {}).await;
    let (_io, _closed) = hello(&server).await;
    let mut silent = Raw::open(server.addr).await;
    silent.send(&frame(BINARY, raw::PREFACE)).await;

    let took = server.stopped().await;

    assert!(took < Duration::from_secs(2), "it took {took:?}");
}

#[tokio::test]
async fn an_idle_socket_is_closed() {
    let server = Server::start(|options| {
        options.handshake_timeout = Duration::from_millis(50);
        options.idle_timeout = Duration::from_millis(100);
    })
    .await;
    let (io, closed) = hello(&server).await;

    let kinds = read_to_end(io, true).await;

    assert!(kinds.contains(&GO_AWAY), "{kinds:?}");
    assert_eq!(closed.code(), Some(1001));
}

#[tokio::test]
async fn a_peer_that_vanished_is_found_by_a_ping_inside() {
    let server = Server::start(|options| {
        options.keep_alive_interval = Duration::from_millis(100);
        options.keep_alive_timeout = Duration::from_millis(100);
    })
    .await;
    let (io, _closed) = hello(&server).await;
    let start = Instant::now();

    let kinds = read_to_end(io, false).await;

    assert!(kinds.contains(&PING), "{kinds:?}");
    assert!(start.elapsed() >= Duration::from_millis(150), "it took only {:?}", start.elapsed());
}

#[tokio::test]
async fn silence_after_the_handshake_ends_the_connection() {
    let server = Server::start(|options| options.handshake_timeout = Duration::from_millis(300)).await;
    let half = &frame(BINARY, raw::PREFACE)[..12];
    // Pings of the WebSocket are not the first bytes of HTTP/2.
    let pings = frame(WS_PING, &[0; 100]);
    for sent in [&[][..], half, &pings] {
        let mut silent = Raw::open(server.addr).await;
        silent.send(sent).await;
        let took = closed(&mut silent.0).await;
        assert!(took >= Duration::from_millis(200), "it took only {took:?}");
        assert!(took < Duration::from_secs(2), "it took {took:?}");
    }
}

#[tokio::test]
async fn violations_are_answered_with_their_code() {
    let server = Server::start(|_| {}).await;
    let unmasked = [&[BINARY, 24][..], raw::PREFACE].concat();
    for (sent, code) in [
        (frame(TEXT, b"hello"), 1003),
        (unmasked, 1002),
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), 1002),
        (vec![0xff; 500], 1002),
        // After valid bytes.
        ([frame(BINARY, raw::PREFACE), frame(TEXT, b"hello")].concat(), 1003),
    ] {
        let mut peer = Raw::open(server.addr).await;
        peer.send(&sent).await;
        assert_eq!(peer.close_code().await, Some(code), "{sent:?}");
    }
}

#[tokio::test]
async fn bytes_right_after_the_handshake_are_not_lost() {
    let server = Server::start(|_| {}).await;
    let mut peer = Raw(TcpStream::connect(server.addr).await.unwrap());
    let early = frame(BINARY, &[raw::PREFACE, &raw::frame(raw::SETTINGS, 0, 0, &[])].concat());
    let ping = frame(WS_PING, b"early");
    assert!(peer.handshake(&[early, ping].concat()).await.starts_with("HTTP/1.1 101 "));
    let answered = async {
        while let Some((opcode, payload)) = peer.frame().await {
            if opcode == 0xa {
                return payload;
            }
        }
        Vec::new()
    };
    assert_eq!(timeout(PATIENCE, answered).await.expect("no pong in time"), b"early");
}

#[tokio::test]
async fn bytes_that_are_not_http2_end_the_connection() {
    let server = Server::start(|_| {}).await;
    let mut peer = Raw::open(server.addr).await;
    peer.send(&frame(BINARY, b"GET / HTTP/1.1\r\nhost: test\r\n\r\n")).await;
    let took = closed(&mut peer.0).await;
    assert!(took < Duration::from_secs(2), "it took {took:?}");
}

#[tokio::test]
async fn a_close_frame_of_the_client_is_answered() {
    let server = Server::start(|_| {}).await;
    let mut peer = Raw::open(server.addr).await;
    peer.send(&frame(BINARY, &[raw::PREFACE, &raw::frame(raw::SETTINGS, 0, 0, &[])].concat())).await;
    peer.send(&frame(WS_PING, b"there?")).await;
    loop {
        let (opcode, payload) = timeout(PATIENCE, peer.frame()).await.unwrap().unwrap();
        if opcode == 0xa {
            break assert_eq!(payload, b"there?");
        }
    }
    peer.send(&frame(0x88, &3001_u16.to_be_bytes())).await;
    assert_eq!(peer.close_code().await, Some(3001));
    assert!(closed(&mut peer.0).await < Duration::from_millis(500));
}
