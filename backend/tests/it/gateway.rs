//! The real program as a gateway.

use std::process::Stdio;

use http::StatusCode;
use prost::Message as _;
use proto::helloworld::{HelloReply, HelloRequest};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::time::timeout;

use crate::chat_client::eventually;
use crate::support::http::{Http, WebFrame, fetch, get, web_call, web_frames};
use crate::support::{PATIENCE, TestServer, command, listening_address};

#[tokio::test]
async fn page_calls_another_server_through_the_gateway() {
    let upstream = TestServer::start().await;
    let page = TempDir::new().unwrap();
    std::fs::write(page.path().join("index.html"), "<p>a page").unwrap();
    let mut gateway = command();
    gateway.args(["gateway", "--listen=127.0.0.1:0"]).arg("--page").arg(page.path());
    gateway.arg(format!("--route=helloworld.Greeter=http://{}", upstream.addr));
    let mut gateway = gateway.spawn().unwrap();
    let addr = listening_address(&mut gateway).await;
    let hello = || {
        let request = HelloRequest { name: "World".to_owned() };
        web_call("application/grpc-web+proto", "/helloworld.Greeter/SayHello", &request)
    };

    let document = get(addr, "/", &[]).await;
    let answers = [fetch(addr, Http::One, hello()).await, fetch(addr, Http::Two, hello()).await];
    let other = web_call("application/grpc-web+proto", "/other.Service/Method", &HelloRequest::default());
    let other = fetch(addr, Http::One, other).await;

    eventually("an answer to the first check", async || get(addr, "/readyz", &[]).await.text() == "ok\n")
        .await;
    assert_eq!((document.status, document.text()), (StatusCode::OK, "<p>a page"));
    for answer in answers {
        let frames = web_frames(answer.body);
        let Some(WebFrame::Message(message)) = frames.first() else { panic!("no message first") };
        assert_eq!(HelloReply::decode(message.clone()).unwrap().message, "Hello, World!");
    }
    assert_eq!(other.header("grpc-status"), "12");
    let pid = Pid::from_raw(gateway.id().unwrap().try_into().unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    let ended = timeout(PATIENCE, gateway.wait()).await.expect("the gateway did not end in time").unwrap();
    assert_eq!(ended.code(), Some(0));
    upstream.shutdown().await;
}

#[tokio::test]
async fn a_gateway_to_a_stopped_server_is_not_ready() {
    let upstream = TestServer::start().await;
    let mut gateway = command();
    gateway.args(["gateway", "--listen=127.0.0.1:0", "--upstream-health=1"]);
    let mut gateway = gateway.arg(format!("--upstream=http://{}", upstream.addr)).spawn().unwrap();
    let addr = listening_address(&mut gateway).await;
    let readiness = async || get(addr, "/readyz", &[]).await;
    eventually("an answer to the first check", async || readiness().await.text() == "ok\n").await;

    upstream.shutdown().await;

    eventually("the end of readiness", async || readiness().await.status == StatusCode::SERVICE_UNAVAILABLE)
        .await;
    assert_eq!(readiness().await.text(), "no upstream is healthy\n");
    assert_eq!(get(addr, "/healthz", &[]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn wrong_flags_are_refused_before_the_port_is_bound() {
    for (arguments, parts) in [
        (&[][..], &["--upstream <URL>"][..]),
        (&["--upstream=127.0.0.1:50052"], &["--upstream <URL>", "it has to begin with http:// or https://"]),
        (&["--upstream=http://a/?b"], &["--upstream <URL>", "without a query"]),
        (
            &["--route=helloworld.Greeter"],
            &["--route <SERVICE=URL>", "helloworld.Greeter=http://127.0.0.1:50052"],
        ),
        (&["--route=a.B=50052"], &["--route <SERVICE=URL>", "it has to begin with http:// or https://"]),
        (&["--upstream=http://a", "--upstream-authorities=missing"], &["--upstream-authorities <FILE>"]),
        (&["--upstream=http://a", "--page=/dev/null"], &["--page <DIR>", "it has to be a directory"]),
        (&["--upstream=http://a", "--tls-key=key"], &["--tls-certificate <FILE>"]),
        (&["--upstream=http://a", "--data=here"], &["--data"]),
    ] {
        let mut gateway = command();
        gateway.arg("gateway").args(arguments).stderr(Stdio::piped());
        let ended = timeout(PATIENCE, gateway.output()).await.expect("it runs").unwrap();

        assert_eq!(ended.status.code(), Some(2), "{arguments:?}");
        assert!(ended.stdout.is_empty(), "{arguments:?}");
        let refusal = String::from_utf8(ended.stderr).unwrap();
        for part in parts {
            assert!(refusal.contains(part), "{arguments:?}: {refusal}");
        }
    }
}
