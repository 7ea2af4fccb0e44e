//! The real program under a path of its origin.

use std::process::Stdio;

use http::{HeaderValue, StatusCode};
use proto::chat::v1::JoinRequest;
use proto::helloworld::HelloRequest;
use tokio::time::timeout;

use crate::support::http::{Answer, Http, fetch, get, web_call};
use crate::support::{ChildServer, PATIENCE, TestServer, command, listening_address};

fn flags(flags: &[&str]) -> Vec<String> {
    flags.iter().map(|flag| (*flag).to_owned()).collect()
}

async fn joined_at(server: &ChildServer, prefix: &str) -> Answer {
    let join = JoinRequest { name: "Ada".to_owned(), return_token: false, ..Default::default() };
    let join = web_call("application/grpc-web+proto", &format!("{prefix}/chat.v1.ChatService/Join"), &join);
    fetch(server.addr, Http::One, join).await
}

#[tokio::test]
async fn cookie_and_health_are_under_the_path() {
    for (more, prefix) in [(&[][..], "chinwag_session_"), (&["--secure-cookie"], "__Secure-chinwag_session_")]
    {
        let server = ChildServer::start_with(&flags(&[&["--base-path=/chat/"], more].concat())).await;
        std::fs::create_dir_all(server.page_dir()).unwrap();
        std::fs::write(server.page_dir().join("index.html"), "<base href=\"/\"><p>a page").unwrap();

        let cookie = joined_at(&server, "/chat").await.header("set-cookie").to_owned();

        assert!(cookie.starts_with(prefix) && cookie.contains("; Path=/chat/; "), "{cookie}");
        let mut session = web_call(
            "application/grpc-web+proto",
            "/chat/chat.v1.ChatService/ListRooms",
            &HelloRequest::default(),
        );
        let pair = HeaderValue::from_str(cookie.split(';').next().unwrap()).unwrap();
        session.headers_mut().insert("cookie", pair);
        assert_eq!(fetch(server.addr, Http::One, session).await.header("grpc-status"), "");
        assert_eq!(joined_at(&server, "").await.header("grpc-status"), "12");
        assert_eq!(get(server.addr, "/chat/readyz", &[]).await.text(), "ok\n");
        assert_eq!(get(server.addr, "/readyz", &[]).await.text(), "this server is under /chat/\n");
        let page = get(server.addr, "/chat/room/general", &[]).await;
        assert_eq!(page.text(), "<base href=\"/chat/\"><p>a page");
    }
}

#[tokio::test]
async fn path_of_the_environment_may_be_removed_by_a_proxy() {
    let env = [("CHINWAG_BASE_PATH", "/chat/"), ("CHINWAG_BASE_PATH_STRIPPED", "true")];
    let server = ChildServer::start_with_env(&env).await;
    let cookie = joined_at(&server, "").await.header("set-cookie").to_owned();
    assert!(cookie.contains("; Path=/chat/; "), "{cookie}");
    assert_eq!(get(server.addr, "/readyz", &[]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn gateway_passes_calls_on_without_the_path() {
    let upstream = TestServer::start().await;
    let mut gateway = command();
    gateway.args(["gateway", "--listen=127.0.0.1:0", "--base-path=/a/b/"]);
    gateway.arg(format!("--upstream={}", upstream.url()));
    let mut gateway = gateway.spawn().unwrap();
    let addr = listening_address(&mut gateway).await;
    let hello = HelloRequest { name: "World".to_owned() };
    let call = |path: &str| web_call("application/grpc-web+proto", path, &hello);

    let below = fetch(addr, Http::One, call("/a/b/helloworld.Greeter/SayHello")).await;
    let outside = fetch(addr, Http::One, call("/helloworld.Greeter/SayHello")).await;

    assert!(String::from_utf8_lossy(&below.body).contains("Hello, World!"));
    assert_eq!(outside.header("grpc-status"), "12");
    upstream.shutdown().await;
}

#[tokio::test]
async fn wrong_path_is_refused_before_the_port_is_bound() {
    for value in ["chat", "/chat", "chat/", "//", "/a b/", "/../", "", "https://chat.example/"] {
        let mut server = command();
        server.arg(format!("--base-path={value}")).stderr(Stdio::piped());
        let ended = timeout(PATIENCE, server.output()).await.expect("it runs").unwrap();

        assert_eq!(ended.status.code(), Some(2), "{value}");
        assert!(ended.stdout.is_empty(), "{value}");
        let refusal = String::from_utf8(ended.stderr).unwrap();
        assert!(refusal.contains("--base-path <PATH>"), "{value}: {refusal}");
        assert!(value.is_empty() || refusal.contains("for example /chat/"), "{value}: {refusal}");
    }
}
