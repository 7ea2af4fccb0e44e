//! Deadlines, cancellation, errors and events of single calls against a real server.

use std::time::Duration;

use futures_util::StreamExt as _;
use http::Request;
use tokio::net::{TcpListener, TcpStream};
use tonic::Code;
use tonic::body::Body;
use tonic_health::pb::HealthCheckResponse;
use tonic_health::pb::health_client::HealthClient;
use tonic_web_channel::retry::RetryPolicy;
use tonic_web_channel::{Channel, Error, Method, MethodKind, RequestExt as _};
use tower::Service as _;

use crate::support::canned::{Canned, reply};
use crate::support::{Seen, TestServer, ask_for};

#[tokio::test]
async fn a_generated_client_calls_through_the_channel() {
    let server = TestServer::start().await;
    let channel = Channel::builder(server.uri()).build().unwrap();

    let reply = HealthClient::new(channel).check(ask_for("any")).await.unwrap();

    assert_eq!(reply.get_ref().status, 1);
}

#[tokio::test]
async fn the_default_deadline_is_sent_and_enforced() {
    let mut server = TestServer::start().await;
    let channel = Channel::builder(server.uri()).deadline(Duration::from_millis(150)).build().unwrap();

    let status = HealthClient::new(channel).check(ask_for("hang")).await.unwrap_err();

    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(server.calls.recv().await.unwrap().get("grpc-timeout").unwrap(), "150m");
}

#[tokio::test]
async fn a_call_s_own_deadline_wins_over_the_default() {
    let server = TestServer::start().await;
    let channel = Channel::builder(server.uri()).deadline(Duration::from_secs(3_600)).build().unwrap();
    let mut request = ask_for("hang");
    request.set_timeout(Duration::from_millis(100));

    let status = HealthClient::new(channel).check(request).await.unwrap_err();

    assert_eq!(status.code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn a_stream_ends_at_its_deadline_after_messages() {
    let mut server = TestServer::start().await;
    let channel = Channel::builder(server.uri()).build().unwrap();
    let mut request = ask_for("any");
    request.set_timeout(Duration::from_millis(300));

    let mut stream = HealthClient::new(channel).watch(request).await.unwrap().into_inner();
    let answers = server.watched.recv().await.unwrap();
    answers.send(Ok(HealthCheckResponse { status: 1 })).await.unwrap();

    assert_eq!(stream.next().await.unwrap().unwrap().status, 1);
    assert_eq!(stream.next().await.unwrap().unwrap_err().code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn an_exempt_stream_has_no_deadline() {
    let mut server = TestServer::start().await;
    let channel = Channel::builder(server.uri()).deadline(Duration::from_secs(1)).build().unwrap();
    let mut request = ask_for("any");
    request.no_deadline();

    HealthClient::new(channel).watch(request).await.unwrap();

    assert!(server.calls.recv().await.unwrap().get("grpc-timeout").is_none());
}

#[tokio::test]
async fn dropping_a_stream_cancels_it_on_the_server() {
    let mut server = TestServer::start().await;
    let seen = Seen::default();
    let channel = Channel::builder(server.uri()).observer(seen.observer()).build().unwrap();

    let stream = HealthClient::new(channel).watch(ask_for("any")).await.unwrap();
    let answers = server.watched.recv().await.unwrap();
    drop(stream);

    // Ends when the server has dropped its side.
    answers.closed().await;
    assert_eq!(seen.lines().last().unwrap(), "ended Cancelled");
}

#[tokio::test]
async fn dropping_a_call_s_future_reports_cancelled() {
    let mut server = TestServer::start().await;
    let seen = Seen::default();
    let channel = Channel::builder(server.uri()).observer(seen.observer()).build().unwrap();

    let mut client = HealthClient::new(channel);
    tokio::select! {
        _ = client.check(ask_for("hang")) => panic!("it hangs"),
        _ = server.calls.recv() => {}
    }

    assert_eq!(seen.lines().last().unwrap(), "ended Cancelled");
}

#[tokio::test]
async fn an_observer_sees_every_step_of_a_call() {
    let mut server = TestServer::start().await;
    let seen = Seen::default();
    let channel = Channel::builder(server.uri()).observer(seen.observer()).build().unwrap();
    let mut client = HealthClient::new(channel);

    client.check(ask_for("abc")).await.unwrap();
    client.check(ask_for("missing")).await.unwrap_err();
    let mut stream = client.watch(ask_for("")).await.unwrap().into_inner();
    let answers = server.watched.recv().await.unwrap();
    answers.send(Ok(HealthCheckResponse { status: 2 })).await.unwrap();
    drop(answers);
    stream.next().await.unwrap().unwrap();
    assert!(stream.next().await.is_none());

    assert_eq!(
        seen.lines(),
        [
            // Tag, length and three letters; tag and enum value.
            "started /grpc.health.v1.Health/Check",
            "attempt 1",
            "sent 5",
            "headers",
            "received 2",
            "ended Ok",
            // The status came in the headers, as it does when there is no body.
            "started /grpc.health.v1.Health/Check",
            "attempt 1",
            "sent 9",
            "headers",
            "ended NotFound",
            "started /grpc.health.v1.Health/Watch",
            "attempt 1",
            "sent 0",
            "headers",
            "received 2",
            "ended Ok",
        ]
    );
}

#[tokio::test]
async fn each_observer_sees_each_event_once() {
    let server = TestServer::start().await;
    let (first, second) = (Seen::default(), Seen::default());
    let builder = Channel::builder(server.uri()).observer(first.observer()).observer(second.observer());

    HealthClient::new(builder.build().unwrap()).check(ask_for("abc")).await.unwrap();

    let expected =
        ["started /grpc.health.v1.Health/Check", "attempt 1", "sent 5", "headers", "received 2", "ended Ok"];
    assert_eq!(first.lines(), expected);
    assert_eq!(second.lines(), expected);
}

#[tokio::test]
async fn a_call_that_is_never_polled_starts_and_ends_for_each_observer() {
    let canned = Canned::always(|| reply().serving().ok());
    let (first, second) = (Seen::default(), Seen::default());
    let builder = canned.builder().observer(first.observer()).observer(second.observer());
    let mut channel = builder.build().unwrap();

    // A client hands its call over when it is polled.
    drop(HealthClient::new(channel.clone()).check(ask_for("abc")));
    assert!(first.lines().is_empty() && second.lines().is_empty());

    let request = Request::post("http://canned.test/grpc.health.v1.Health/Check").body(Body::empty());
    drop(channel.call(request.unwrap()));
    let expected = ["started /grpc.health.v1.Health/Check", "ended Cancelled"];
    assert_eq!(first.lines(), expected);
    assert_eq!(second.lines(), expected);
    assert!(canned.sent().is_empty());
}

#[tokio::test]
async fn a_missing_server_is_unavailable() {
    // Bound and dropped: nobody listens on this port.
    let addr = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let seen = Seen::default();
    let channel = Channel::builder(format!("http://{addr}")).observer(seen.observer()).build().unwrap();

    let status = HealthClient::new(channel).check(ask_for("any")).await.unwrap_err();

    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(seen.lines().last().unwrap(), "ended Unavailable");
}

#[tokio::test]
async fn an_invalid_address_is_refused_and_named() {
    for uri in ["", "not a uri", "/only/a/path", "127.0.0.1:50051", "ftp://127.0.0.1"] {
        let error = Channel::builder(uri).build().unwrap_err();
        assert!(error.to_string().contains(uri), "{error}");
    }
}

#[tokio::test]
async fn a_refused_connection_names_the_address_and_sent_nothing() {
    let addr = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for origin in [format!("http://{addr}"), "http://no-such-name.invalid:80".to_owned()] {
        let channel = Channel::builder(&origin).retry(RetryPolicy::never()).build().unwrap();

        let status = HealthClient::new(channel).check(ask_for("any")).await.unwrap_err();

        let error = Error::from_status(&status).unwrap();
        assert!(matches!(error, Error::Connect { origin: named, .. } if *named == origin), "{error:?}");
        assert!(error.is_not_sent());
        assert_eq!(status.code(), Code::Unavailable);
    }
}

/// Passes bytes between a client and the server until it is aborted, which closes both connections.
async fn proxy_to(server: &TestServer) -> (String, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap());
    let addr = server.addr;
    let passing = tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let mut server = TcpStream::connect(addr).await.unwrap();
        tokio::io::copy_bidirectional(&mut client, &mut server).await.ok();
    });
    (uri, passing)
}

#[tokio::test]
async fn a_lost_connection_is_connection_lost() {
    let mut server = TestServer::start().await;
    let (uri, proxy) = proxy_to(&server).await;
    let channel = Channel::builder(uri).retry(RetryPolicy::never()).build().unwrap();
    let mut client = HealthClient::new(channel);
    let mut stream = client.watch(ask_for("any")).await.unwrap().into_inner();
    let waiting = tokio::spawn(async move { client.check(ask_for("hang")).await });
    server.calls.recv().await.unwrap();
    server.calls.recv().await.unwrap();

    proxy.abort();

    for status in [stream.next().await.unwrap().unwrap_err(), waiting.await.unwrap().unwrap_err()] {
        assert_eq!(status.code(), Code::Unavailable, "{status:?}");
        assert!(matches!(Error::from_status(&status), Some(Error::ConnectionLost { .. })), "{status:?}");
    }
}

#[tokio::test]
async fn a_server_without_grpc_is_recognised_by_its_content_type() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (client, _) = listener.accept().await.unwrap();
        let mut connection = h2::server::handshake(client).await.unwrap();
        while let Some(Ok((_, mut respond))) = connection.accept().await {
            let page = http::Response::builder().header("content-type", "text/html").body(()).unwrap();
            respond.send_response(page, false).unwrap().send_data("<html>".into(), true).unwrap();
        }
    });

    let status =
        HealthClient::new(Channel::builder(uri).build().unwrap()).check(ask_for("any")).await.unwrap_err();

    assert_eq!(status.code(), Code::Unknown);
    assert_eq!(Error::from_status(&status), Some(&Error::ContentType { found: "text/html".to_owned() }));
}

#[tokio::test]
async fn http_2_takes_metadata_up_to_the_channel_s_limit() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut connection = h2::server::handshake(client).await.unwrap();
                while let Some(Ok((_, mut respond))) = connection.accept().await {
                    let head = http::Response::builder()
                        .header("content-type", "application/grpc")
                        .header("x-long", "x".repeat(50_000))
                        .header("grpc-status", "9");
                    respond.send_response(head.body(()).unwrap(), true).unwrap();
                }
            });
        }
    });
    let failure = async |limit: usize| {
        let channel = Channel::builder(&uri).max_metadata_size(limit).build().unwrap();
        HealthClient::new(channel).check(ask_for("any")).await.unwrap_err()
    };

    let status = failure(64 << 10).await;
    assert_eq!(status.code(), Code::FailedPrecondition, "{status:?}");
    assert_eq!(status.metadata().get("x-long").unwrap().len(), 50_000);
    assert_eq!(Error::from_status(&failure(40_000).await), Some(&Error::MetadataTooLarge { limit: 40_000 }));
}

#[tokio::test]
async fn a_connection_made_by_tonic_carries_the_calls() {
    let server = TestServer::start().await;
    let uri = server.uri();
    let made = tonic::transport::Endpoint::from_shared(uri).unwrap().connect().await.unwrap();
    // Nobody listens where the channel itself would look.
    let channel = Channel::builder("http://127.0.0.1:1");
    let channel = channel.transport(tonic_web_channel::Native::new("elsewhere", made)).build().unwrap();

    let reply = HealthClient::new(channel).check(ask_for("any")).await.unwrap();

    assert_eq!(reply.get_ref().status, 1);
}

#[tokio::test]
async fn an_unlisted_method_of_a_listed_service_is_reported() {
    let warned = async |path: &'static str| {
        let server = TestServer::start().await;
        let seen = Seen::default();
        let channel = Channel::builder(server.uri())
            .methods([Method::new(path, MethodKind::Unary)])
            .observer(seen.observer())
            .build()
            .unwrap();
        HealthClient::new(channel).check(ask_for("any")).await.unwrap();
        seen.lines().iter().any(|line| line.starts_with("Warning"))
    };

    assert!(warned("/grpc.health.v1.Health/Chek").await);
    assert!(!warned("/grpc.health.v1.Health/Check").await);
    assert!(!warned("/grpc.health.v2.Health/Check").await);
}
