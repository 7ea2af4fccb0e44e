//! Calls of the page's `Api` and of stock clients on the channel, against a real server.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use frontend::{
    api::{Api, StreamOptions},
    i18n::Language,
    status::{Failure, field_violations},
};
use futures_util::future::{Either, select};
use proto::chat::v1::{JoinRequest, SubscribeRequest, chat_service_client::ChatServiceClient};
use tonic::{Code, Request, Status};
use tonic_web_channel::Channel;
use tonic_web_channel::observe::CallEventKind;
use wasm_bindgen_test::wasm_bindgen_test;
use web_time::Instant;

/// What a test may wait for anything that should happen.
const PATIENCE: Duration = Duration::from_secs(10);

/// The runner puts a server on the port after the page's.
fn server() -> String {
    let port: u16 = web_sys::window().unwrap().location().port().unwrap().parse().unwrap();
    format!("http://127.0.0.1:{}", port + 1)
}

fn api() -> Api {
    Api::new(&server(), |_| {}).unwrap()
}

async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> T {
    match select(Box::pin(future), Box::pin(tonic_web_channel::rt::sleep(limit))).await {
        Either::Left((value, _)) => value,
        Either::Right(_) => panic!("nothing came within {limit:?}"),
    }
}

#[wasm_bindgen_test]
async fn one_request_gets_one_reply() {
    let reply = within(PATIENCE, api().say_hello("World".to_owned(), None)).await.unwrap();
    assert_eq!(reply.message, "Hello, World!");
    let reply = within(PATIENCE, api().say_hello("世界 🦀".to_owned(), None)).await.unwrap();
    assert_eq!(reply.message, "Hello, 世界 🦀!");
}

#[wasm_bindgen_test]
async fn a_stream_gives_as_many_replies_as_were_asked_for_one_by_one() {
    let interval = Duration::from_millis(200);
    let options = StreamOptions { count: Some(5), interval_ms: Some(200) };
    let api = api();
    let started = Instant::now();
    let mut stream =
        within(PATIENCE, api.say_hello_stream_reply("World".to_owned(), options, None)).await.unwrap();
    let mut came = Vec::new();
    while let Some(reply) = within(PATIENCE, stream.message()).await.unwrap() {
        assert_eq!(reply.message, "Hello, World!");
        came.push(started.elapsed());
    }
    assert_eq!(came.len(), 5);
    // Not held back until the end: the first is there long before the last is sent.
    assert!(came[4] - came[0] > interval * 2, "all came at once: {came:?}");
}

#[wasm_bindgen_test]
async fn a_refusal_names_the_field_in_its_details() {
    let request = JoinRequest { name: "  ".to_owned(), return_token: false };
    let status = within(PATIENCE, api().join(request)).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    assert!(!status.message().is_empty());
    let violations = field_violations(&status);
    assert_eq!(violations.len(), 1, "{status:?}");
    assert_eq!(violations[0].field, "name");
    assert!(!violations[0].description.is_empty());
}

#[wasm_bindgen_test]
async fn metadata_out_of_range_is_refused_with_the_keys_name() {
    let options = StreamOptions { count: Some(0), interval_ms: None };
    let call = async {
        let mut stream = api().say_hello_stream_reply("World".to_owned(), options, None).await?;
        stream.message().await
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
    let mut stream =
        within(PATIENCE, api().say_hello_stream_reply("World".to_owned(), options, deadline)).await.unwrap();
    assert!(within(PATIENCE, stream.message()).await.unwrap().is_some());
    let status = within(PATIENCE, stream.message()).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
    assert!((350..3_000).contains(&started.elapsed().as_millis()), "{:?}", started.elapsed());
}

/// The server allows a user 16 streams. Opening and dropping twice as many, one after the other, works
/// only when it sees each one go.
#[wasm_bindgen_test]
async fn the_server_sees_that_a_stream_was_dropped() {
    let channel = Channel::builder(server()).build().unwrap();
    let mut client = ChatServiceClient::new(channel);
    let name = format!("Dropper {}", Instant::now().elapsed().as_nanos() + js_sys::Date::now() as u128);
    let joined =
        within(PATIENCE, client.join(JoinRequest { name, return_token: true })).await.unwrap().into_inner();
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
async fn a_server_that_is_not_there_is_unavailable() {
    // Port 9 is never listened on here, and browsers may forbid it: both are no server.
    let api = Api::new("http://127.0.0.1:9", |_| {}).unwrap();
    let status = within(PATIENCE, api.say_hello("World".to_owned(), None)).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    // The two reasons that a browser does not tell apart are named as such.
    let m = Language::English.messages();
    assert_eq!(Failure::from(&status).sentence(m), m.error_fetch, "{status:?}");
}

#[wasm_bindgen_test]
async fn an_answer_that_is_no_grpc_says_where_to_look() {
    // The tests' own page answers every path that it does not know with an HTTP status.
    let origin = web_sys::window().unwrap().location().origin().unwrap();
    let api = Api::new(&origin, |_| {}).unwrap();
    let status = within(PATIENCE, api.say_hello("World".to_owned(), None)).await.unwrap_err();
    let Some(tonic_web_channel::Error::Http { status: http }) =
        tonic_web_channel::Error::from_status(&status)
    else {
        panic!("{status:?}")
    };
    let sentence = Failure::from(&status).sentence(Language::Chinese.messages());
    assert!(sentence.contains(&http.to_string()), "{sentence}");
}

#[wasm_bindgen_test]
async fn the_observer_sees_a_call_from_start_to_end_with_its_bytes() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    let api = Api::new(&server(), move |event| {
        noted.lock().unwrap().push(match &event.kind {
            CallEventKind::Started { path, .. } => path.clone(),
            CallEventKind::MessageSent { bytes, content, .. } => format!("sent {bytes} {content:?}"),
            CallEventKind::Headers { .. } => "headers".to_owned(),
            CallEventKind::MessageReceived { bytes, content, .. } => format!("received {bytes} {content:?}"),
            CallEventKind::TrailersReceived { flags, .. } => format!("trailers {flags:02x}"),
            CallEventKind::Ended { status, .. } => format!("{:?}", status.code()),
            _ => String::new(),
        });
    })
    .unwrap();
    let result: Result<_, Status> = within(PATIENCE, api.say_hello("World".to_owned(), None)).await;
    result.unwrap();
    let seen = seen.lock().unwrap().join(", ");
    assert_eq!(
        seen,
        r#"/helloworld.Greeter/SayHello, sent 7 b"\n\x05World", headers, received 15 b"\n\rHello, World!", trailers 80, Ok"#
    );
}
