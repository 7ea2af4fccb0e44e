//! Interceptors, credentials and layers of the program's own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use http::Request as HttpRequest;
use tonic::body::Body;
use tonic::service::interceptor::InterceptedService;
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_web_channel::{Channel, Error, Outgoing, no_retry};
use tower::{Service as _, ServiceBuilder};

use crate::support::TestServer;
use crate::support::canned::{Canned, Sent, reply};

fn ask() -> Request<HealthCheckRequest> {
    Request::new(HealthCheckRequest { service: "any".to_owned() })
}

/// A source whose tokens are numbered, each after a second.
fn numbered(
    fetched: &Arc<AtomicUsize>,
) -> impl Fn() -> tonic_web_channel::BoxFuture<Result<String, Status>> + use<> {
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

/// Takes a while for each call, and takes no token but `good`.
fn picky(good: &'static str) -> Canned {
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
async fn fifty_calls_with_a_stale_token_lead_to_one_refresh_and_one_repeat_each() {
    let fetched = Arc::new(AtomicUsize::new(0));
    let canned = picky("Bearer 2");
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
async fn a_refresh_that_fails_ends_the_calls_that_wait_with_its_status_and_is_not_repeated_for_each() {
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
    let canned = picky("Bearer 2");
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
async fn a_call_is_repeated_once_only_when_the_new_token_is_refused_too() {
    let fetched = Arc::new(AtomicUsize::new(0));
    let canned = picky("none is good");
    let channel = canned.builder().credentials(numbered(&fetched)).build().unwrap();

    let status = HealthClient::new(channel).check(ask()).await.unwrap_err();

    assert_eq!((status.code(), status.message()), (Code::Unauthenticated, "stale"));
    assert_eq!(canned.sent().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_refused_in_its_trailers_has_the_next_call_begin_with_a_new_token() {
    let fetched = Arc::new(AtomicUsize::new(0));
    let canned = picky("Bearer 2");
    let channel = canned.builder().credentials(numbered(&fetched)).build().unwrap();
    let mut client = HealthClient::new(channel);

    let mut stream = client.watch(ask()).await.unwrap().into_inner();
    assert_eq!(stream.message().await.unwrap_err().code(), Code::Unauthenticated);
    let mut stream = client.watch(ask()).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_not_repeated_has_the_next_one_begin_with_a_new_token_too() {
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
        no_retry(&mut request);
        request
    };

    assert_eq!(client.check(once()).await.unwrap_err().code(), Code::Unauthenticated);
    client.check(once()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_token_counts_to_the_deadline() {
    let source = || async { std::future::pending::<Result<String, Status>>().await };
    let canned = picky("");
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
        .interceptor(|mut call: Outgoing| async move {
            tokio::task::yield_now().await;
            assert!(call.method().is_some());
            call.metadata_mut().insert("x-steps", "first".parse().unwrap());
            Ok(call)
        })
        .interceptor(|mut call: Outgoing| async move {
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
async fn layers_of_tower_and_tonic_s_own_interceptors_go_around_it() {
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
async fn calls_and_channels_may_go_to_other_threads() {
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
