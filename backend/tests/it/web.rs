//! Host names, CORS headers, proxies, hangups and certificates of the real program.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;

use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode};
use http_body_util::Full;
use proto::chat::v1::JoinRequest;
use proto::helloworld::HelloRequest;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStderr, Command};
use tokio::time::timeout;

use crate::support::http::{Answer, Http, fetch, get, web_call};
use crate::support::{ChildServer, PATIENCE, TestServer, command, listening_address};

const EVIL: &str = "evil.example";

fn flags(flags: &[&str]) -> Vec<String> {
    flags.iter().map(|flag| (*flag).to_owned()).collect()
}

/// The real program with its log lines.
pub(crate) struct Logged {
    pub(crate) addr: SocketAddr,
    child: Child,
    log: Lines<BufReader<ChildStderr>>,
    _dir: Option<TempDir>,
}

impl Logged {
    pub(crate) async fn start(flags: &[String]) -> Self {
        let dir = TempDir::new().unwrap();
        let mut command = command();
        command.arg("--data").arg(dir.path()).args(flags);
        Self { _dir: Some(dir), ..Self::start_command(command).await }
    }

    /// Starts a command that names its data folder.
    pub(crate) async fn start_command(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let addr = listening_address(&mut child).await;
        let log = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { addr, child, log, _dir: None }
    }

    /// Waits for a log line that contains `part`.
    pub(crate) async fn logged(&mut self, part: &str) -> String {
        let reading = async {
            while let Some(line) = self.log.next_line().await.unwrap() {
                if line.contains(part) {
                    return line;
                }
            }
            panic!("the program ended without {part:?} in its log")
        };
        timeout(PATIENCE, reading).await.expect("it is not logged in time")
    }

    pub(crate) fn send(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().unwrap().try_into().unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    pub(crate) async fn ended(mut self) -> Option<i32> {
        self.send(Signal::TERM);
        timeout(PATIENCE, self.child.wait()).await.expect("it does not end").unwrap().code()
    }
}

fn join() -> Request<Full<Bytes>> {
    let join = JoinRequest { name: "Ada".to_owned(), return_token: false, ..Default::default() };
    web_call("application/grpc-web+proto", "/chat.v1.ChatService/Join", &join)
}

async fn joined_at(addr: SocketAddr, host: &str, origin: &str) -> Answer {
    let mut join = join();
    join.headers_mut().insert("host", HeaderValue::from_str(host).unwrap());
    join.headers_mut().insert("origin", HeaderValue::from_str(origin).unwrap());
    fetch(addr, Http::One, join).await
}

#[tokio::test]
async fn rebound_host_name_gets_neither_page_nor_session() {
    let server = ChildServer::start().await;

    let page = get(server.addr, "/", &[("host", EVIL)]).await;
    let join = joined_at(server.addr, EVIL, "http://evil.example").await;

    assert_eq!(page.status, StatusCode::MISDIRECTED_REQUEST);
    assert!(page.text().contains("--host"), "{}", page.text());
    assert_eq!((join.header("grpc-status"), join.header("set-cookie")), ("7", ""));
    let own = joined_at(server.addr, "localhost:50051", "http://localhost:50051").await;
    assert!(own.header("set-cookie").contains('='), "{:?}", own.headers);
}

#[tokio::test]
async fn configured_host_name_is_answered() {
    let server =
        ChildServer::start_with(&flags(&["--host=chat.example,b.example", "--host=c.example"])).await;
    for host in ["chat.example", "b.example:8443", "C.example", "127.0.0.1"] {
        let page = get(server.addr, "/", &[("host", host)]).await;
        assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE, "it is not built: {host}");
    }
    assert_eq!(get(server.addr, "/", &[("host", EVIL)]).await.status, StatusCode::MISDIRECTED_REQUEST);
}

#[tokio::test]
async fn session_cannot_be_used_from_a_page_of_another_site() {
    let server = TestServer::start().await;
    let joined = joined_at(server.addr, "localhost", "http://localhost").await;
    let cookie = joined.header("set-cookie").split(';').next().unwrap().to_owned();
    for (site, code) in [("cross-site", "7"), ("same-site", "7"), ("same-origin", "")] {
        let mut call = web_call(
            "application/grpc-web+proto",
            "/chat.v1.ChatService/ListRooms",
            &HelloRequest::default(),
        );
        call.headers_mut().insert("cookie", HeaderValue::from_str(&cookie).unwrap());
        call.headers_mut().insert("sec-fetch-site", HeaderValue::from_static(site));
        let answer = fetch(server.addr, Http::Two, call).await;
        assert_eq!(answer.header("grpc-status"), code, "{site}");
    }
    server.shutdown().await;
}

#[tokio::test]
async fn only_own_pages_and_those_of_a_debug_builds_development_open_a_socket() {
    let server = TestServer::start().await;
    let own = format!("http://{}", server.addr);
    let development = if cfg!(debug_assertions) { 101 } else { 403 };
    for (origin, status) in [
        (own.as_str(), 101),
        ("http://127.0.0.1:8080", development),
        ("http://localhost:8080", development),
        ("http://localhost:3000", 403),
        ("http://127.0.0.1", 403),
        ("http://evil.example:8080", 403),
    ] {
        let handshake = [
            ("origin", origin),
            ("connection", "upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("sec-websocket-protocol", "h2ts"),
        ];
        assert_eq!(get(server.addr, "/socket", &handshake).await.status.as_u16(), status, "{origin}");
    }
    server.shutdown().await;
}

#[tokio::test]
async fn listed_origins_may_send_configured_headers() {
    let server = ChildServer::start_with(&flags(&[
        "--cors-origin=tauri://localhost",
        "--cors-header=traceparent,X-Request-Id",
    ]))
    .await;
    let asking = Request::options("/helloworld.Greeter/SayHello")
        .header("origin", "tauri://localhost")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "traceparent")
        .body(Full::default())
        .unwrap();

    let answer = fetch(server.addr, Http::One, asking).await;

    assert_eq!(answer.header("access-control-allow-origin"), "tauri://localhost");
    let allowed = answer.header("access-control-allow-headers");
    for name in ["traceparent", "x-request-id", "x-grpc-web"] {
        assert!(allowed.split(',').any(|allowed| allowed == name), "{name} is not in {allowed}");
    }
}

#[tokio::test]
async fn only_trusted_proxies_may_send_a_proxy_header() {
    const REQUEST: &[u8] =
        b"PROXY TCP4 203.0.113.9 127.0.0.1 50000 80\r\nGET /greeter HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    for (trusted, status) in [(&["--trusted-proxy=127.0.0.0/8"][..], "HTTP/1.1 503 "), (&[], "HTTP/1.1 400 ")]
    {
        let server = ChildServer::start_with(&flags(trusted)).await;
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        stream.write_all(REQUEST).await.unwrap();
        let mut answer = String::new();
        timeout(PATIENCE, stream.read_to_string(&mut answer)).await.expect("no answer in time").unwrap();
        assert!(answer.starts_with(status), "{trusted:?}: {answer}");
    }
}

#[tokio::test]
async fn wildcard_address_accepts_ipv4_and_warns_about_missing_host_names() {
    let mut server = Logged::start(&flags(&["--listen=[::]:0"])).await;

    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, server.addr.port()));
    let page = get(addr, "/", &[]).await;

    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE, "there is no page to show");
    server.logged("--host").await;
    assert_eq!(server.ended().await, Some(0));
}

#[tokio::test]
async fn idle_connection_is_closed_after_the_configured_time() {
    let server = ChildServer::start_with(&flags(&["--keep-alive=1"])).await;
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();

    let mut answer = String::new();
    // With the default it would stay open for longer than the test waits. A head may take 30 s all the same.
    timeout(PATIENCE, stream.read_to_string(&mut answer)).await.expect("it stays open").unwrap();

    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn hangup_does_not_end_a_service() {
    let mut server = Logged::start(&flags(&["--listen=127.0.0.1:0"])).await;

    for _ in 0..2 {
        server.send(Signal::HUP);
        server.logged("ignoring a hangup").await;
    }

    let call = web_call("application/grpc-web", "/helloworld.Greeter/SayHello", &HelloRequest::default());
    assert_eq!(fetch(server.addr, Http::One, call).await.status, StatusCode::OK);
    assert_eq!(server.ended().await, Some(0));
}

#[tokio::test]
async fn expired_certificate_is_logged_at_the_start() {
    let dir = TempDir::new().unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let file = |name: &str, text: String| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let certificate = file("certificate.pem", params.self_signed(&key).unwrap().pem());
    let key = file("key.pem", key.serialize_pem());
    let tls = [format!("--tls-certificate={certificate}"), format!("--tls-key={key}")];

    let mut server = Logged::start(&[&flags(&["--listen=127.0.0.1:0"])[..], &tls].concat()).await;

    let line = server.logged("the certificate has expired").await;
    assert!(line.contains("ERROR"), "{line}");
    assert_eq!(server.ended().await, Some(0));
}

#[tokio::test]
async fn refused_page_is_logged_with_the_flag_that_allows_it() {
    let mut server = Logged::start(&flags(&["--listen=127.0.0.1:0"])).await;
    let address = server.addr.to_string();
    let joined = joined_at(server.addr, &address, "http://chat.example").await;
    let mut call =
        web_call("application/grpc-web+proto", "/chat.v1.ChatService/GetSession", &HelloRequest::default());
    let headers = call.headers_mut();
    headers.insert("host", HeaderValue::from_str(&address).unwrap());
    headers.insert("origin", HeaderValue::from_static("http://chat.example"));
    headers.insert(
        "cookie",
        HeaderValue::from_str(joined.header("set-cookie").split(';').next().unwrap()).unwrap(),
    );

    assert_eq!(fetch(server.addr, Http::One, call).await.header("grpc-status"), "7");

    let line = server.logged("does not pass on the host name").await;
    assert!(line.contains("WARN") && line.contains("--host"), "{line}");
    assert_eq!(server.ended().await, Some(0));
}

#[tokio::test]
async fn page_whose_origin_is_not_listed_is_logged() {
    for cors in [&[][..], &["--cors-origin=https://listed.example"][..]] {
        let mut server = Logged::start(&[&flags(&["--listen=127.0.0.1:0"])[..], &flags(cors)].concat()).await;
        let preflight = Request::options("/helloworld.Greeter/SayHello")
            .header("origin", "http://other.example:8080")
            .header("access-control-request-method", "POST")
            .body(Full::<Bytes>::default())
            .unwrap();

        fetch(server.addr, Http::One, preflight).await;

        let line = server.logged("list the origin for CORS").await;
        assert!(line.contains("WARN") && line.contains("http://other.example:8080"), "{line}");
        assert_eq!(server.ended().await, Some(0));
    }
}
