//! Calls of the page's `Api` and of a generated client on the channel, to a real server.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::future::{Either, select};
use proto::chat::v1::{JoinRequest, SubscribeRequest, chat_service_client::ChatServiceClient};
use tonic::{Code, Request, Status};
use tonic_web_channel::Channel;
use tonic_web_channel::observe::CallEventKind;
use wasm_bindgen_test::wasm_bindgen_test;
use web_time::Instant;

use crate::{
    api::{Api, GreeterApi, StreamOptions},
    i18n::Language,
    status::{Failure, field_violations},
};

/// Longest time that a test waits for something.
const PATIENCE: Duration = Duration::from_secs(10);

/// The runner starts a server on the port after the page's.
fn server() -> String {
    let port: u16 = web_sys::window().unwrap().location().port().unwrap().parse().unwrap();
    format!("http://127.0.0.1:{}", port + 1)
}

fn api() -> Api {
    Api::new(&server(), |_| {}).unwrap()
}

fn greeter() -> GreeterApi {
    GreeterApi::new(&server(), &server(), |_| {}).unwrap()
}

async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> T {
    match select(Box::pin(future), Box::pin(tonic_web_channel::rt::sleep(limit))).await {
        Either::Left((value, _)) => value,
        Either::Right(_) => panic!("nothing came within {limit:?}"),
    }
}

#[wasm_bindgen_test]
async fn a_unary_call_has_one_reply() {
    let reply = within(PATIENCE, greeter().say_hello("World".to_owned(), None)).await.unwrap();
    assert_eq!(reply.get_ref().message, "Hello, World!");
    let reply = within(PATIENCE, greeter().say_hello("世界 🦀".to_owned(), None)).await.unwrap();
    assert_eq!(reply.get_ref().message, "Hello, 世界 🦀!");
}

#[wasm_bindgen_test]
async fn a_stream_delivers_its_replies_one_by_one() {
    let interval = Duration::from_millis(200);
    let options = StreamOptions { count: Some(5), interval_ms: Some(200) };
    let greeter = greeter();
    let started = Instant::now();
    let replies =
        within(PATIENCE, greeter.say_hello_stream_reply("World".to_owned(), options, None)).await.unwrap();
    let mut stream = replies.into_inner();
    let mut arrivals = Vec::new();
    while let Some(reply) = within(PATIENCE, stream.message()).await.unwrap() {
        assert_eq!(reply.message, "Hello, World!");
        arrivals.push(started.elapsed());
    }
    assert_eq!(arrivals.len(), 5);
    // The first reply arrives long before the last one is sent.
    assert!(arrivals[4] - arrivals[0] > interval * 2, "all came at once: {arrivals:?}");
}

#[wasm_bindgen_test]
async fn a_refusal_names_its_field_in_the_details() {
    let request = JoinRequest { name: "  ".to_owned(), return_token: false, ..Default::default() };
    let status = within(PATIENCE, api().join(request)).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    assert!(!status.message().is_empty());
    let violations = field_violations(&status);
    assert_eq!(violations.len(), 1, "{status:?}");
    assert_eq!(violations[0].field, "name");
    assert!(!violations[0].description.is_empty());
}

#[wasm_bindgen_test]
async fn metadata_out_of_range_is_refused_by_key() {
    let options = StreamOptions { count: Some(0), interval_ms: None };
    let call = async {
        let replies = greeter().say_hello_stream_reply("World".to_owned(), options, None).await?;
        replies.into_inner().message().await
    };
    let status = within(PATIENCE, call).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    assert!(status.message().contains("x-greeter-count"), "{status:?}");
}

#[wasm_bindgen_test]
async fn a_deadline_ends_a_stream() {
    let options = StreamOptions { count: None, interval_ms: Some(60_000) };
    let started = Instant::now();
    let deadline = Some(Duration::from_millis(400));
    let call = async { greeter().say_hello_stream_reply("World".to_owned(), options, deadline).await };
    let mut stream = within(PATIENCE, call).await.unwrap().into_inner();
    assert!(within(PATIENCE, stream.message()).await.unwrap().is_some());
    let status = within(PATIENCE, stream.message()).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
    assert!((350..3_000).contains(&started.elapsed().as_millis()), "{:?}", started.elapsed());
}

/// The server allows 16 streams for a user. Opening twice as many one after another succeeds only when it notices each dropped one.
#[wasm_bindgen_test]
async fn the_server_notices_a_dropped_stream() {
    let channel = Channel::builder(server()).build().unwrap();
    let mut client = ChatServiceClient::new(channel);
    let name = format!("Dropper {}", Instant::now().elapsed().as_nanos() + js_sys::Date::now() as u128);
    let joined =
        within(PATIENCE, client.join(JoinRequest { name, return_token: true, ..Default::default() }))
            .await
            .unwrap()
            .into_inner();
    let authorization = format!("Bearer {}", joined.token);
    let opening = Instant::now();
    for round in 0..32 {
        loop {
            let mut request = Request::new(SubscribeRequest::default());
            request.metadata_mut().insert("authorization", authorization.parse().unwrap());
            let first = async { client.subscribe(request).await?.into_inner().message().await };
            match within(PATIENCE, first).await {
                Ok(frame) => {
                    assert!(frame.is_some(), "the stream of round {round} was empty");
                    break;
                }
                Err(status) if status.code() == Code::ResourceExhausted => {
                    assert!(
                        opening.elapsed() < PATIENCE * 2,
                        "round {round}: the streams stay open: {status:?}"
                    );
                    tonic_web_channel::rt::sleep(Duration::from_millis(20)).await;
                }
                Err(status) => panic!("round {round}: {status:?}"),
            }
        }
    }
}

#[wasm_bindgen_test]
async fn an_unreachable_server_is_unavailable() {
    // Nothing listens on port 9, and browsers may forbid it.
    let nowhere = "http://127.0.0.1:9";
    let greeter = GreeterApi::new(nowhere, nowhere, |_| {}).unwrap();
    let status = within(PATIENCE, greeter.say_hello("World".to_owned(), None)).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    // A browser does not tell the two possible reasons apart.
    let m = Language::English.messages();
    assert_eq!(Failure::from(&status).sentence(m), m.error_fetch, "{status:?}");
}

#[wasm_bindgen_test]
async fn a_response_that_is_not_grpc_names_its_http_status() {
    // The test page's server answers unknown paths with an HTTP status.
    let origin = web_sys::window().unwrap().location().origin().unwrap();
    let greeter = GreeterApi::new(&origin, &origin, |_| {}).unwrap();
    let status = within(PATIENCE, greeter.say_hello("World".to_owned(), None)).await.unwrap_err();
    let Some(tonic_web_channel::Error::Http { status: http }) =
        tonic_web_channel::Error::from_status(&status)
    else {
        panic!("{status:?}")
    };
    let sentence = Failure::from(&status).sentence(Language::Chinese.messages());
    assert!(sentence.contains(&http.to_string()), "{sentence}");
}

#[wasm_bindgen_test]
async fn the_observer_receives_a_calls_events_with_their_bytes() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    let greeter = GreeterApi::new(&server(), &server(), move |event| {
        noted.lock().unwrap().push(match &event.kind {
            CallEventKind::Started { path, .. } => path.clone(),
            CallEventKind::AttemptStarted { attempt, .. } => format!("attempt {attempt}"),
            CallEventKind::MessageSent { bytes, content, .. } => format!("sent {bytes} {content:?}"),
            CallEventKind::Headers { .. } => "headers".to_owned(),
            CallEventKind::MessageReceived { bytes, content, .. } => format!("received {bytes} {content:?}"),
            CallEventKind::TrailersReceived { flags, .. } => format!("trailers {flags:02x}"),
            CallEventKind::Ended { status, .. } => format!("{:?}", status.code()),
            _ => String::new(),
        });
    })
    .unwrap();
    let result: Result<_, Status> =
        within(PATIENCE, greeter.say_hello("World".to_owned(), None)).await.map(drop);
    result.unwrap();
    let seen = seen.lock().unwrap().join(", ");
    assert_eq!(
        seen,
        r#"/helloworld.Greeter/SayHello, attempt 1, sent 7 b"\n\x05World", headers, received 15 b"\n\rHello, World!", trailers 80, Ok"#
    );
}
