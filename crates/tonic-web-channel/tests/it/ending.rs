//! Early ends of a call from this side: deadline, cancellation, idle timeout. On paused time.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _};
use http::Response;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tonic::body::Body;
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_web_channel::{CancellationToken, Channel, Error, RequestExt as _};
use tower::Service as _;

use crate::support::canned::{Canned, framed, reply};
use crate::support::{Seen, TestServer, ask};

const MINUTE: Duration = Duration::from_secs(60);

/// Never responds; the receiver ends when the call has been dropped.
fn hanging() -> (Canned, mpsc::Receiver<oneshot::Receiver<()>>) {
    let (calls_in, calls) = mpsc::channel(16);
    let canned = Canned::new(move |_| {
        let calls = calls_in.clone();
        async move {
            let (_held, dropped) = oneshot::channel::<()>();
            calls.send(dropped).await.unwrap();
            std::future::pending().await
        }
    });
    (canned, calls)
}

/// A stream whose chunks a test sends.
fn fed() -> (Canned, mpsc::Receiver<mpsc::Sender<Bytes>>) {
    let (streams_in, streams) = mpsc::channel(16);
    let canned = Canned::new(move |_| {
        let streams = streams_in.clone();
        async move {
            let (chunks_in, chunks) = mpsc::channel(16);
            streams.send(chunks_in).await.unwrap();
            let frames = ReceiverStream::new(chunks).map(|chunk| Ok::<_, Status>(Frame::data(chunk)));
            let mut response = Response::new(Body::new(StreamBody::new(frames)));
            response.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
            Ok(response)
        }
    });
    (canned, streams)
}

#[tokio::test(start_paused = true)]
async fn a_deadline_is_exact_and_aborts_the_call() {
    let (canned, mut calls) = hanging();
    let channel = canned.builder().deadline(MINUTE).build().unwrap();
    let start = Instant::now();

    let status = HealthClient::new(channel).check(ask()).await.unwrap_err();

    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(Error::from_status(&status), Some(&Error::Deadline { timeout: MINUTE }));
    assert!(start.elapsed() - MINUTE < Duration::from_millis(5));
    assert!(calls.recv().await.unwrap().await.is_err(), "the transport's future is dropped");
}

#[tokio::test(start_paused = true)]
async fn a_deadline_beyond_25_days_is_kept() {
    let (canned, _calls) = hanging();
    let days = Duration::from_secs(40 * 24 * 3_600);
    let channel = canned.builder().deadline(days).build().unwrap();
    let start = Instant::now();

    let status = HealthClient::new(channel).check(ask()).await.unwrap_err();

    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert!(start.elapsed() >= days);
    assert_eq!(canned.sent()[0].headers["grpc-timeout"], "3456000S");
}

#[tokio::test(start_paused = true)]
async fn a_passed_deadline_wins_over_a_message_that_is_ready() {
    let (canned, mut streams) = fed();
    let channel = canned.builder().deadline(MINUTE).build().unwrap();
    let mut stream = HealthClient::new(channel).watch(ask()).await.unwrap().into_inner();
    let chunks = streams.recv().await.unwrap();

    // As in a page that was asleep: a message came and the stream was not polled.
    chunks.send(framed(0, &[8, 1])).await.unwrap();
    tokio::time::advance(2 * MINUTE).await;

    let status = stream.next().await.unwrap().unwrap_err();
    assert_eq!(Error::from_status(&status), Some(&Error::Deadline { timeout: MINUTE }));
    chunks.closed().await;
}

#[tokio::test(start_paused = true)]
async fn all_attempts_share_one_deadline_and_send_the_remaining_time() {
    let canned = Canned::new(|_| async move {
        tokio::time::sleep(Duration::from_secs(4)).await;
        Ok(reply().header("grpc-status", "14").header("grpc-retry-pushback-ms", "1000").into_response())
    });
    let channel = canned.builder().deadline(Duration::from_secs(12)).build().unwrap();
    let start = Instant::now();

    let status = HealthClient::new(channel).check(ask()).await.unwrap_err();

    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(start.elapsed().as_secs(), 12);
    let left: Vec<_> =
        canned.sent().iter().map(|sent| sent.headers["grpc-timeout"].to_str().unwrap().to_owned()).collect();
    // Not to the millisecond: timers are rounded up to it.
    let left: Vec<u32> = left.iter().map(|text| text.trim_end_matches('m').parse().unwrap()).collect();
    let expected = [12_000_u32, 7_000, 2_000];
    assert_eq!(left.len(), 3);
    assert!(left.iter().zip(expected).all(|(left, expected)| expected.abs_diff(*left) < 10), "{left:?}");
}

#[tokio::test(start_paused = true)]
async fn cancellation_aborts_a_waiting_call() {
    let (canned, mut calls) = hanging();
    let channel = canned.builder().build().unwrap();
    let token = CancellationToken::new();
    let mut request = ask();
    request.cancel_with(token.clone());

    let mut client = HealthClient::new(channel);
    let call = tokio::spawn(async move { client.check(request).await });
    let dropped = calls.recv().await.unwrap();
    token.cancel();

    let status = call.await.unwrap().unwrap_err();
    assert_eq!((status.code(), Error::from_status(&status)), (Code::Cancelled, Some(&Error::Cancelled)));
    assert!(dropped.await.is_err());
}

#[tokio::test(start_paused = true)]
async fn cancellation_ends_a_stream_in_its_middle() {
    let (canned, mut streams) = fed();
    let seen = Seen::default();
    let channel = canned.builder().observer(seen.observer()).build().unwrap();
    let token = CancellationToken::new();
    let mut request = ask();
    request.cancel_with(token.clone());
    let mut stream = HealthClient::new(channel).watch(request).await.unwrap().into_inner();
    let chunks = streams.recv().await.unwrap();
    chunks.send(framed(0, &[8, 1])).await.unwrap();
    stream.next().await.unwrap().unwrap();

    let mut next = stream.next();
    assert!((&mut next).now_or_never().is_none());
    token.cancel();

    let status = next.await.unwrap().unwrap_err();
    assert_eq!(Error::from_status(&status), Some(&Error::Cancelled));
    chunks.closed().await;
    assert_eq!(seen.lines().last().unwrap(), "ended Cancelled");
}

#[tokio::test(start_paused = true)]
async fn cancellation_wins_over_the_rest_of_a_large_chunk() {
    let many = framed(0, &[7; 50_000]).repeat(20);
    let canned = Canned::always(move || reply().bytes(many.clone()).hangs());
    let token = CancellationToken::new();
    let mut request = Request::new(());
    request.cancel_with(token.clone());
    let mut call = http::Request::new(Body::empty());
    *call.uri_mut() = "http://canned.test/grpc.health.v1.Health/Watch".parse().unwrap();
    *call.extensions_mut() = request.into_parts().1;
    let mut body = canned.builder().build().unwrap().call(call).await.unwrap().into_body();
    assert!(body.frame().await.unwrap().unwrap().is_data());

    token.cancel();

    assert_eq!(Error::from_status(&body.frame().await.unwrap().unwrap_err()), Some(&Error::Cancelled));
    assert!(body.frame().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_already_cancelled_sends_nothing() {
    let (canned, _calls) = hanging();
    let mut request = ask();
    let token = CancellationToken::new();
    token.cancel();
    request.cancel_with(token);

    let status = HealthClient::new(canned.builder().build().unwrap()).check(request).await.unwrap_err();

    assert_eq!(Error::from_status(&status), Some(&Error::Cancelled));
    assert!(canned.sent().is_empty());
}

#[tokio::test]
async fn cancellation_reaches_a_real_server() {
    let mut server = TestServer::start().await;
    let channel = Channel::builder(server.uri()).build().unwrap();
    let token = CancellationToken::new();
    let mut request = ask();
    request.cancel_with(token.clone());
    let mut stream = HealthClient::new(channel).watch(request).await.unwrap().into_inner();
    let answers = server.watched.recv().await.unwrap();

    token.cancel();

    assert_eq!(stream.next().await.unwrap().unwrap_err().code(), Code::Cancelled);
    answers.closed().await;
}

/// Answers one call with a message, then sends the reset reason of its request.
async fn answering_early() -> (String, oneshot::Receiver<Option<h2::Reason>>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap());
    let (end_in, end) = oneshot::channel();
    tokio::spawn(async move {
        let (client, _) = listener.accept().await.unwrap();
        let mut connection = h2::server::handshake(client).await.unwrap();
        let (request, mut respond) = connection.accept().await.unwrap().unwrap();
        let head = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
        let mut response = respond.send_response(head, false).unwrap();
        response.send_data(framed(0, &[8, 1]), false).unwrap();
        let mut body = request.into_body();
        tokio::spawn(async move {
            let end = loop {
                match body.data().await {
                    Some(Ok(_)) => {}
                    Some(Err(error)) => break error.reason(),
                    None => break None,
                }
            };
            end_in.send(end).unwrap();
        });
        // Drives the connection.
        connection.accept().await;
    });
    (uri, end)
}

#[tokio::test]
async fn an_unfinished_request_is_reset_when_its_call_is_over() {
    let (uri, end) = answering_early().await;
    let token = CancellationToken::new();
    let mut request = Request::new(futures_util::stream::pending::<HealthCheckRequest>());
    request.cancel_with(token.clone());
    let mut client = tonic::client::Grpc::new(Channel::builder(uri).build().unwrap());
    client.ready().await.unwrap();
    let codec = tonic_prost::ProstCodec::<_, tonic_health::pb::HealthCheckResponse>::default();
    let path = http::uri::PathAndQuery::from_static("/x.Y/Z");
    let mut stream = client.streaming(request, path, codec).await.unwrap().into_inner();
    assert_eq!(stream.next().await.unwrap().unwrap().status, 1);

    token.cancel();

    assert_eq!(stream.next().await.unwrap().unwrap_err().code(), Code::Cancelled);
    assert_eq!(end.await.unwrap(), Some(h2::Reason::CANCEL));
}

#[tokio::test(start_paused = true)]
async fn idle_timeout_ends_a_stream_and_any_byte_resets_it() {
    let (canned, mut streams) = fed();
    let channel = canned.builder().idle_timeout(MINUTE).build().unwrap();
    let mut stream = HealthClient::new(channel).watch(ask()).await.unwrap().into_inner();
    let chunks = streams.recv().await.unwrap();
    let start = Instant::now();

    let feed = async {
        // The second piece is half a message.
        for piece in [framed(0, &[8, 1]), Bytes::from_static(&[0, 0])] {
            tokio::time::sleep(MINUTE * 2 / 3).await;
            chunks.send(piece).await.unwrap();
        }
    };
    let read = async { (stream.next().await.unwrap(), stream.next().await.unwrap()) };
    let ((), (message, idle)) = tokio::join!(feed, read);

    assert_eq!(message.unwrap().status, 1);
    let status = idle.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(Error::from_status(&status), Some(&Error::Idle { timeout: MINUTE }));
    assert_eq!(start.elapsed().as_secs(), 140);
    chunks.closed().await;
}

#[tokio::test(start_paused = true)]
async fn idle_timeout_counts_before_the_headers_too() {
    let (canned, mut calls) = hanging();
    let channel = canned.builder().idle_timeout(MINUTE).build().unwrap();
    let start = Instant::now();

    let status = HealthClient::new(channel).watch(ask()).await.unwrap_err();

    assert_eq!(Error::from_status(&status), Some(&Error::Idle { timeout: MINUTE }));
    assert_eq!(start.elapsed().as_secs(), 60);
    assert!(calls.recv().await.unwrap().await.is_err(), "the transport's future is dropped");
}

#[tokio::test(start_paused = true)]
async fn idle_timeout_does_not_count_while_the_stream_is_not_read() {
    let (canned, mut streams) = fed();
    let channel = canned.builder().idle_timeout(MINUTE).build().unwrap();
    let mut stream = HealthClient::new(channel).watch(ask()).await.unwrap().into_inner();
    let chunks = streams.recv().await.unwrap();

    for _ in 0..2 {
        tokio::time::advance(2 * MINUTE).await;
        // As in a browser, where the first poll finds nothing and the chunk comes right after.
        let mut next = stream.next();
        assert!((&mut next).now_or_never().is_none());
        chunks.send(framed(0, &[8, 1])).await.unwrap();
        assert_eq!(next.await.unwrap().unwrap().status, 1);
    }

    let start = Instant::now();
    let status = stream.next().await.unwrap().unwrap_err();
    assert_eq!(Error::from_status(&status), Some(&Error::Idle { timeout: MINUTE }));
    assert_eq!(start.elapsed().as_secs(), 60);
}

#[tokio::test(start_paused = true)]
async fn headers_that_have_come_win_over_the_idle_timeout() {
    let answer = Arc::new(Notify::new());
    let asked = answer.clone();
    let canned = Canned::new(move |_| {
        let asked = asked.clone();
        async move {
            asked.notified().await;
            Ok(reply().serving().ok().into_response())
        }
    });
    let mut client = HealthClient::new(canned.builder().idle_timeout(MINUTE).build().unwrap());
    let mut opening = Box::pin(client.watch(ask()));
    assert!((&mut opening).now_or_never().is_none());

    answer.notify_one();
    tokio::time::advance(2 * MINUTE).await;

    assert_eq!(opening.await.unwrap().into_inner().next().await.unwrap().unwrap().status, 1);
}

#[tokio::test(start_paused = true)]
async fn a_request_s_own_idle_timeout_wins_and_unary_calls_are_exempt_from_the_channel_s() {
    let canned = Canned::new(|sent| async move {
        if sent.number > 0 {
            return Ok(reply().hangs().into_response());
        }
        tokio::time::sleep(2 * MINUTE).await;
        Ok(reply().serving().ok().into_response())
    });
    let channel = canned.builder().idle_timeout(MINUTE).build().unwrap();
    let mut client = HealthClient::new(channel);
    client.check(ask()).await.unwrap();

    let mut request = ask();
    request.idle_timeout(Duration::from_secs(7));
    let mut stream = client.watch(request).await.unwrap().into_inner();
    let start = Instant::now();

    let status = stream.next().await.unwrap().unwrap_err();
    assert_eq!(Error::from_status(&status), Some(&Error::Idle { timeout: Duration::from_secs(7) }));
    assert_eq!(start.elapsed().as_secs(), 7);
}
