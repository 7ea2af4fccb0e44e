//! TLS: both versions of HTTP, client certificates, and the same limits.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::Response;
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tonic_serve::{ClientCertificates, Tls, TlsError};

use crate::echo::{UNARY, request};
use crate::socket::{bytes, open_over};
use crate::support::{ENDLESS, PATIENCE, SILENT, Server, closed, eventually};
use crate::wire::{Answer, Way, call, send_over};

/// Short enough for a test, long enough for a busy machine.
const SHORT: Duration = Duration::from_millis(300);

/// A certificate and its key, both PEM.
pub(crate) struct Pair {
    certificate: String,
    key: String,
}

#[cfg(feature = "gateway")]
impl Pair {
    /// The certificate in PEM.
    pub(crate) fn certificate(&self) -> &str {
        &self.certificate
    }
}

/// A self-signed certificate.
pub(crate) fn self_signed() -> Pair {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    Pair { certificate: certificate.pem(), key: key.serialize_pem() }
}

/// The certificate of an authority, and that of a client signed by it.
fn authority_and_client() -> (String, Pair) {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let authority = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let mut params = CertificateParams::new(["client".to_owned()]).unwrap();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    (authority, Pair { certificate: certificate.pem(), key: key.serialize_pem() })
}

pub(crate) fn tls(pair: &Pair) -> Tls {
    Tls::from_pem(pair.certificate.as_bytes(), pair.key.as_bytes()).unwrap()
}

/// Connects like a browser that trusts the server's certificate and offers these protocols.
pub(crate) async fn connect(
    server: &Server,
    trusted: &Pair,
    own: Option<&Pair>,
    alpn: &[&str],
) -> std::io::Result<TlsStream<TcpStream>> {
    connect_over(TcpStream::connect(server.addr).await.unwrap(), trusted, own, alpn).await
}

/// The same over an open connection.
pub(crate) async fn connect_over(
    stream: TcpStream,
    trusted: &Pair,
    own: Option<&Pair>,
    alpn: &[&str],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusted.certificate.as_bytes()).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match own {
        None => builder.with_no_client_auth(),
        Some(own) => {
            let certificate = CertificateDer::from_pem_slice(own.certificate.as_bytes()).unwrap();
            let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).unwrap();
            builder.with_client_auth_cert(vec![certificate], key).unwrap()
        }
    };
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    let name = ServerName::try_from("localhost").unwrap();
    let connecting = TlsConnector::from(Arc::new(config)).connect(name, stream);
    timeout(PATIENCE, connecting).await.expect("no handshake in time")
}

/// Calls over a connection whose HTTP version is negotiated by ALPN.
async fn calling(server: &Server, trusted: &Pair, own: Option<&Pair>, way: Way, text: &str) -> Answer {
    let alpn: &[&str] = if way.is_http2() { &["h2"] } else { &["http/1.1"] };
    let stream = connect(server, trusted, own, alpn).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(alpn[0].as_bytes()));
    send_over(stream, way, call(way, UNARY, &request(&[text]))).await
}

#[tokio::test]
async fn both_http_versions_are_negotiated() {
    let pair = self_signed();
    let server = Server::start(|options| options.tls = Some(tls(&pair))).await;
    for way in Way::ALL {
        let answer = calling(&server, &pair, None, way, "a").await;

        assert_eq!((answer.code(), &answer.messages[..]), ("0", &["a".to_owned()][..]), "{way:?}");
    }
    // A browser offers both, and gets HTTP/2.
    let browser = connect(&server, &pair, None, &["h2", "http/1.1"]).await.unwrap();
    assert_eq!(browser.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    drop(browser);
    server.stopped().await;
}

#[tokio::test]
async fn a_replaced_certificate_is_used_from_the_next_handshake_on() {
    let (old, new, other) = (self_signed(), self_signed(), self_signed());
    let (authority, client) = authority_and_client();
    let tls = tls(&old).verify_clients(authority.as_bytes(), ClientCertificates::Required).unwrap();
    let offered = tls.clone().http1_only();
    let shared = offered.clone();
    let server = Server::start(|options| options.tls = Some(offered)).await;
    let before = connect(&server, &old, Some(&client), &["http/1.1"]).await.unwrap();

    assert!(shared.replace_certificate(new.certificate.as_bytes(), new.key.as_bytes()).unwrap());
    assert!(!shared.replace_certificate(new.certificate.as_bytes(), new.key.as_bytes()).unwrap());

    assert!(connect(&server, &old, Some(&client), &["http/1.1"]).await.is_err());
    let after = connect(&server, &new, Some(&client), &["http/1.1"]).await.unwrap();
    for stream in [before, after] {
        let answer = send_over(stream, Way::Web, call(Way::Web, UNARY, &request(&["a"]))).await;
        assert_eq!(answer.messages, ["a"]);
    }
    // The rest of the configuration stays: no HTTP/2, and no clients without a certificate.
    assert!(connect(&server, &new, Some(&client), &["h2"]).await.is_err());
    let mut without = connect(&server, &new, None, &["http/1.1"]).await.unwrap();
    assert!(matches!(without.read(&mut [0; 1]).await, Err(_) | Ok(0)));
    // A pair that cannot be used changes nothing.
    let mixed = shared.replace_certificate(other.certificate.as_bytes(), new.key.as_bytes());
    assert!(matches!(mixed, Err(TlsError::Pair(_))), "{mixed:?}");
    connect(&server, &new, Some(&client), &["http/1.1"]).await.unwrap();
    server.stopped().await;
}

#[tokio::test]
async fn a_socket_works_in_tls_with_the_certificate_of_its_client() {
    let pair = self_signed();
    let (authority, client) = authority_and_client();
    let offering = tls(&pair).verify_clients(authority.as_bytes(), ClientCertificates::Required).unwrap();
    let server = Server::start(|options| options.tls = Some(offering)).await;
    let stream = connect(&server, &pair, Some(&client), &["http/1.1"]).await.unwrap();
    let peer = stream.get_ref().0.local_addr().unwrap();

    let (io, _closed) = bytes(open_over(stream, &[]).await.unwrap().0);
    let answer = send_over(io, Way::Native, call(Way::Native, UNARY, &request(&["caller"]))).await;

    assert_eq!((answer.code(), &answer.messages[..]), ("0", &[format!("{peer} 1")][..]));
    server.stopped().await;
}

#[tokio::test]
async fn a_server_may_offer_only_http1() {
    let pair = self_signed();
    let (authority, _) = authority_and_client();
    let offering = tls(&pair).http1_only();
    let offering = offering.verify_clients(authority.as_bytes(), ClientCertificates::Optional).unwrap();
    let server = Server::start(|options| options.tls = Some(offering)).await;

    let browser = connect(&server, &pair, None, &["h2", "http/1.1"]).await.unwrap();
    let native = connect(&server, &pair, None, &["h2"]).await;

    assert_eq!(browser.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert!(native.is_err());
    drop(browser);
    server.stopped().await;
}

#[tokio::test]
async fn a_handler_gets_the_callers_address_and_certificates() {
    let (pair, (authority, client)) = (self_signed(), authority_and_client());
    let verifying = tls(&pair).verify_clients(authority.as_bytes(), ClientCertificates::Optional).unwrap();
    let server = Server::start(|options| options.tls = Some(verifying)).await;
    for way in Way::ALL {
        for (own, certificates) in [(Some(&client), " 1"), (None, " 0")] {
            let answer = calling(&server, &pair, own, way, "caller").await;

            let caller = &answer.messages[0];
            assert!(caller.starts_with("127.0.0.1:") && caller.ends_with(certificates), "{caller}");
        }
    }
    server.stopped().await;
    let server = Server::start(|_| {}).await;
    let stream = TcpStream::connect(server.addr).await.unwrap();
    let own_address = stream.local_addr().unwrap();
    let cleartext = send_over(stream, Way::Web, call(Way::Web, UNARY, &request(&["caller"]))).await;
    assert_eq!(cleartext.messages, [format!("{own_address} 0")]);
    server.stopped().await;
}

#[tokio::test]
async fn a_required_client_certificate_is_verified() {
    let (pair, (authority, client)) = (self_signed(), authority_and_client());
    let stranger = self_signed();
    for mode in [ClientCertificates::Optional, ClientCertificates::Required] {
        let verifying = tls(&pair).verify_clients(authority.as_bytes(), mode).unwrap();
        let server = Server::start(|options| options.tls = Some(verifying)).await;
        assert_eq!(calling(&server, &pair, Some(&client), Way::Native, "a").await.code(), "0");
        let mut refused = vec![Some(&stranger)];
        if mode == ClientCertificates::Required {
            refused.push(None);
        }
        for own in refused {
            // The client's handshake ends before the server has verified the certificate.
            let Ok(mut stream) = connect(&server, &pair, own, &["http/1.1"]).await else { continue };
            let asked = stream.write_all(b"GET / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").await;
            let mut answer = Vec::new();
            let reading = stream.read_to_end(&mut answer);
            let ended = timeout(PATIENCE, reading).await.expect("the connection stays open");
            assert!(asked.and(ended.map(drop)).is_err(), "{mode:?}");
            assert!(answer.is_empty(), "{mode:?}: {}", String::from_utf8_lossy(&answer));
        }
        server.stopped().await;
    }
}

#[tokio::test]
async fn a_self_signed_client_certificate_can_be_its_own_authority() {
    let (pair, client) = (self_signed(), self_signed());
    let verifying =
        tls(&pair).verify_clients(client.certificate.as_bytes(), ClientCertificates::Required).unwrap();
    let server = Server::start(|options| options.tls = Some(verifying)).await;

    assert_eq!(calling(&server, &pair, Some(&client), Way::Web, "a").await.code(), "0");

    server.stopped().await;
}

#[tokio::test]
async fn a_missing_handshake_times_out_and_delays_no_other_connection() {
    let pair = self_signed();
    let server = Server::start(|options| {
        options.tls = Some(tls(&pair));
        options.handshake_timeout = SHORT;
    })
    .await;
    let mut silent = TcpStream::connect(server.addr).await.unwrap();
    // A handshake without a request.
    let mut idle = connect(&server, &pair, None, &["h2"]).await.unwrap();

    assert_eq!(calling(&server, &pair, None, Way::Native, "a").await.code(), "0");

    assert!(closed(&mut silent).await <= SHORT * 10);
    let mut read = [0];
    let reading = idle.read(&mut read);
    let read = timeout(PATIENCE, reading).await.expect("the connection stays open");
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    server.stopped().await;
}

#[tokio::test]
async fn cleartext_on_a_tls_port_is_refused() {
    let pair = self_signed();
    let server = Server::start(|options| options.tls = Some(tls(&pair))).await;

    let cleartext = crate::wire::exchange(server.addr, b"GET / HTTP/1.1\r\nhost: test\r\n\r\n", "HTTP").await;

    assert!(!cleartext.is_ok_and(|answer| answer.contains("HTTP")));
    assert_eq!(calling(&server, &pair, None, Way::Web, "a").await.code(), "0");
    server.stopped().await;
}

/// An HTTP/2 connection inside TLS, and an open stream that is not read.
async fn unread(
    server: &Server,
    trusted: &Pair,
    path: &str,
) -> (SendRequest<Empty<Bytes>>, Response<Incoming>) {
    let stream = connect(server, trusted, None, &["h2"]).await.unwrap();
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::post(format!("https://localhost{path}"))
        .header("content-type", "application/grpc")
        .body(Empty::new())
        .unwrap();
    let response =
        timeout(PATIENCE, sender.send_request(request)).await.expect("no response in time").unwrap();
    (sender, response)
}

#[tokio::test]
async fn a_stream_that_is_not_read_is_paused_inside_tls() {
    let pair = self_signed();
    let server = Server::start(|options| options.tls = Some(tls(&pair))).await;
    let produced = || server.watch.produced.load(Ordering::SeqCst);

    let stream = unread(&server, &pair, ENDLESS).await;

    // The default window of hyper's client has 2 MiB.
    eventually("the stream begins", || produced() > 0).await;
    let mut before = 0;
    while before != produced() {
        before = produced();
        assert_eq!(calling(&server, &pair, None, Way::Web, "a").await.code(), "0");
    }
    assert!(
        produced() < 8 * 1024 * 1024,
        "{} bytes were produced for a client that does not read",
        produced()
    );
    drop(stream);
    eventually("the stream is dropped", || server.watch.streams.load(Ordering::SeqCst) == 0).await;
    server.stopped().await;
}

#[tokio::test]
async fn a_stalled_call_is_ended_inside_tls() {
    let pair = self_signed();
    let server = Server::start(|options| {
        options.tls = Some(tls(&pair));
        options.stall_timeout = SHORT;
    })
    .await;
    let (produced, streams) = (server.watch.produced.clone(), server.watch.streams.clone());

    let over_http2 = unread(&server, &pair, ENDLESS).await;
    eventually("the stream begins", || produced.swap(0, Ordering::SeqCst) > 0).await;
    eventually("the stream over HTTP/2 ends", || streams.load(Ordering::SeqCst) == 0).await;

    let mut over_http1 = connect(&server, &pair, None, &["http/1.1"]).await.unwrap();
    let head = format!(
        "POST {ENDLESS} HTTP/1.1\r\nhost: test\r\ncontent-type: application/grpc-web\r\ncontent-length: 0\r\n\r\n"
    );
    over_http1.write_all(head.as_bytes()).await.unwrap();
    eventually("the stream begins", || produced.swap(0, Ordering::SeqCst) > 0).await;
    eventually("the stream over HTTP/1.1 ends", || streams.load(Ordering::SeqCst) == 0).await;
    drop((over_http2, over_http1));
    server.stopped().await;
}

#[tokio::test]
async fn a_shutdown_drains_connections_inside_tls() {
    let pair = self_signed();
    let server = Server::start(|options| {
        options.tls = Some(tls(&pair));
        options.call_grace = Duration::from_millis(50);
    })
    .await;
    let open = unread(&server, &pair, SILENT).await;
    let silent = TcpStream::connect(server.addr).await.unwrap();
    let idle = connect(&server, &pair, None, &["h2"]).await.unwrap();

    let took = server.stopped().await;

    assert!(took < Duration::from_secs(2), "it took {took:?}");
    drop((open, silent, idle));
}

#[tokio::test]
async fn a_peer_that_acknowledges_no_ping_is_closed_inside_tls() {
    let pair = self_signed();
    let server = Server::start(|options| {
        options.tls = Some(tls(&pair));
        options.keep_alive_interval = SHORT;
        options.keep_alive_timeout = SHORT;
    })
    .await;
    let mut stream = connect(&server, &pair, None, &["h2"]).await.unwrap();
    // The preface and empty settings, and then nothing.
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();

    let start = Instant::now();
    let mut rest = Vec::new();
    let reading = stream.read_to_end(&mut rest);
    timeout(PATIENCE, reading).await.expect("the connection stays open").ok();

    assert!(start.elapsed() >= SHORT);
    server.stopped().await;
}

#[tokio::test]
async fn a_too_large_head_is_refused_inside_tls() {
    let pair = self_signed();
    let server = Server::start(|options| options.tls = Some(tls(&pair))).await;
    for (way, alpn, size) in [(Way::Web, "http/1.1", 100 * 1024), (Way::WebOverTwo, "h2", 17 * 1024)] {
        let stream = connect(&server, &pair, None, &[alpn]).await.unwrap();
        let mut call = call(way, UNARY, &request(&["a"]));
        let large = http::HeaderValue::try_from("x".repeat(size)).unwrap();
        call.headers_mut().insert("x-large", large);

        let answer = send_over(stream, way, call).await;

        assert_eq!(answer.status, http::StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "{way:?}");
    }
    server.stopped().await;
}

#[tokio::test]
async fn a_silent_connection_is_evicted_inside_tls() {
    let pair = Arc::new(self_signed());
    let server = Server::start(|options| {
        options.tls = Some(tls(&pair));
        options.max_connections = 1;
    })
    .await;
    let mut silent = TcpStream::connect(server.addr).await.unwrap();

    let answer = calling(&server, &pair, None, Way::Native, "a").await;

    assert_eq!(answer.code(), "0");
    closed(&mut silent).await;
}

#[test]
fn the_expiry_of_a_certificate_is_read() {
    let seconds = |years: i32| Duration::from_secs(u64::try_from(years).unwrap() * 365 * 24 * 60 * 60);
    for (year, is_authority) in [(1999, false), (2031, false), (2031, true), (9999, false)] {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(1990, 1, 1);
        params.not_after = rcgen::date_time_ymd(year, 12, 31);
        if is_authority {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        let certificate = params.self_signed(&key).unwrap().pem();

        let expires =
            Tls::from_pem(certificate.as_bytes(), key.serialize_pem().as_bytes()).unwrap().expires();

        // Leap days are not counted.
        let at_least = SystemTime::UNIX_EPOCH + seconds(year - 1970);
        let expires = expires.unwrap();
        assert!(
            expires >= at_least && expires <= at_least + seconds(year - 1970) / 1000 + seconds(2),
            "{year}: {expires:?}"
        );
    }
}

#[test]
fn invalid_certificates_and_keys_are_refused() {
    let (one, other) = (self_signed(), self_signed());
    let refused = |certificate: &str, key: &str| {
        Tls::from_pem(certificate.as_bytes(), key.as_bytes()).expect_err("it was accepted")
    };

    assert!(matches!(refused("", &one.key), TlsError::NoCertificate));
    assert!(matches!(refused(&one.key, &one.key), TlsError::NoCertificate));
    assert!(matches!(refused("-----BEGIN CERTIFICATE-----\n", &one.key), TlsError::Certificate(_)));
    assert!(matches!(refused(&one.certificate, ""), TlsError::Key(_)));
    assert!(matches!(refused(&one.certificate, &one.certificate), TlsError::Key(_)));
    assert!(matches!(refused(&one.certificate, &other.key), TlsError::Pair(_)));
    let no_authority = tls(&one).verify_clients(b"", ClientCertificates::Required);
    assert!(matches!(no_authority, Err(TlsError::NoCertificate)));
}
