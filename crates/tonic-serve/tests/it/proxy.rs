//! The client address that a handler gets, with and without a proxy.

use std::net::SocketAddr;
use std::time::Duration;

use http::HeaderValue;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tonic_serve::ServeOptions;

use crate::echo::{UNARY, request};
use crate::support::{SILENT, Server, closed};
use crate::tls::{connect_over, self_signed, tls};
use crate::wire::{Answer, Way, call, read_until, send_over};

const V1: &[u8] = b"PROXY TCP4 203.0.113.9 10.0.0.1 50000 80\r\n";
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x09\x0a\0\0\x01\xc3\x50\0\x50";
const V2_LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

fn trusting(networks: &[&str]) -> impl FnOnce(&mut ServeOptions) {
    let networks = networks.iter().map(|network| network.parse().unwrap()).collect();
    move |options| options.trusted_proxies = networks
}

async fn after(addr: SocketAddr, first: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(first).await.unwrap();
    stream
}

/// A call whose response has the client address.
async fn client_seen(
    addr: SocketAddr,
    way: Way,
    first: &[u8],
    headers: &[(&'static str, &'static str)],
) -> Answer {
    let mut call = call(way, UNARY, &request(&["client"]));
    for (name, value) in headers {
        call.headers_mut().append(*name, HeaderValue::from_static(value));
    }
    send_over(after(addr, first).await, way, call).await
}

#[tokio::test]
async fn a_trusted_proxy_names_the_client_by_http_and_by_proxy_header() {
    let server = Server::start(trusting(&["127.0.0.0/8", "10.0.0.0/8"])).await;
    for way in Way::ALL {
        for (first, headers, client) in [
            (&b""[..], &[][..], "127.0.0.1"),
            (b"", &[("x-forwarded-for", "6.6.6.6, 203.0.113.9, 10.0.0.7")], "203.0.113.9"),
            (b"", &[("forwarded", "for=\"[2001:db8::7]:4711\"")], "2001:db8::7"),
            (V1, &[], "203.0.113.9"),
            (V2, &[], "203.0.113.9"),
            (V2_LOCAL, &[], "127.0.0.1"),
            (b"PROXY UNKNOWN\r\n", &[], "127.0.0.1"),
            // Sent by the client, through a proxy that does not change headers.
            (V1, &[("x-forwarded-for", "6.6.6.6")], "203.0.113.9"),
            // Two proxies, the nearer one without headers.
            (
                b"PROXY TCP4 10.0.0.7 10.0.0.1 50000 80\r\n",
                &[("x-forwarded-for", "6.6.6.6, 203.0.113.9")],
                "203.0.113.9",
            ),
        ] {
            let answer = client_seen(server.addr, way, first, headers).await;
            assert_eq!(answer.messages, [client], "{way:?} {first:?} {headers:?}");
        }
    }
    server.stopped().await;
}

#[tokio::test]
async fn an_untrusted_peer_may_not_name_the_client() {
    for networks in [&[][..], &["10.0.0.0/8"]] {
        let server = Server::start(trusting(networks)).await;
        for header in [("x-forwarded-for", "6.6.6.6"), ("forwarded", "for=6.6.6.6")] {
            assert_eq!(client_seen(server.addr, Way::Native, b"", &[header]).await.messages, ["127.0.0.1"]);
        }
        for first in [V1, V2] {
            let bytes = [first, b"GET / HTTP/1.1\r\nhost: test\r\n\r\n"].concat();
            let answer = crate::wire::exchange(server.addr, &bytes, "\r\n\r\n").await.unwrap_or_default();
            assert!(!answer.contains("404"), "it was accepted: {answer}");
        }
        server.stopped().await;
    }
}

/// A connection with an endless call that carries a session.
async fn busy(addr: SocketAddr, first: &[u8]) -> TcpStream {
    let mut stream = after(addr, first).await;
    let head = format!(
        "POST {SILENT} HTTP/1.1\r\nhost: test\r\ncookie: a=b\r\ncontent-type: application/grpc-web\r\n\
         content-length: 0\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    read_until(&mut stream, "HTTP/1.1 200").await.unwrap();
    stream
}

#[tokio::test]
async fn clients_that_a_proxy_header_names_have_the_limits_of_their_address() {
    let server = Server::start(|options| {
        options.max_connections_per_address = 2;
        trusting(&["127.0.0.1"])(options);
    })
    .await;
    let two = [busy(server.addr, V1).await, busy(server.addr, V2).await];

    let mut third = after(server.addr, V1).await;
    third.write_all(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
    closed(&mut third).await;

    let answer =
        client_seen(server.addr, Way::Web, b"PROXY TCP4 203.0.113.10 10.0.0.1 50000 80\r\n", &[]).await;
    assert_eq!(answer.messages, ["203.0.113.10"]);
    // The connections of the proxy itself have no such limit.
    let own = [busy(server.addr, b"").await, busy(server.addr, V2_LOCAL).await, busy(server.addr, b"").await];
    drop((two, own));
    server.stopped().await;
}

#[tokio::test]
async fn the_proxy_header_comes_before_tls() {
    let pair = self_signed();
    let server = Server::start(|options| {
        options.tls = Some(tls(&pair));
        trusting(&["127.0.0.1"])(options);
    })
    .await;
    for (first, client) in [(V1, "203.0.113.9"), (V2, "203.0.113.9"), (b"", "127.0.0.1")] {
        let stream = connect_over(after(server.addr, first).await, &pair, None, &["h2"]).await.unwrap();
        let answer = send_over(stream, Way::Native, call(Way::Native, UNARY, &request(&["client"]))).await;
        assert_eq!(answer.messages, [client]);
    }
    server.stopped().await;
}

#[tokio::test]
async fn a_malformed_proxy_header_closes_the_connection() {
    let server = Server::start(trusting(&["127.0.0.1"])).await;
    let long = [&b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff"[..], &[0; 8 * 1024]].concat();
    for first in [&b"PROXY TCP4 nobody 10.0.0.1 1 2\r\n"[..], b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\0", &long] {
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        // The server may have closed before all is written.
        stream.write_all(first).await.ok();
        closed(&mut stream).await;
    }
    assert_eq!(client_seen(server.addr, Way::Web, V1, &[]).await.messages, ["203.0.113.9"]);
    server.stopped().await;
}

#[tokio::test]
async fn an_unfinished_proxy_header_has_a_time_limit_and_does_not_delay_a_stop() {
    let start = |timeout| {
        Server::start(move |options| {
            options.handshake_timeout = timeout;
            trusting(&["127.0.0.1"])(options);
        })
    };
    let server = start(Duration::from_millis(300)).await;
    for first in [&b""[..], b"PROXY TCP4 203.", &V2[..20]] {
        closed(&mut after(server.addr, first).await).await;
    }
    server.stopped().await;

    let server = start(Duration::from_secs(3600)).await;
    let silent = after(server.addr, b"PROXY TCP4 203.").await;
    assert_eq!(client_seen(server.addr, Way::Web, V1, &[]).await.messages, ["203.0.113.9"]);
    // The whole drain would take longer.
    assert!(server.stopped().await < Duration::from_secs(5));
    drop(silent);
}

#[tokio::test]
async fn a_proxy_header_may_come_in_pieces() {
    let server = Server::start(trusting(&["127.0.0.1"])).await;
    for first in [V1, V2] {
        let mut stream = after(server.addr, &first[..3]).await;
        stream.set_nodelay(true).unwrap();
        for byte in &first[3..] {
            stream.write_all(&[*byte]).await.unwrap();
            tokio::task::yield_now().await;
        }
        let answer = send_over(stream, Way::Web, call(Way::Web, UNARY, &request(&["client"]))).await;
        assert_eq!(answer.messages, ["203.0.113.9"]);
    }
    server.stopped().await;
}
