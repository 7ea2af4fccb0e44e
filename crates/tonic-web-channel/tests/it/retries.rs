//! Retries: which calls, after which delay, and how often.

use std::time::Duration;

use tokio::time::Instant;
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_web_channel::retry::{Backoff, RetryPolicy};
use tonic_web_channel::{Channel, Error, Idempotency, Method, MethodKind, RequestExt as _, send_traceparent};

use crate::support::canned::{Canned, Reply, reply};
use crate::support::{Seen, ask};

/// Fails `times` times with `failure`, then succeeds.
fn failing(times: usize, failure: impl Fn() -> Result<Reply, Status> + Send + Sync + 'static) -> Canned {
    Canned::new(move |sent| {
        let answer = if sent.number < times { failure() } else { Ok(reply().serving().ok()) };
        std::future::ready(answer.map(Reply::into_response))
    })
}

fn unavailable() -> Result<Reply, Status> {
    Ok(reply().trailers(&[("grpc-status", "14"), ("grpc-message", "busy")]))
}

fn refused() -> Status {
    Error::Connect { origin: "http://canned.test".to_owned(), reason: "refused".to_owned() }.into()
}

/// The same channel without the method table.
async fn check_without_table(canned: &Canned) -> Result<(), Status> {
    let channel = Channel::builder("http://canned.test").transport(canned.clone()).build().unwrap();
    HealthClient::new(channel).check(ask()).await.map(drop)
}

async fn check(canned: &Canned) -> Result<(), Status> {
    HealthClient::new(canned.builder().build().unwrap()).check(ask()).await.map(drop)
}

#[tokio::test(start_paused = true)]
async fn an_idempotent_call_is_repeated_with_the_same_request_and_reported() {
    let in_headers = || Ok(reply().header("grpc-status", "14"));
    let lost = || Err(Error::ConnectionLost { reason: "reset".to_owned() }.into());
    let cut = || Ok(reply());
    let proxy = || Ok(reply().http(503).header("content-type", "text/html").bytes("<html>"));
    let failures: [fn() -> Result<Reply, Status>; 5] = [unavailable, in_headers, lost, cut, proxy];
    for failure in failures {
        let seen = Seen::default();
        let canned = failing(2, failure);
        let channel = canned.builder().observer(seen.observer()).build().unwrap();

        HealthClient::new(channel).check(ask()).await.unwrap();

        let sent = canned.sent();
        assert_eq!(sent.len(), 3);
        assert!(sent.iter().all(|again| again.body == sent[0].body && !again.body.is_empty()));
        let lines = seen.lines();
        assert!(lines[3].starts_with("Retrying { attempt: 1") && lines[4] == "attempt 2", "{lines:?}");
        assert!(lines[5].starts_with("Retrying { attempt: 2") && lines[6] == "attempt 3", "{lines:?}");
        assert_eq!(lines[7..], ["headers", "received 2", "ended Ok"], "{lines:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn attempts_wait_as_the_policy_s_backoff_says() {
    let canned = failing(2, unavailable);
    let none = Backoff { base: Duration::ZERO, max: Duration::ZERO };
    let channel = canned.builder().retry(RetryPolicy::default().backoff(none)).build().unwrap();
    let start = Instant::now();
    HealthClient::new(channel).check(ask()).await.unwrap();
    assert_eq!((canned.sent().len(), start.elapsed()), (3, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn the_last_attempt_s_failure_is_the_call_s() {
    let canned = failing(9, unavailable);

    let status = check(&canned).await.unwrap_err();

    assert_eq!((status.code(), status.message()), (Code::Unavailable, "busy"));
    assert_eq!(canned.sent().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_a_server_may_have_seen_is_repeated_only_if_idempotent() {
    let failures: [fn() -> Result<Reply, Status>; 3] = [
        unavailable,
        || Ok(reply().header("grpc-status", "14")),
        || Err(Error::ConnectionLost { reason: "reset".to_owned() }.into()),
    ];
    for failure in failures {
        let seen = failing(1, failure);
        assert_eq!(check_without_table(&seen).await.unwrap_err().code(), Code::Unavailable);
        assert_eq!(seen.sent().len(), 1);
    }

    let is_not_sent = failing(2, || Err(refused()));
    check_without_table(&is_not_sent).await.unwrap();
    assert_eq!(is_not_sent.sent().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_permanent_failure_is_not_repeated() {
    let failures: [fn() -> Result<Reply, Status>; 4] = [
        || Ok(reply().header("grpc-status", "5")),
        || Ok(reply().header("grpc-status", "4")),
        || Ok(reply().http(404).header("content-type", "text/html")),
        || Ok(reply().header("grpc-encoding", "br").serving().ok()),
    ];
    for failure in failures {
        let canned = failing(1, failure);
        check(&canned).await.unwrap_err();
        assert_eq!(canned.sent().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn failures_of_calls_that_are_never_repeated_leave_the_retry_budget() {
    let canned = failing(11, || Ok(reply().header("grpc-status", "14")));
    let mut client = HealthClient::new(canned.builder().build().unwrap());
    for _ in 0..10 {
        let mut request = ask();
        request.no_retry();
        client.check(request).await.unwrap_err();
    }

    client.check(ask()).await.unwrap();

    // It failed once, and was repeated.
    assert_eq!(canned.sent().len(), 12);
}

#[tokio::test(start_paused = true)]
async fn pushback_over_the_policy_s_limit_ends_the_call_with_the_server_s_status() {
    let asked = |ms: &'static str| {
        failing(1, move || Ok(reply().header("grpc-status", "14").header("grpc-retry-pushback-ms", ms)))
    };
    let retry = RetryPolicy::default().max_pushback(Duration::from_secs(20));
    let call = async |canned: &Canned| {
        // Without a deadline, which would end it, too.
        let mut request = ask();
        request.no_deadline();
        HealthClient::new(canned.builder().retry(retry).build().unwrap()).check(request).await
    };

    let start = Instant::now();
    let too_long = asked("20001");
    assert_eq!(call(&too_long).await.unwrap_err().code(), Code::Unavailable);
    assert_eq!((too_long.sent().len(), start.elapsed()), (1, Duration::ZERO));

    let long = asked("20000");
    call(&long).await.unwrap();
    assert_eq!((long.sent().len(), start.elapsed().as_secs()), (2, 20));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_repeated_after_the_first_message() {
    let canned = failing(1, || Ok(reply().serving().trailers(&[("grpc-status", "14")])));
    assert_eq!(check(&canned).await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(canned.sent().len(), 1);

    // A stream has begun with its headers.
    let canned = failing(1, || Ok(reply().trailers(&[("grpc-status", "14")])));
    let mut client = HealthClient::new(canned.builder().build().unwrap());
    assert!(client.watch(ask()).await.unwrap().into_inner().message().await.is_err());
    let canned = failing(1, || Ok(reply().header("grpc-status", "14")));
    let mut client = HealthClient::new(canned.builder().build().unwrap());
    assert!(client.watch(ask()).await.unwrap().into_inner().message().await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn no_retry_of_a_request_and_never_of_a_channel_send_once() {
    let canned = failing(1, unavailable);
    let mut request = ask();
    request.no_retry();
    HealthClient::new(canned.builder().build().unwrap()).check(request).await.unwrap_err();
    assert_eq!(canned.sent().len(), 1);

    let canned = failing(1, unavailable);
    let channel = canned.builder().retry(RetryPolicy::never()).build().unwrap();
    HealthClient::new(channel).check(ask()).await.unwrap_err();
    assert_eq!(canned.sent().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn pushback_and_retry_info_set_the_delay_and_may_forbid() {
    let start = Instant::now();
    let canned =
        failing(1, || Ok(reply().header("grpc-status", "14").header("grpc-retry-pushback-ms", "7000")));
    check(&canned).await.unwrap();
    assert_eq!(start.elapsed().as_secs(), 7);

    let canned =
        failing(1, || Ok(reply().header("grpc-status", "14").header("grpc-retry-pushback-ms", "-1")));
    check(&canned).await.unwrap_err();
    assert_eq!(canned.sent().len(), 1);

    // google.rpc.Status { details: [Any { RetryInfo { retry_delay { seconds: 9 } } }] }
    let details = "GjAKKHR5cGUuZ29vZ2xlYXBpcy5jb20vZ29vZ2xlLnJwYy5SZXRyeUluZm8SBAoCCAk";
    let start = Instant::now();
    let canned = failing(1, move || {
        Ok(reply().trailers(&[("grpc-status", "8"), ("grpc-status-details-bin", details)]))
    });
    check(&canned).await.unwrap();
    assert_eq!(start.elapsed().as_secs(), 9);
}

#[tokio::test(start_paused = true)]
async fn a_delay_beyond_the_deadline_ends_the_call_at_once() {
    let canned =
        failing(1, || Ok(reply().header("grpc-status", "14").header("grpc-retry-pushback-ms", "7000")));
    let channel = canned.builder().deadline(Duration::from_secs(5)).build().unwrap();
    let start = Instant::now();

    let status = HealthClient::new(channel).check(ask()).await.unwrap_err();

    assert_eq!(status.code(), Code::Unavailable, "what the server said, and at once");
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn the_retry_budget_stops_retries_until_calls_succeed_again() {
    let canned = Canned::new(|sent| async move {
        let succeeds = (10..80).contains(&sent.number);
        Ok(if succeeds { reply().serving().ok() } else { reply().header("grpc-status", "14") }
            .into_response())
    });
    let mut client = HealthClient::new(canned.builder().build().unwrap());
    let mut attempts = async || {
        let before = canned.sent().len();
        client.check(ask()).await.ok();
        canned.sent().len() - before
    };

    // The fifth failure spends half of the budget of ten.
    let mut first = Vec::new();
    for _ in 0..7 {
        first.push(attempts().await);
    }
    assert_eq!(first, [3, 2, 1, 1, 1, 1, 1]);
    // The budget is spent; seventy successful calls return seven.
    for _ in 10..80 {
        assert_eq!(attempts().await, 1);
    }
    assert_eq!(attempts().await, 2);
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_requests_is_repeated_only_while_it_is_unread() {
    async fn attempts(canned: Canned) -> usize {
        let method =
            Method::new("/x.Y/Z", MethodKind::ClientStreaming).with_idempotency(Idempotency::Idempotent);
        let mut client = tonic::client::Grpc::new(canned.builder().methods([method]).build().unwrap());
        client.ready().await.unwrap();
        let requests = futures_util::stream::iter([HealthCheckRequest::default()]);
        let codec =
            tonic_prost::ProstCodec::<HealthCheckRequest, tonic_health::pb::HealthCheckResponse>::default();
        let path = http::uri::PathAndQuery::from_static("/x.Y/Z");
        client.client_streaming(Request::new(requests), path, codec).await.ok();
        canned.sent().len()
    }

    assert_eq!(attempts(failing(1, unavailable)).await, 1);
    assert_eq!(attempts(failing(1, unavailable).without_reading()).await, 2);
}

#[tokio::test(start_paused = true)]
async fn a_request_over_the_replay_buffer_is_sent_once() {
    let canned = failing(1, unavailable);
    let mut client = HealthClient::new(canned.builder().build().unwrap());

    client.check(HealthCheckRequest { service: "x".repeat(300 << 10) }).await.unwrap_err();

    assert_eq!(canned.sent().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn attempts_of_a_call_have_one_trace_and_calls_have_their_own() {
    let canned = failing(1, unavailable);
    let channel = canned.builder().interceptor(send_traceparent).build().unwrap();
    let mut client = HealthClient::new(channel);
    client.check(ask()).await.unwrap();
    let given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
    let mut request = ask();
    request.metadata_mut().insert("traceparent", given.parse().unwrap());
    client.check(ask()).await.unwrap();
    client.check(request).await.unwrap();

    let sent = canned.sent();
    let traces: Vec<_> = sent.iter().map(|sent| sent.headers["traceparent"].to_str().unwrap()).collect();

    assert_eq!(traces.len(), 4, "the first call has two attempts");
    assert_eq!(traces[0], traces[1]);
    assert_ne!(traces[1], traces[2]);
    assert_eq!(traces[3], given, "the caller's trace is kept");
    let parts: Vec<usize> = traces[0].split('-').map(str::len).collect();
    assert_eq!(parts, [2, 32, 16, 2], "{}", traces[0]);
}
