//! Credentials, interceptors and layers around the channel.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use futures_util::future::join_all;
use http::Request as HttpRequest;
use tonic::body::Body;
use tonic::service::interceptor::InterceptedService;
use tonic::{Code, Request, Status};
use tonic_health::pb::health_client::HealthClient;
use tonic_web_channel::observe::CallEventKind;
use tonic_web_channel::rt::BoxFuture;
use tonic_web_channel::{Channel, Error, RequestExt as _};
use tower::{Service as _, ServiceBuilder};

use crate::support::canned::{Canned, Sent, reply};
use crate::support::{TestServer, ask};

/// A source whose tokens are numbered, each after a second.
fn numbered(fetched: &Arc<AtomicUsize>) -> impl Fn() -> BoxFuture<Result<String, Status>> + use<> {
    let fetched = fetched.clone();
    move || {
        let fetched = fetched.clone();
        Box::pin(async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok(format!("Bearer {}", fetched.fetch_add(1, Ordering::SeqCst) + 1))
        })
    }
}

fn token(sent: &Sent) -> &str {
    sent.headers["authorization"].to_str().unwrap()
}

/// Accepts the token `good` only, after a few milliseconds.
fn accepting(good: &'static str) -> Canned {
    Canned::new(move |sent| async move {
        tokio::time::sleep(Duration::from_millis(1 + sent.number as u64 % 7)).await;
        let answer = if token(&sent) == good {
            reply().serving().ok()
        } else {
            // As in gRPC-Web: no message, and the status in the body's trailers.
            reply().trailers(&[("grpc-status", "16"), ("grpc-message", "stale")])
        };
        Ok(answer.into_response())
    })
}

#[tokio::test(start_paused = true)]
async fn fifty_calls_with_a_stale_token_share_one_renewal_and_are_repeated_once() {
    let fetched = Arc::new(AtomicUsize::new(0));
    let canned = accepting("Bearer 2");
    let channel = canned.builder().credentials(numbered(&fetched)).build().unwrap();

    let calls = (0..50).map(|_| {
        let mut client = HealthClient::new(channel.clone());
        async move { client.check(ask()).await }
    });
    let results = join_all(calls).await;

    assert!(results.iter().all(Result::is_ok));
    // One token to begin with, and one refresh.
    assert_eq!(fetched.load(Ordering::SeqCst), 2);
    let sent = canned.sent();
    assert_eq!(sent.iter().filter(|sent| token(sent) == "Bearer 1").count(), 50);
    assert_eq!(sent.iter().filter(|sent| token(sent) == "Bearer 2").count(), 50);

    HealthClient::new(channel).check(ask()).await.unwrap();
    assert_eq!(fetched.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn a_failed_renewal_ends_all_waiting_calls_and_happens_once() {
    let fetched = Arc::new(AtomicUsize::new(0));
    let count = fetched.clone();
    let source = move || {
        let number = count.fetch_add(1, Ordering::SeqCst);
        async move {
            if number == 1 {
                Err(Status::permission_denied("signed out"))
            } else {
                Ok(format!("Bearer {number}"))
            }
        }
    };
    let canned = accepting("Bearer 2");
    let channel = canned.builder().credentials(source).build().unwrap();

    let calls = (0..50).map(|_| {
        let mut client = HealthClient::new(channel.clone());
        async move { client.check(ask()).await }
    });
    for result in join_all(calls).await {
        let status = result.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::PermissionDenied, "signed out"));
    }
    assert_eq!(fetched.load(Ordering::SeqCst), 2);

    // The next call asks again.
    HealthClient::new(channel).check(ask()).await.unwrap();
    assert_eq!(fetched.load(Ordering::SeqCst), 3);
}

#[tokio::test(start_paused = true)]
async fn a_call_is_repeated_once_when_the_new_token_is_refused_too() {
    let fetched = Arc::new(AtomicUsize::new(0));
    let canned = accepting("none is good");
    let channel = canned.builder().credentials(numbered(&fetched)).build().unwrap();

    let status = HealthClient::new(channel).check(ask()).await.unwrap_err();

    assert_eq!((status.code(), status.message()), (Code::Unauthenticated, "stale"));
    assert_eq!(canned.sent().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_call_renews_its_token_once_over_all_attempts() {
    let fetched = Arc::new(AtomicUsize::new(0));
    // Each attempt is refused first, and then fails in a way that leads to the next attempt.
    let canned = Canned::new(|sent| async move {
        let status = if sent.number % 2 == 0 { "16" } else { "14" };
        Ok(reply().trailers(&[("grpc-status", status)]).into_response())
    });
    let channel = canned.builder().credentials(numbered(&fetched)).build().unwrap();

    let status = HealthClient::new(channel).check(ask()).await.unwrap_err();

    assert_eq!(status.code(), Code::Unauthenticated);
    // Refused, repeated with a new token, and an attempt that was refused again.
    assert_eq!(canned.sent().len(), 3);
    assert_eq!(fetched.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn a_stream_refused_in_its_trailers_renews_the_token_for_the_next_call() {
    let fetched = Arc::new(AtomicUsize::new(0));
    let canned = accepting("Bearer 2");
    let channel = canned.builder().credentials(numbered(&fetched)).build().unwrap();
    let mut client = HealthClient::new(channel);

    let mut stream = client.watch(ask()).await.unwrap().into_inner();
    assert_eq!(stream.message().await.unwrap_err().code(), Code::Unauthenticated);
    let mut stream = client.watch(ask()).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_refused_call_without_retry_renews_the_token_for_the_next_call() {
    let fetched = Arc::new(AtomicUsize::new(0));
    // As a proxy refuses it.
    let canned = Canned::new(|sent| async move {
        let good = token(&sent) == "Bearer 2";
        Ok(if good { reply().serving().ok() } else { reply().http(401) }.into_response())
    });
    let channel = canned.builder().credentials(numbered(&fetched)).build().unwrap();
    let mut client = HealthClient::new(channel);
    let once = || {
        let mut request = ask();
        request.no_retry();
        request
    };

    assert_eq!(client.check(once()).await.unwrap_err().code(), Code::Unauthenticated);
    client.check(once()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_wait_for_a_token_counts_towards_the_deadline() {
    let source = || async { std::future::pending::<Result<String, Status>>().await };
    let canned = accepting("");
    let channel = canned.builder().credentials(source).deadline(Duration::from_secs(3)).build().unwrap();

    let status = HealthClient::new(channel).check(ask()).await.unwrap_err();

    assert!(matches!(Error::from_status(&status), Some(Error::Deadline { .. })), "{status:?}");
    assert!(canned.sent().is_empty());
}

#[tokio::test]
async fn interceptors_run_in_order_see_the_method_and_may_refuse() {
    let canned = Canned::always(|| reply().serving().ok());
    let channel = canned
        .builder()
        .interceptor(|mut call| async move {
            tokio::task::yield_now().await;
            assert!(call.method().is_some());
            call.metadata_mut().insert("x-steps", "first".parse().unwrap());
            Ok(call)
        })
        .interceptor(|mut call| async move {
            if call.path().ends_with("/Watch") {
                return Err(Status::permission_denied("not from here"));
            }
            let steps = call.metadata().get("x-steps").unwrap().to_str().unwrap();
            let steps = format!("{steps}, second").parse().unwrap();
            call.metadata_mut().insert("x-steps", steps);
            Ok(call)
        })
        .build()
        .unwrap();
    let mut client = HealthClient::new(channel);

    client.check(ask()).await.unwrap();
    let status = client.watch(ask()).await.unwrap_err();

    assert_eq!((status.code(), status.message()), (Code::PermissionDenied, "not from here"));
    assert_eq!(canned.sent().len(), 1);
    assert_eq!(canned.sent()[0].headers["x-steps"], "first, second");
}

#[tokio::test]
async fn tower_layers_and_tonic_interceptors_go_around_the_channel() {
    let mut server = TestServer::start().await;
    let channel = Channel::builder(server.uri()).build().unwrap();

    let layered = ServiceBuilder::new()
        .map_request(|mut request: HttpRequest<Body>| {
            request.headers_mut().insert("x-layer", "tower".parse().unwrap());
            request
        })
        .service(channel.clone());
    HealthClient::new(layered).check(ask()).await.unwrap();
    assert_eq!(server.calls.recv().await.unwrap().get("x-layer").unwrap(), "tower");

    let intercepted = InterceptedService::new(channel, |mut request: Request<()>| {
        request.metadata_mut().insert("x-layer", "tonic".parse().unwrap());
        Ok(request)
    });
    HealthClient::new(intercepted).check(ask()).await.unwrap();
    assert_eq!(server.calls.recv().await.unwrap().get("x-layer").unwrap(), "tonic");
}

#[tokio::test]
async fn calls_and_channels_are_send() {
    fn sendable<T: Send>(value: T) -> T {
        value
    }
    fn shared<T: Clone + Send + Sync + 'static>(value: T) -> T {
        value
    }
    let server = TestServer::start().await;
    let mut channel = shared(Channel::builder(server.uri()).build().unwrap());
    let mut client = HealthClient::new(channel.clone());

    drop(sendable(channel.call(HttpRequest::new(Body::empty()))));
    let stream = tokio::spawn(sendable(async move { client.watch(ask()).await })).await.unwrap().unwrap();
    sendable(stream);
}

#[tokio::test]
async fn interceptors_and_events_share_the_call_number() {
    let canned = Canned::always(|| reply().serving().ok());
    let numbers = Arc::new(Mutex::new(Vec::new()));
    let observed = numbers.clone();
    let channel = canned
        .builder()
        .observer(move |event| {
            if matches!(event.kind, CallEventKind::Started { .. }) {
                observed.lock().unwrap().push(event.call);
            }
        })
        .interceptor(|mut request| async move {
            let number = request.call_number();
            request.metadata_mut().insert("x-call-number", number.into());
            Ok(request)
        })
        .build()
        .unwrap();
    let mut client = HealthClient::new(channel);

    client.check(ask()).await.unwrap();
    client.check(ask()).await.unwrap();

    let sent: Vec<String> =
        canned.sent().iter().map(|sent| sent.headers["x-call-number"].to_str().unwrap().to_owned()).collect();
    let numbers: Vec<String> = numbers.lock().unwrap().iter().map(u64::to_string).collect();
    assert_eq!(sent, numbers);
    assert_ne!(sent[0], sent[1]);
}

#[tokio::test(start_paused = true)]
async fn each_attempt_is_reported_with_the_headers_that_are_sent() {
    let canned = accepting("Bearer 2");
    let attempts = Arc::new(Mutex::new(Vec::new()));
    let observed = attempts.clone();
    let channel = canned
        .builder()
        .observer(move |event| {
            if let CallEventKind::AttemptStarted { attempt, headers } = &event.kind {
                observed.lock().unwrap().push((*attempt, headers.clone()));
            }
        })
        .interceptor(|mut request| async move {
            request.metadata_mut().insert("x-step", "intercepted".parse().unwrap());
            Ok(request)
        })
        .credentials(numbered(&Arc::default()))
        .build()
        .unwrap();

    HealthClient::new(channel).check(ask()).await.unwrap();

    let sent = canned.sent();
    let attempts = attempts.lock().unwrap();
    assert_eq!(attempts.iter().map(|(attempt, _)| *attempt).collect::<Vec<_>>(), [1, 2]);
    for ((_, headers), sent) in attempts.iter().zip(&sent) {
        assert_eq!(headers, &sent.headers);
        assert_eq!(headers["x-step"], "intercepted");
    }
    assert_ne!(attempts[0].1["authorization"], attempts[1].1["authorization"]);
}

#[tokio::test]
async fn a_token_source_that_calls_over_its_own_channel_fails_instead_of_hanging() {
    let channel = Arc::new(OnceLock::<Channel>::new());
    let own = channel.clone();
    let source = move || {
        let mut client = HealthClient::new(own.get().unwrap().clone());
        async move { client.check(ask()).await.map(|_| "Bearer 1".to_owned()) }
    };
    let canned = Canned::always(|| reply().serving().ok());
    let built = canned.builder().credentials(source).build().unwrap();
    channel.set(built.clone()).unwrap();

    let status = HealthClient::new(built).check(ask()).await.unwrap_err();

    assert_eq!(status.code(), Code::FailedPrecondition, "{status:?}");
    assert!(status.message().contains("token source"));
    assert!(canned.sent().is_empty());
}

#[tokio::test]
async fn every_constructor_of_a_generated_client_takes_the_channel() {
    let canned = Canned::always(|| reply().serving().ok());
    let channel = canned.builder().build().unwrap();
    let origin = http::Uri::from_static("http://elsewhere.test");

    HealthClient::new(channel.clone()).check(ask()).await.unwrap();
    HealthClient::with_origin(channel.clone(), origin).check(ask()).await.unwrap();
    let mut intercepted = HealthClient::with_interceptor(channel, |mut request: Request<()>| {
        if request.metadata().contains_key("x-refused") {
            return Err(Status::permission_denied("refused"));
        }
        request.metadata_mut().insert("x-layer", "tonic".parse().unwrap());
        Ok(request)
    });
    intercepted.check(ask()).await.unwrap();
    let mut refused = ask();
    refused.metadata_mut().insert("x-refused", "yes".parse().unwrap());
    assert_eq!(intercepted.check(refused).await.unwrap_err().code(), Code::PermissionDenied);

    let layers: Vec<bool> = canned.sent().iter().map(|sent| sent.headers.contains_key("x-layer")).collect();
    assert_eq!(layers, [false, false, true]);
}
