//! Terminated calls, under paused time.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _, stream};
use http_body_util::{BodyExt as _, StreamBody};
use tokio::time::Instant;
use tower::{ServiceExt as _, service_fn};

use super::*;

type Answered = Result<Response<Body>, Infallible>;
type Body = tonic::body::Body;

/// A call as its client sees it: its messages, its code, and its duration.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    messages: usize,
    code: Option<tonic::Code>,
    after: Duration,
}

fn call(timeout: Option<&str>) -> Request<()> {
    let mut request = Request::new(());
    if let Some(timeout) = timeout {
        request.headers_mut().insert(GRPC_TIMEOUT, timeout.parse().unwrap());
    }
    request
}

async fn see<F>(shutdown: CancellationToken, timeout: Option<&str>, service: impl Fn() -> F + Clone) -> Seen
where
    F: Future<Output = Answered>,
{
    let start = Instant::now();
    let service = Guard::new(service_fn(move |_: Request<()>| service()), shutdown, None);
    let response = service.oneshot(call(timeout)).await.unwrap();
    let mut code = Status::from_header_map(response.headers()).map(|status| status.code());
    let mut body = response.into_body();
    let mut messages = 0;
    while let Some(frame) = body.frame().await {
        match frame.unwrap().into_trailers() {
            Ok(trailers) => code = Status::from_header_map(&trailers).map(|status| status.code()),
            Err(_message) => messages += 1,
        }
    }
    Seen { messages, code, after: start.elapsed() }
}

fn streaming(frames: impl Stream<Item = Frame<Bytes>> + Send + 'static) -> Answered {
    Ok(Response::new(Body::new(StreamBody::new(frames.map(Ok::<_, Infallible>)))))
}

fn message() -> Frame<Bytes> {
    Frame::data(Bytes::from_static(b"message"))
}

/// A message per second without end, which holds `held`.
fn ticking(held: Arc<()>) -> impl Stream<Item = Frame<Bytes>> {
    stream::unfold(held, |held| async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Some((message(), held))
    })
}

#[tokio::test(start_paused = true)]
async fn a_call_without_a_response_ends_at_its_deadline() {
    let seen = see(CancellationToken::new(), Some("1500m"), std::future::pending::<Answered>).await;

    assert_eq!(seen.code, Some(tonic::Code::DeadlineExceeded));
    assert_eq!(seen.after, Duration::from_millis(1500));
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_dropped_at_its_deadline_and_ends_with_trailers() {
    let held = Arc::new(());
    let service = {
        let held = Arc::clone(&held);
        move || std::future::ready(streaming(ticking(Arc::clone(&held))))
    };

    let seen = see(CancellationToken::new(), Some("3500m"), service.clone()).await;

    let after = Duration::from_millis(3500);
    assert_eq!(seen, Seen { messages: 3, code: Some(tonic::Code::DeadlineExceeded), after });
    drop(service);
    assert_eq!(Arc::strong_count(&held), 1, "the stream is still alive");
}

#[tokio::test(start_paused = true)]
async fn an_unread_stream_is_dropped_at_its_deadline_and_keeps_its_status() {
    let held = Arc::new(());
    let service = {
        let held = Arc::clone(&held);
        service_fn(move |_: Request<()>| std::future::ready(streaming(ticking(Arc::clone(&held)))))
    };
    let service = Guard::new(service, CancellationToken::new(), None);

    let mut body = service.oneshot(call(Some("3S"))).await.unwrap().into_body();
    assert!(body.frame().await.unwrap().unwrap().is_data());
    assert_eq!(Arc::strong_count(&held), 2);
    tokio::time::sleep(Duration::from_secs(3)).await;

    assert_eq!(Arc::strong_count(&held), 1, "the stream is still alive");
    assert!(!http_body::Body::is_end_stream(&body));
    let trailers = body.frame().await.unwrap().unwrap().into_trailers().unwrap();
    assert_eq!(Status::from_header_map(&trailers).unwrap().code(), tonic::Code::DeadlineExceeded);
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn a_stream_that_never_waits_ends_at_its_deadline() {
    let service = || std::future::ready(streaming(stream::repeat_with(message).take(50_000_000)));

    // In real time: this stream gives a paused clock no moment to move.
    let seen = see(CancellationToken::new(), Some("20m"), service).await;

    assert_eq!(seen.code, Some(tonic::Code::DeadlineExceeded));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_ends_before_its_deadline_is_unchanged() {
    let ended = || {
        let mut trailers = HeaderMap::new();
        Status::not_found("nobody").add_header(&mut trailers).unwrap();
        streaming(stream::iter([message(), Frame::trailers(trailers)]))
    };

    let seen = see(CancellationToken::new(), Some("1S"), move || std::future::ready(ended())).await;

    assert_eq!(seen, Seen { messages: 1, code: Some(tonic::Code::NotFound), after: Duration::ZERO });
}

#[tokio::test]
async fn the_end_of_a_body_is_known_before_it_is_polled() {
    let refused = || async { Ok::<_, Infallible>(Status::not_found("no such room").into_http::<Body>()) };
    let service = Guard::new(service_fn(move |_: Request<()>| refused()), CancellationToken::new(), None);

    let mut body = service.oneshot(call(Some("1S"))).await.unwrap().into_body();

    assert!(http_body::Body::is_end_stream(&body), "HTTP would send a frame without bytes");
    assert!(body.frame().await.is_none());
    assert!(http_body::Body::is_end_stream(&body));
}

#[tokio::test(start_paused = true)]
async fn a_stream_without_a_deadline_goes_on() {
    let service = || std::future::ready(streaming(ticking(Arc::new(())).take(5000)));

    let seen = see(CancellationToken::new(), None, service).await;

    assert_eq!(seen, Seen { messages: 5000, code: None, after: Duration::from_secs(5000) });
}

#[tokio::test(start_paused = true)]
async fn a_deadline_in_hundreds_of_years_is_accepted() {
    let service = || std::future::ready(streaming(ticking(Arc::new(())).take(10)));

    let seen = see(CancellationToken::new(), Some("99999999H"), service).await;

    assert_eq!(seen.messages, 10);
}

#[tokio::test]
async fn an_invalid_timeout_is_refused_before_the_call() {
    let seen = see(CancellationToken::new(), Some("soon"), || async { panic!("called") }).await;

    assert_eq!(seen.code, Some(tonic::Code::InvalidArgument));
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_calls_with_unavailable() {
    let shutdown = CancellationToken::new();
    let ticks = || std::future::ready(streaming(ticking(Arc::new(()))));
    let (unanswered, streamed, ()) = tokio::join!(
        see(shutdown.clone(), None, std::future::pending::<Answered>),
        see(shutdown.clone(), Some("1H"), ticks),
        async {
            tokio::time::sleep(Duration::from_millis(2500)).await;
            shutdown.cancel();
        }
    );

    let after = Duration::from_millis(2500);
    let code = Some(tonic::Code::Unavailable);
    assert_eq!(unanswered, Seen { messages: 0, code, after });
    assert_eq!(streamed, Seen { messages: 2, code, after });
}

#[tokio::test]
async fn a_panic_ends_its_call_with_internal() {
    let head = see(CancellationToken::new(), None, || async { panic!("in the head, on purpose") }).await;
    let body = see(CancellationToken::new(), None, || {
        let frames = stream::iter([0, 1]).map(|number| match number {
            0 => message(),
            _ => panic!("in the body, on purpose"),
        });
        std::future::ready(streaming(frames))
    })
    .await;

    assert_eq!(head.code, Some(tonic::Code::Internal));
    assert_eq!((body.messages, body.code), (1, Some(tonic::Code::Internal)));
}
