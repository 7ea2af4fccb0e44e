//! The gateway: calls to real servers behind it, and servers behind it that fail in every way.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::Ordering;

use bytes::Bytes;
use h2::{Reason, server};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::BodyExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tonic_serve::{App, Gateway, ServeOptions, Upstream, UpstreamError};

use crate::echo::{self, BIDI, CLIENT_STREAM, MAX_MESSAGE, SERVER_STREAM, TRAILER, UNARY, request};
use crate::support::{ENDLESS, Http2, SILENT, Server, eventually};
use crate::tls::{self_signed, tls};
use crate::wire::{Answer, Way, call, send, send_for_head};

fn at(addr: SocketAddr) -> Upstream {
    Upstream::new(&format!("http://{addr}")).unwrap()
}

/// A gateway to `upstream`.
async fn gateway_to(upstream: Upstream) -> Server {
    Server::start_gateway(|_| {}, App::new(Gateway::new(upstream).into())).await
}

async fn calling(server: &Server, way: Way, path: &str, texts: &[&str]) -> Answer {
    send(server.addr, way, call(way, path, &request(texts))).await
}

#[tokio::test]
async fn all_four_kinds_of_call_are_passed_on_in_every_format() {
    let upstream = Server::start(|_| {}).await;
    let gateway = gateway_to(at(upstream.addr)).await;
    for way in Way::ALL {
        for (path, sent, got) in [
            (UNARY, vec!["a"], vec!["a"]),
            (SERVER_STREAM, vec!["a"], vec!["first", "a", "a"]),
            (CLIENT_STREAM, vec!["a", "", "b"], vec!["ab"]),
            (CLIENT_STREAM, vec![], vec![""]),
            (BIDI, vec!["a", "", "b"], vec!["a", "", "b"]),
            (BIDI, vec![], vec![]),
        ] {
            let answer = calling(&gateway, way, path, &sent).await;

            assert_eq!(answer.code(), "0", "{way:?} {path}: {}", answer.message());
            assert_eq!(answer.messages, got, "{way:?} {path}");
            assert_eq!(answer.header("content-type"), way.content_type(), "{path}");
        }
    }
    gateway.stopped().await;
    upstream.stopped().await;
}

#[tokio::test]
async fn metadata_and_trailers_are_passed_on() {
    let upstream = Server::start(|_| {}).await;
    let gateway = gateway_to(at(upstream.addr)).await;
    for way in Way::ALL {
        let mut binary = call(way, UNARY, &request(&["binary"]));
        binary.headers_mut().insert("x-data-bin", HeaderValue::from_static("AAEC"));
        let binary = send(gateway.addr, way, binary).await;

        assert_eq!(binary.messages, ["[0, 1, 2]"], "{way:?}");
        assert_eq!(binary.header("x-before"), "head", "{way:?}");
        assert_eq!(binary.trailer(TRAILER), ["one", "two"], "{way:?}");
        assert_eq!(binary.trailer("grpc-status"), ["0"], "{way:?}");

        let mut headers = call(way, UNARY, &request(&["headers"]));
        for (name, value) in [
            ("cookie", "a=b"),
            ("x-forwarded-for", "203.0.113.7"),
            ("connection", "x-real-ip"),
            ("x-real-ip", "203.0.113.8"),
        ] {
            // HTTP/2 refuses headers of the connection by itself.
            if name != "connection" || !way.is_http2() {
                headers.headers_mut().insert(name, HeaderValue::from_static(value));
            }
        }
        let headers = send(gateway.addr, way, headers).await;

        let real_ip = if way.is_http2() { "203.0.113.8" } else { "-" };
        assert_eq!(headers.messages, [format!("a=b - - 127.0.0.1 {real_ip}")], "{way:?}");
    }
    gateway.stopped().await;
    upstream.stopped().await;
}

#[tokio::test]
async fn statuses_of_the_upstream_stay_as_they_are() {
    let upstream = Server::start(|_| {}).await;
    let gateway = gateway_to(at(upstream.addr)).await;
    let large = "x".repeat(MAX_MESSAGE);
    for way in Way::ALL {
        for (path, text) in [(UNARY, &*large), ("/test.Echo/Missing", "a"), ("/other.Service/Method", "a")] {
            let direct = calling(&upstream, way, path, &[text]).await;
            let answer = calling(&gateway, way, path, &[text]).await;

            assert_ne!(direct.code(), "0", "{way:?} {path}");
            assert_eq!(
                (answer.code(), answer.message()),
                (direct.code(), direct.message()),
                "{way:?} {path}"
            );
        }
    }
    gateway.stopped().await;
    upstream.stopped().await;
}

#[tokio::test]
async fn a_request_that_the_port_refuses_has_the_ports_status() {
    let upstream = Server::start(|_| {}).await;
    let app =
        |max| App::new(Gateway::new(at(upstream.addr)).into()).methods(echo::methods()).max_message_size(max);
    let gateway = Server::start_gateway(|_| {}, app(100)).await;
    let large = "x".repeat(100);
    for way in Way::ALL {
        for (path, texts, code) in [
            (UNARY, &["a", "b"][..], "12"),
            (UNARY, &[], "12"),
            (CLIENT_STREAM, &["a", &large], "8"),
            (BIDI, &["a", &large], "8"),
        ] {
            let answer = calling(&gateway, way, path, texts).await;

            assert_eq!(answer.code(), code, "{way:?} {path} {texts:?}: {}", answer.message());
            assert!(!answer.message().contains("upstream"), "{}", answer.message());
        }
    }
    gateway.stopped().await;
    upstream.stopped().await;
}

#[tokio::test]
async fn compressed_messages_are_passed_on_as_they_are() {
    let upstream = Server::start(|_| {}).await;
    let gateway = gateway_to(at(upstream.addr)).await;
    let compressed = |encodings: &'static str| {
        let mut call = call(Way::Native, UNARY, &request(&["a text that is sent"]));
        call.headers_mut().insert("grpc-accept-encoding", HeaderValue::from_static(encodings));
        call
    };

    let direct = send_for_head(upstream.addr, compressed("gzip")).await;
    let passed_on = send_for_head(gateway.addr, compressed("gzip")).await;
    let plain = send_for_head(gateway.addr, compressed("identity")).await;

    assert_eq!(passed_on.headers()["grpc-encoding"], "gzip");
    assert!(!plain.headers().contains_key("grpc-encoding"));
    let body = |response: Response<hyper::body::Incoming>| async {
        response.into_body().collect().await.unwrap().to_bytes()
    };
    assert_eq!(body(passed_on).await, body(direct).await);
    gateway.stopped().await;
    upstream.stopped().await;
}

#[tokio::test]
async fn a_cancelled_call_is_cancelled_at_the_upstream() {
    let upstream = Server::start(|_| {}).await;
    let gateway = gateway_to(at(upstream.addr)).await;
    let streams = || upstream.watch.streams.load(Ordering::SeqCst);
    for path in [SILENT, ENDLESS] {
        let response = Http2::open(gateway.addr).await.call(path).await;
        eventually("the stream of the upstream", || streams() == 1).await;
        drop(response);
        eventually("the end of the upstream's stream", || streams() == 0).await;
    }
    gateway.stopped().await;
    upstream.stopped().await;
}

#[tokio::test]
async fn a_deadline_ends_the_call_on_both_sides() {
    let upstream = Server::start(|_| {}).await;
    let gateway = gateway_to(at(upstream.addr)).await;
    for way in Way::ALL {
        let mut waiting = call(way, SERVER_STREAM, &request(&["wait"]));
        waiting.headers_mut().insert("grpc-timeout", HeaderValue::from_static("100m"));

        let answer = send(gateway.addr, way, waiting).await;

        assert_eq!((answer.code(), &answer.messages[..]), ("4", &["first".to_owned()][..]), "{way:?}");
    }
    gateway.stopped().await;
    // It waits for its calls.
    upstream.stopped().await;
}

#[tokio::test]
async fn more_calls_are_open_than_one_connection_carries() {
    const CALLS: usize = 250;
    let upstream = Server::start(|options| options.max_concurrent_streams = 100).await;
    let gateway = gateway_to(at(upstream.addr)).await;
    let caller = Http2::open(gateway.addr).await;

    let responses = (0..CALLS).map(|_| {
        let mut caller = caller.clone();
        async move { caller.call(SILENT).await }
    });
    let responses = futures_util::future::join_all(responses).await;

    assert_eq!(responses.len(), CALLS);
    eventually("all streams", || upstream.watch.streams.load(Ordering::SeqCst) == CALLS).await;
    drop(responses);
    eventually("the end of all streams", || upstream.watch.streams.load(Ordering::SeqCst) == 0).await;
    gateway.stopped().await;
    upstream.stopped().await;
}

#[tokio::test]
async fn callers_that_read_nothing_stop_no_others_on_their_connection() {
    const UNREAD: usize = 90;
    let upstream = Server::start(|_| {}).await;
    let gateway = gateway_to(at(upstream.addr)).await;
    let deaf = Http2::over(TcpStream::connect(gateway.addr).await.unwrap(), 1).await;
    let unread = (0..UNREAD).map(|_| {
        let mut deaf = deaf.clone();
        async move { deaf.call(ENDLESS).await }
    });
    let unread = futures_util::future::join_all(unread).await;

    let answer = calling(&gateway, Way::Web, UNARY, &["a"]).await;

    assert_eq!(answer.code(), "0", "{}", answer.message());
    drop(unread);
    eventually("the end of all streams", || upstream.watch.streams.load(Ordering::SeqCst) == 0).await;
    gateway.stopped().await;
    upstream.stopped().await;
}

#[tokio::test]
async fn services_have_upstreams_of_their_own() {
    let upstream = Server::start(|_| {}).await;
    let gateway = Gateway::default().route("test.Echo", at(upstream.addr));
    let gateway = Server::start_gateway(|_| {}, App::new(gateway.into())).await;
    for way in Way::ALL {
        let listed = calling(&gateway, way, UNARY, &["a"]).await;
        let other = calling(&gateway, way, SILENT, &["a"]).await;

        assert_eq!(listed.code(), "0", "{way:?}");
        assert_eq!(other.code(), "12", "{way:?}");
        assert_eq!(other.message(), format!("this server does not implement {SILENT}"), "{way:?}");
    }
    gateway.stopped().await;
    upstream.stopped().await;
}

#[tokio::test]
async fn a_path_goes_before_the_methods() {
    let (upstream, mut paths) = fake(|mut respond| {
        let path = respond.path.clone();
        respond.with(ok_head(), true);
        path
    })
    .await;
    let gateway = gateway_to(Upstream::new(&format!("http://{upstream}/a/b/")).unwrap()).await;

    calling(&gateway, Way::Web, UNARY, &["a"]).await;

    assert_eq!(paths.recv().await.unwrap(), format!("/a/b{UNARY}"));
    gateway.stopped().await;
}

/// An address at which nothing listens.
async fn closed_port() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn a_refused_connection_is_said_and_a_new_server_is_found() {
    let addr = closed_port().await;
    let gateway = gateway_to(at(addr)).await;
    for way in Way::ALL {
        let answer = calling(&gateway, way, UNARY, &["a"]).await;

        assert_eq!(answer.code(), "14", "{way:?}");
        assert!(answer.message().starts_with("the upstream cannot be reached: "), "{}", answer.message());
        assert!(!answer.message().contains("127.0.0.1"), "{}", answer.message());
    }
    let upstream = Server::start_at(addr).await;

    let answer = calling(&gateway, Way::Web, UNARY, &["a"]).await;

    assert_eq!(answer.code(), "0", "{}", answer.message());
    upstream.stopped().await;
    // The connection of before is gone.
    let upstream = Server::start_at(addr).await;
    let answer = calling(&gateway, Way::Web, UNARY, &["a"]).await;
    assert_eq!(answer.code(), "0", "{}", answer.message());
    gateway.stopped().await;
    upstream.stopped().await;
}

/// A server that reads as much as HTTP/2's preface has from each connection, writes `answer`, and closes it.
async fn answering(answer: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut preface = [0; 24];
            if stream.read_exact(&mut preface).await.is_ok() {
                stream.write_all(answer).await.ok();
            }
        }
    });
    addr
}

#[tokio::test]
async fn an_upstream_without_http2_is_named() {
    let http1 = answering(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
    let closing = answering(b"").await;
    let pair = self_signed();
    let secure = Server::start(|options| options.tls = Some(tls(&pair))).await;
    for (addr, text) in [
        (http1, "the upstream does not speak HTTP/2, or it expects TLS"),
        (closing, "it does not speak HTTP/2, or it expects TLS"),
        (secure.addr, "or it expects TLS"),
    ] {
        let gateway = gateway_to(at(addr)).await;
        for way in Way::ALL {
            let answer = calling(&gateway, way, UNARY, &["a"]).await;

            assert_eq!(answer.code(), "14", "{way:?}");
            assert!(answer.message().contains(text), "{}", answer.message());
        }
        gateway.stopped().await;
    }
    secure.stopped().await;
}

#[tokio::test]
async fn an_upstream_with_tls_is_verified() {
    let pair = self_signed();
    let upstream = Server::start(|options| options.tls = Some(tls(&pair))).await;
    let url = format!("https://localhost:{}", upstream.addr.port());
    let trusted = Upstream::with_authorities(&url, pair.certificate().as_bytes()).unwrap();
    let other = Upstream::with_authorities(&url, self_signed().certificate().as_bytes()).unwrap();
    let cleartext = answering(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let cleartext = format!("https://localhost:{}", cleartext.port());
    let cleartext = Upstream::with_authorities(&cleartext, pair.certificate().as_bytes()).unwrap();
    for (upstream, code) in [(trusted, "0"), (other, "14"), (cleartext, "14")] {
        let gateway = gateway_to(upstream).await;

        let answer = calling(&gateway, Way::Web, UNARY, &["a"]).await;

        assert_eq!(answer.code(), code, "{}", answer.message());
        let unreachable = answer.message().starts_with("the upstream cannot be reached: ");
        assert_eq!(unreachable, code != "0", "{}", answer.message());
        gateway.stopped().await;
    }
    upstream.stopped().await;
}

/// A call as a fake upstream sees it.
struct Call {
    path: String,
    respond: server::SendResponse<Bytes>,
}

impl Call {
    /// Sends the head of a response. `end`: and nothing else.
    fn with(&mut self, head: Response<()>, end: bool) -> h2::SendStream<Bytes> {
        self.respond.send_response(head, end).unwrap()
    }
}

fn ok_head() -> Response<()> {
    Response::builder()
        .header("content-type", "application/grpc")
        .header("grpc-status", "0")
        .body(())
        .unwrap()
}

fn head() -> Response<()> {
    Response::builder().header("content-type", "application/grpc").body(()).unwrap()
}

/// An upstream close to the wire. `respond` handles each call; what it returns comes out of the channel.
async fn fake<T: Send + 'static>(
    respond: impl Fn(Call) -> T + Clone + Send + 'static,
) -> (SocketAddr, tokio::sync::mpsc::Receiver<T>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (sender, receiver) = tokio::sync::mpsc::channel(16);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (respond, sender) = (respond.clone(), sender.clone());
            tokio::spawn(async move {
                let mut connection = server::handshake(stream).await.unwrap();
                while let Some(Ok((request, answer))) = connection.accept().await {
                    let call = Call { path: request.uri().path().to_owned(), respond: answer };
                    sender.send(respond(call)).await.unwrap();
                }
            });
        }
    });
    (addr, receiver)
}

#[tokio::test]
async fn a_reset_has_the_code_of_its_reason() {
    for (reason, code) in [
        (Reason::INTERNAL_ERROR, "13"),
        (Reason::REFUSED_STREAM, "14"),
        (Reason::CANCEL, "1"),
        (Reason::ENHANCE_YOUR_CALM, "8"),
        (Reason::INADEQUATE_SECURITY, "7"),
    ] {
        let (before, _calls) = fake(move |mut call| call.respond.send_reset(reason)).await;
        let (after, _calls) = fake(move |mut call| {
            let mut body = call.with(head(), false);
            body.send_data(request(&["a"]).into(), false).unwrap();
            body.send_reset(reason);
        })
        .await;
        for addr in [before, after] {
            let gateway = gateway_to(at(addr)).await;
            for way in Way::ALL {
                let answer = calling(&gateway, way, UNARY, &["a"]).await;

                assert_eq!(answer.code(), code, "{way:?} {reason:?}: {}", answer.message());
                assert!(answer.message().starts_with("the upstream reset the call"), "{}", answer.message());
            }
            gateway.stopped().await;
        }
    }
}

#[tokio::test]
async fn a_lost_connection_ends_a_stream_with_a_status() {
    let mut upstream = Server::start(|options| options.drain_timeout = std::time::Duration::ZERO).await;
    let gateway = gateway_to(at(upstream.addr)).await;
    let response = Http2::open(gateway.addr).await.call(SILENT).await;
    eventually("the stream of the upstream", || upstream.watch.streams.load(Ordering::SeqCst) == 1).await;

    upstream.begin_stop();

    let body = response.into_body().collect().await.unwrap();
    assert_eq!(body.trailers().unwrap()["grpc-status"], "14");
    upstream.stopped().await;
    gateway.stopped().await;
}

#[tokio::test]
async fn a_response_without_a_status_is_internal() {
    let (ended, _calls) = fake(|mut call| drop(call.with(head(), true))).await;
    let (without_status, _calls) = fake(|mut call| {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-other", HeaderValue::from_static("a"));
        call.with(head(), false).send_trailers(trailers).unwrap();
    })
    .await;
    for addr in [ended, without_status] {
        let gateway = gateway_to(at(addr)).await;
        for way in Way::ALL {
            let answer = calling(&gateway, way, UNARY, &["a"]).await;

            assert_eq!(answer.code(), "13", "{way:?}");
            assert_eq!(answer.message(), "the upstream ended its response without a status", "{way:?}");
        }
        gateway.stopped().await;
    }
}

#[tokio::test]
async fn a_response_that_is_not_grpc_has_the_code_of_its_http_status() {
    for (status, code) in [(200, "2"), (401, "16"), (404, "12"), (503, "14")] {
        let (addr, _calls) = fake(move |mut call| {
            let head = Response::builder()
                .status(StatusCode::from_u16(status).unwrap())
                .header("content-type", "text/html");
            call.with(head.body(()).unwrap(), false).send_data("<h1>page</h1>".into(), true).unwrap();
        })
        .await;
        let gateway = gateway_to(at(addr)).await;
        for way in Way::ALL {
            let answer = calling(&gateway, way, UNARY, &["a"]).await;

            assert_eq!(answer.code(), code, "{way:?} {status}");
            let message = format!("the upstream responded with HTTP status {status} instead of gRPC");
            assert_eq!(answer.message(), message, "{way:?}");
        }
        gateway.stopped().await;
    }
}

#[test]
fn wrong_urls_are_refused() {
    assert!(matches!(Upstream::new("a b"), Err(UpstreamError::Url(_))));
    for url in ["localhost:50052", "/path", "ftp://localhost", "127.0.0.1"] {
        assert!(matches!(Upstream::new(url), Err(UpstreamError::Scheme)), "{url}");
    }
    assert!(matches!(Upstream::new("http://localhost/?a=b"), Err(UpstreamError::Query)));
    for pem in ["", "-----BEGIN CERTIFICATE-----\n!\n", "a text"] {
        let refusal = Upstream::with_authorities("https://localhost", pem.as_bytes());
        assert!(matches!(refusal, Err(UpstreamError::Authorities(_))), "{pem:?}");
    }
}

/// The default limits hold for calls to upstreams, too.
#[tokio::test]
async fn the_limits_of_the_port_apply() {
    let upstream = Server::start(|_| {}).await;
    let gateway = Server::start_gateway(
        |options: &mut ServeOptions| options.max_calls_per_address = 1,
        App::new(Gateway::new(at(upstream.addr)).into()),
    )
    .await;
    let open = Http2::open(gateway.addr).await.call(SILENT).await;

    let refused = calling(&gateway, Way::Web, UNARY, &["a"]).await;

    assert_eq!(refused.code(), "8", "{}", refused.message());
    drop(open);
    gateway.stopped().await;
    upstream.stopped().await;
}

#[tokio::test]
async fn requests_that_end_with_an_empty_frame_do_not_end_the_upstreams_connection() {
    // Clients that do not know the end with the last message send it alone. HTTP/2 servers take few empty frames that are not
    // the end of a request, 100 for a connection of `h2`.
    const CALLS: usize = 300;
    let upstream = Server::start(|_| {}).await;
    let gateway = gateway_to(at(upstream.addr)).await;
    let stream = TcpStream::connect(gateway.addr).await.unwrap();
    let (mut sender, connection) = h2::client::handshake(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    for number in 0..CALLS {
        let call = call(Way::Native, UNARY, &[]).map(|_| ());
        let (response, mut sending) =
            sender.clone().ready().await.unwrap().send_request(call, false).unwrap();
        sending.send_data(request(&["a"]).into(), false).unwrap();
        // A frame of its own: the response has not begun before it.
        tokio::task::yield_now().await;
        sending.send_data(Bytes::new(), true).unwrap();
        let (head, mut body) = response.await.unwrap().into_parts();
        while let Some(data) = body.data().await {
            body.flow_control().release_capacity(data.unwrap().len()).unwrap();
        }
        let trailers = body.trailers().await.unwrap().unwrap_or_default();
        let status = trailers.get("grpc-status").or(head.headers.get("grpc-status"));
        assert_eq!(status.unwrap(), "0", "call {number}: {head:?}");
    }
    sender = sender.ready().await.unwrap();
    drop(sender);
    connection.await.unwrap().unwrap();
    gateway.stopped().await;
    upstream.stopped().await;
}
