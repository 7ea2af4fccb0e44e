//! The transport without a network: calls of every kind, and each fault with the error that it gives.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::{Stream, StreamExt as _, stream};
use http::uri::PathAndQuery;
use http::{HeaderValue, StatusCode};
use tonic::body::Body;
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_prost::ProstCodec;
use tonic_web_channel::retry::RetryPolicy;
use tonic_web_channel::{BodyEnd, Channel, Error, Fault, InProcess, MessageCount, Method, MethodKind};
use tower_service::Service;

type Ask = HealthCheckRequest;
type Answer = HealthCheckResponse;
type Answers = Pin<Box<dyn Stream<Item = Result<Answer, Status>> + Send>>;
type ServiceFuture<T> = Pin<Box<dyn Future<Output = Result<Response<T>, Status>> + Send>>;

/// Has a method of each kind, which is what `tonic` generates for one. It answers with the length of what it
/// is asked, and with `NOT_FOUND` when that is `missing`.
#[derive(Clone)]
struct Lengths;

fn answer(ask: &Ask) -> Result<Answer, Status> {
    match ask.service.as_str() {
        "missing" => Err(Status::not_found("there is no such thing")),
        text => Ok(Answer { status: i32::try_from(text.len()).unwrap() }),
    }
}

impl Service<http::Request<Body>> for Lengths {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move {
            let codec = ProstCodec::<Answer, Ask>::default();
            let mut server = tonic::server::Grpc::new(codec);
            Ok(match request.uri().path() {
                "/Lengths/Unary" => server.unary(Unary, request).await,
                "/Lengths/ServerStreaming" => server.server_streaming(ServerStreaming, request).await,
                "/Lengths/ClientStreaming" => server.client_streaming(ClientStreaming, request).await,
                "/Lengths/Bidirectional" => server.streaming(Bidirectional, request).await,
                _ => Status::unimplemented("").into_http(),
            })
        })
    }
}

struct Unary;

impl tonic::server::UnaryService<Ask> for Unary {
    type Response = Answer;
    type Future = ServiceFuture<Answer>;

    fn call(&mut self, request: Request<Ask>) -> Self::Future {
        Box::pin(async move { answer(request.get_ref()).map(Response::new) })
    }
}

struct ServerStreaming;

impl tonic::server::ServerStreamingService<Ask> for ServerStreaming {
    type Response = Answer;
    type ResponseStream = Answers;
    type Future = ServiceFuture<Answers>;

    /// Counts up to the length.
    fn call(&mut self, request: Request<Ask>) -> Self::Future {
        Box::pin(async move {
            let Answer { status: last } = answer(request.get_ref())?;
            let answers: Answers = Box::pin(stream::iter((1..=last).map(|status| Ok(Answer { status }))));
            Ok(Response::new(answers))
        })
    }
}

struct ClientStreaming;

impl tonic::server::ClientStreamingService<Ask> for ClientStreaming {
    type Response = Answer;
    type Future = ServiceFuture<Answer>;

    fn call(&mut self, request: Request<Streaming<Ask>>) -> Self::Future {
        Box::pin(async move {
            let mut asks = request.into_inner();
            let mut sum = 0;
            while let Some(ask) = asks.message().await? {
                sum += answer(&ask)?.status;
            }
            Ok(Response::new(Answer { status: sum }))
        })
    }
}

struct Bidirectional;

impl tonic::server::StreamingService<Ask> for Bidirectional {
    type Response = Answer;
    type ResponseStream = Answers;
    type Future = ServiceFuture<Answers>;

    fn call(&mut self, request: Request<Streaming<Ask>>) -> Self::Future {
        Box::pin(async move {
            let answers: Answers = Box::pin(request.into_inner().map(|ask| answer(&ask?)));
            Ok(Response::new(answers))
        })
    }
}

/// What generated clients are made of.
type Client = tonic::client::Grpc<Channel>;

/// Nothing is repeated, so that a call sees what was ordered for it.
fn network() -> (InProcess, Client) {
    let network = InProcess::new(Lengths);
    let channel = Channel::builder("http://in.process").transport(network.clone());
    (network, Client::new(channel.retry(RetryPolicy::never()).build().unwrap()))
}

fn ask(text: &str) -> Ask {
    Ask { service: text.to_owned() }
}

fn path(method: &'static str) -> PathAndQuery {
    PathAndQuery::from_static(method)
}

async fn unary(client: &mut Client, text: &str) -> Result<i32, Status> {
    client.ready().await.unwrap();
    let codec = ProstCodec::<Ask, Answer>::default();
    let answer = client.unary(Request::new(ask(text)), path("/Lengths/Unary"), codec).await?;
    Ok(answer.into_inner().status)
}

/// All that came, and how it ended.
async fn streamed(client: &mut Client, text: &str) -> (Vec<i32>, Result<(), Status>) {
    client.ready().await.unwrap();
    let codec = ProstCodec::<Ask, Answer>::default();
    let answers =
        client.server_streaming(Request::new(ask(text)), path("/Lengths/ServerStreaming"), codec).await;
    let mut came = Vec::new();
    match answers {
        Ok(answers) => {
            let ended = read(answers.into_inner(), &mut came).await;
            (came, ended)
        }
        Err(status) => (came, Err(status)),
    }
}

async fn read(mut answers: Streaming<Answer>, came: &mut Vec<i32>) -> Result<(), Status> {
    while let Some(answer) = answers.message().await? {
        came.push(answer.status);
    }
    Ok(())
}

/// The error that a unary call gives when it suffers `faults`.
async fn error_of(faults: impl IntoIterator<Item = Fault>) -> Error {
    let (network, mut client) = network();
    network.next(faults);
    let status = unary(&mut client, "seven77").await.unwrap_err();
    let error = Error::from_status(&status).unwrap_or_else(|| panic!("{status:?} has no reason")).clone();
    assert_eq!(status.code(), error.code());
    assert_eq!(unary(&mut client, "three").await.unwrap(), 5, "the next call suffers nothing");
    error
}

#[tokio::test]
async fn a_stock_client_makes_calls_of_every_kind() {
    let (network, mut client) = network();
    let asks = || stream::iter(["one", "three", ""].map(ask));
    let codec = ProstCodec::<Ask, Answer>::default;

    assert_eq!(unary(&mut client, "seven77").await.unwrap(), 7);
    assert_eq!(streamed(&mut client, "four").await.0, [1, 2, 3, 4]);
    let sum = client.client_streaming(Request::new(asks()), path("/Lengths/ClientStreaming"), codec()).await;
    assert_eq!(sum.unwrap().into_inner().status, 8);
    let each = client.streaming(Request::new(asks()), path("/Lengths/Bidirectional"), codec()).await;
    let mut came = Vec::new();
    read(each.unwrap().into_inner(), &mut came).await.unwrap();
    assert_eq!(came, [3, 5, 0]);
    assert_eq!(network.calls(), 4);
}

#[tokio::test]
async fn what_the_service_says_comes_as_it_says_it() {
    let (_network, mut client) = network();

    let status = unary(&mut client, "missing").await.unwrap_err();

    assert_eq!((status.code(), status.message()), (Code::NotFound, "there is no such thing"));
    assert_eq!(Error::from_status(&status), None);
    let unknown = client.unary(Request::new(ask("")), path("/Lengths/Other"), codec()).await;
    assert_eq!(unknown.unwrap_err().code(), Code::Unimplemented);
}

fn codec() -> ProstCodec<Ask, Answer> {
    ProstCodec::default()
}

#[tokio::test]
async fn each_fault_has_its_error() {
    let refused = Error::Connect { origin: "http://in.process".into(), reason: "refused".into() };
    assert_eq!(error_of([Fault::Fail(refused.clone())]).await, refused);
    assert_eq!(error_of([Fault::Fail(Error::Offline)]).await, Error::Offline);
    assert_eq!(error_of([Fault::Status(StatusCode::BAD_GATEWAY)]).await, Error::Http { status: 502 });
    let login_page = Fault::Status(StatusCode::OK);
    assert_eq!(error_of([login_page]).await, Error::ContentType { found: "text/html".into() });
    let json = Fault::ContentType(HeaderValue::from_static("application/json"));
    assert_eq!(error_of([json]).await, Error::ContentType { found: "application/json".into() });
    assert_eq!(error_of([Fault::CutAt(6)]).await, Error::Truncated { end: BodyEnd::InsideMessage });
    let dropped = Error::ConnectionLost { reason: "the connection was dropped by a fault".into() };
    assert_eq!(error_of([Fault::DropAt(6)]).await, dropped);
    assert!(matches!(error_of([Fault::DuplicateTrailers]).await, Error::Protocol { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_delay_and_a_stall_last_until_the_deadline_or_as_long_as_they_do() {
    let (network, mut client) = network();
    let start = tokio::time::Instant::now();
    network.next([Fault::Delay(Duration::from_secs(3))]);
    assert_eq!(unary(&mut client, "one").await.unwrap(), 3);
    assert_eq!(start.elapsed().as_secs(), 3);

    for fault in [Fault::Delay(Duration::from_secs(60)), Fault::StallAt(4)] {
        network.next([fault]);
        let mut request = Request::new(ask("one"));
        request.set_timeout(Duration::from_secs(5));
        let status = client.unary(request, path("/Lengths/Unary"), codec()).await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded);
    }
    assert_eq!(start.elapsed().as_secs(), 13);
}

#[tokio::test]
async fn a_message_that_comes_twice_is_seen_twice() {
    let (network, mut client) = network();
    network.next([Fault::DuplicateMessage(1)]);

    let (came, ended) = streamed(&mut client, "four").await;

    ended.unwrap();
    assert_eq!(came, [1, 2, 2, 3, 4]);
}

#[tokio::test(start_paused = true)]
async fn a_repetition_is_a_call_of_its_own() {
    let network = InProcess::new(Lengths);
    let channel = Channel::builder("http://in.process").transport(network.clone()).build().unwrap();
    network.next([Fault::Fail(Error::Offline)]);

    // The call that never left is repeated by the channel, and then it arrives.
    assert_eq!(unary(&mut Client::new(channel), "one").await.unwrap(), 3);

    assert_eq!(network.calls(), 2);
}

#[tokio::test]
async fn a_second_answer_where_one_is_due_is_an_error() {
    let network = InProcess::new(Lengths);
    let method = Method::new("/Lengths/Unary", MethodKind::Unary);
    let channel = Channel::builder("http://in.process").transport(network.clone()).methods([method]);
    let mut client = Client::new(channel.build().unwrap());
    network.next([Fault::DuplicateMessage(0)]);

    let status = unary(&mut client, "one").await.unwrap_err();

    assert_eq!(Error::from_status(&status), Some(&Error::Cardinality { found: MessageCount::Several }));
}

#[tokio::test]
async fn a_response_that_is_cut_at_any_byte_fails_or_is_whole() {
    let (network, mut client) = network();
    for cut in [Fault::CutAt as fn(usize) -> Fault, Fault::DropAt] {
        let mut at = 0;
        loop {
            network.next([cut(at)]);
            let (came, ended) = streamed(&mut client, "four").await;
            // What came before the cut is what was sent, without a gap.
            assert_eq!(came, [1, 2, 3, 4][..came.len()], "cut at {at}");
            let Err(status) = ended else {
                assert_eq!(came.len(), 4, "cut at {at}");
                break;
            };
            assert!(Error::from_status(&status).is_some(), "cut at {at}: {status:?}");
            at += 1;
        }
        // Four messages of seven bytes, and the trailers.
        assert!(at > 28 + 5, "whole after {at} bytes");
    }
}

#[tokio::test]
async fn a_unary_response_that_is_cut_at_any_byte_fails_or_is_whole() {
    let (network, mut client) = network();
    let mut at = 0;
    loop {
        network.next([Fault::CutAt(at)]);
        match unary(&mut client, "seven77").await {
            Ok(length) => break assert_eq!(length, 7),
            Err(status) => assert!(
                matches!(Error::from_status(&status), Some(Error::Truncated { .. })),
                "cut at {at}: {status:?}"
            ),
        }
        at += 1;
    }
    assert!(at > 7 + 5, "whole after {at} bytes");
}

#[tokio::test]
async fn pieces_of_any_size_make_the_same_response() {
    let (network, mut client) = network();
    for size in 0..60 {
        network.next([Fault::Pieces(size)]);
        let (came, ended) = streamed(&mut client, "four").await;
        ended.unwrap();
        assert_eq!(came, [1, 2, 3, 4], "in pieces of {size}");
    }
}

#[tokio::test]
async fn faults_are_suffered_in_the_order_they_were_ordered_and_then_those_for_all() {
    let (network, mut client) = network();
    network.next([]);
    network.next([Fault::Fail(Error::Offline)]);
    network.always([Fault::Status(StatusCode::SERVICE_UNAVAILABLE)]);

    assert_eq!(unary(&mut client, "one").await.unwrap(), 3);
    let offline = unary(&mut client, "one").await.unwrap_err();
    assert_eq!(Error::from_status(&offline), Some(&Error::Offline));
    for _ in 0..2 {
        let down = unary(&mut client, "one").await.unwrap_err();
        assert_eq!(Error::from_status(&down), Some(&Error::Http { status: 503 }));
    }
    network.always([]);
    assert_eq!(unary(&mut client, "one").await.unwrap(), 3);
}
