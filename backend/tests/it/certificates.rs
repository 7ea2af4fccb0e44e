//! The real program while its certificate is renewed, its cookies under https, and redirects to https.

use std::fs;
use std::net::SocketAddr;
use std::process::Stdio;

use http::{Method, StatusCode};
use proto::chat::v1::{GetSessionRequest, JoinRequest};
use proto::helloworld::HelloRequest;
use rustix::process::Signal;
use tempfile::TempDir;
use tokio::time::timeout;

use crate::chat_client::eventually;
use crate::support::http::{Answer, Http, bare, fetch, get, open_over, read, web_call};
use crate::support::{ChildServer, PATIENCE, command};
use crate::tls::Files;
use crate::web::Logged;

const LISTEN: &str = "--listen=127.0.0.1:0";

async fn start(files: &Files, more: &[&str]) -> Logged {
    let flags = more.iter().map(|flag| (*flag).to_owned()).chain(files.flags()).chain([LISTEN.to_owned()]);
    Logged::start(&flags.collect::<Vec<_>>()).await
}

#[tokio::test]
async fn renewed_files_are_used_without_a_restart() {
    let mut files = Files::new();
    let mut server = start(&files, &[]).await;
    let before = files.try_connect(server.addr, Http::One).await.unwrap();

    files.renew();

    let (addr, renewed) = (server.addr, &files);
    eventually("the new certificate is used", async || renewed.try_connect(addr, Http::One).await.is_ok())
        .await;
    server.logged("using the certificate and key").await;
    // A connection that was open goes on.
    let hello = web_call("application/grpc-web", "/helloworld.Greeter/SayHello", &HelloRequest::default());
    assert_eq!(read(open_over(before, addr, Http::One, hello).await).await.status, StatusCode::OK);
    assert_eq!(server.ended().await, Some(0));
}

#[tokio::test]
async fn hangup_reads_the_files_and_does_not_end_the_server() {
    let files = Files::new();
    let mut server = start(&files, &[]).await;
    for _ in 0..2 {
        server.send(Signal::HUP);
        let line = server.logged("using the certificate and key").await;
        assert!(line.contains(" INFO "), "{line}");
    }
    assert!(files.try_connect(server.addr, Http::Two).await.is_ok());
    assert_eq!(server.ended().await, Some(0));
}

#[tokio::test]
async fn unusable_new_files_are_logged_and_the_old_certificate_stays() {
    let mut files = Files::new();
    let mut server = start(&files, &[]).await;
    let good = fs::read(files.path("key.pem")).unwrap();
    for (name, contents, reason) in [
        ("key.pem", &b"no key"[..], "no private key"),
        ("key.pem", &Files::new().key()[..], "it is not the key of"),
        ("certificate.pem", b"", "no certificate"),
    ] {
        let path = files.path(name);
        let before = fs::read(&path).unwrap();
        fs::write(&path, contents).unwrap();
        server.send(Signal::HUP);

        let line = server.logged(reason).await;

        assert!(line.contains(" ERROR ") && line.contains(&path), "{line}");
        assert!(files.try_connect(server.addr, Http::One).await.is_ok(), "{name}: the old one is used");
        fs::write(&path, before).unwrap();
    }
    fs::remove_file(files.path("key.pem")).unwrap();
    server.send(Signal::HUP);
    let line = server.logged("a file that can be read").await;
    assert!(line.contains(" ERROR ") && line.contains("key.pem"), "{line}");
    fs::write(files.path("key.pem"), good).unwrap();

    files.renew();
    server.send(Signal::HUP);

    let (addr, renewed) = (server.addr, &files);
    eventually("the repaired pair is used", async || renewed.try_connect(addr, Http::One).await.is_ok())
        .await;
    assert_eq!(server.ended().await, Some(0));
}

#[tokio::test]
async fn certificate_that_expires_soon_is_warned_of_at_the_start() {
    let dir = TempDir::new().unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    let end = std::time::SystemTime::now() + std::time::Duration::from_secs(10 * 24 * 60 * 60);
    params.not_after = end.into();
    let (certificate, key_file) = (dir.path().join("certificate.pem"), dir.path().join("key.pem"));
    fs::write(&certificate, params.self_signed(&key).unwrap().pem()).unwrap();
    fs::write(&key_file, key.serialize_pem()).unwrap();

    let mut server = Logged::start(&[
        LISTEN.to_owned(),
        format!("--tls-certificate={}", certificate.display()),
        format!("--tls-key={}", key_file.display()),
    ])
    .await;

    let line = server.logged("expires soon").await;
    assert!(line.contains(" WARN ") && line.contains("days_left=9"), "{line}");
    assert_eq!(server.ended().await, Some(0));
}

fn cookies(answer: &Answer) -> Vec<&str> {
    answer.headers.get_all("set-cookie").iter().map(|cookie| cookie.to_str().unwrap()).collect()
}

#[tokio::test]
async fn cookie_of_https_belongs_to_the_host_alone_and_replaces_the_one_from_before() {
    let files = Files::new();
    let server = ChildServer::start_with(&files.flags()).await;
    let join = JoinRequest { name: "Ada".to_owned(), return_token: false, ..Default::default() };
    let join = web_call("application/grpc-web+proto", "/chat.v1.ChatService/Join", &join);
    let joined = files.fetch(&server, Http::One, join).await;
    let cookie = cookies(&joined)[0].to_owned();
    assert!(cookie.starts_with("__Host-chinwag_session_"), "{cookie}");
    assert!(cookie.contains("; Path=/; ") && cookie.ends_with("; Secure"), "{cookie}");
    assert!(!cookie.contains("Domain"), "{cookie}");

    // The cookie that the same browser would have from the time before https.
    let pair = cookie.split(';').next().unwrap();
    let old = pair.strip_prefix("__Host-").unwrap();
    for (sent, set) in [(pair, 1), (old, 2)] {
        let mut session =
            web_call("application/grpc-web+proto", "/chat.v1.ChatService/GetSession", &GetSessionRequest {});
        session.headers_mut().insert("cookie", sent.parse().unwrap());
        let answer = files.fetch(&server, Http::Two, session).await;
        assert_eq!(answer.header("grpc-status"), "", "{:?}", answer.headers);
        let cookies = cookies(&answer);
        assert_eq!(cookies.len(), set, "{cookies:?}");
        assert!(cookies[0].starts_with(pair), "{cookies:?}");
        if set == 2 {
            let (name, _) = old.split_once('=').unwrap();
            assert!(
                cookies[1].starts_with(&format!("{name}=; ")) && cookies[1].contains("Max-Age=0"),
                "{cookies:?}"
            );
        }
    }
}

#[tokio::test]
async fn http_is_redirected_to_https_for_allowed_hosts() {
    let files = Files::new();
    let mut server = start(&files, &["--redirect-http=127.0.0.1:0", "--host=chat.example"]).await;
    let line = server.logged("redirect.listen=").await;
    let address = line.split("redirect.listen=").nth(1).unwrap().split_whitespace().next().unwrap();
    let addr: SocketAddr = address.parse().unwrap();
    let port = server.addr.port();

    for (host, target) in [("chat.example", "/room/a?b=c"), ("chat.example:80", "/"), ("127.0.0.1", "/x")] {
        let answer = get(addr, target, &[("host", host)]).await;
        assert_eq!(answer.status, StatusCode::PERMANENT_REDIRECT, "{host}");
        let name = host.split(':').next().unwrap();
        assert_eq!(answer.header("location"), format!("https://{name}:{port}{target}"));
        assert_eq!(answer.header("strict-transport-security"), "", "browsers ignore it by http");
    }
    let posted = fetch(addr, Http::One, bare(Method::POST, "/healthz")).await;
    assert_eq!(posted.status, StatusCode::PERMANENT_REDIRECT);
    let foreign = get(addr, "/", &[("host", "evil.example")]).await;
    assert_eq!((foreign.status, foreign.header("location")), (StatusCode::MISDIRECTED_REQUEST, ""));
    assert_eq!(server.ended().await, Some(0));
}

#[tokio::test]
async fn redirect_needs_a_certificate_and_a_port_of_its_own() {
    let (dir, files) = (TempDir::new().unwrap(), Files::new());
    let tls = files.flags();
    for (flags, part) in [
        (vec![LISTEN.to_owned(), "--redirect-http=127.0.0.1:0".to_owned()], "--tls-certificate <FILE>"),
        (
            [&tls[..], &["--listen=127.0.0.1:50991".to_owned(), "--redirect-http=0.0.0.0:50991".to_owned()]]
                .concat(),
            "another port than that of --listen",
        ),
        (
            [&tls[..], &["--admin=127.0.0.1:50992".to_owned(), "--redirect-http=127.0.0.1:50992".to_owned()]]
                .concat(),
            "another port than that of --admin",
        ),
    ] {
        let mut command = command();
        command.args(&flags).arg("--data").arg(dir.path()).stderr(Stdio::piped());
        let ended = timeout(PATIENCE, command.output()).await.expect("it did not end in time").unwrap();
        let error = String::from_utf8(ended.stderr).unwrap();
        assert_eq!((ended.status.code(), &ended.stdout[..]), (Some(2), &b""[..]), "{error}");
        assert!(error.contains(part) && error.contains("--redirect-http"), "{part:?} is not in {error}");
    }
}
