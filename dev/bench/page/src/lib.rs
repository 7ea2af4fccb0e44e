//! A page's jobs with a generated client, the same for every transport.
//!
//! It must not know the transport, or measure time: the page's script does.
#![cfg(target_arch = "wasm32")]

use bytes::Bytes;
use futures_util::future::try_join_all;
use futures_util::stream;
use http_body::Body as HttpBody;
use proto::helloworld::HelloRequest;
use proto::helloworld::greeter_client::GreeterClient;
use tokio::sync::mpsc::channel;
use tonic::body::Body;
use tonic::client::GrpcService;
use tonic::codegen::StdError;
use tonic::{Request, Status};
use wasm_bindgen::JsError;

/// A generated client's requirements of its transport.
pub trait Transport: GrpcService<Body, Error: Into<StdError>, ResponseBody: ReplyBody> + Clone {}

impl<T: GrpcService<Body, Error: Into<StdError>, ResponseBody: ReplyBody> + Clone> Transport for T {}

/// A generated client's requirements of a response's body.
pub trait ReplyBody: HttpBody<Data = Bytes, Error: Into<StdError> + Send> + Send + 'static {}

impl<B: HttpBody<Data = Bytes, Error: Into<StdError> + Send> + Send + 'static> ReplyBody for B {}

/// Number of messages and bytes of their texts: a page's report.
pub type Received = Result<Vec<f64>, JsError>;

/// `count` unary calls, one after the other.
pub async fn unary<T: Transport>(transport: T, count: u32) -> Received {
    let mut client = GreeterClient::new(transport);
    let mut bytes = 0;
    for _ in 0..count {
        bytes += client.say_hello(world()).await.map_err(failed)?.into_inner().message.len();
    }
    Ok(vec![f64::from(count), bytes as f64])
}

/// `count` unary calls at once.
pub async fn concurrent<T: Transport>(transport: T, count: u32) -> Received {
    let client = GreeterClient::new(transport);
    let calls = (0..count).map(|_| {
        let mut client = client.clone();
        async move { client.say_hello(world()).await }
    });
    let replies = try_join_all(calls).await.map_err(failed)?;
    let bytes: usize = replies.iter().map(|reply| reply.get_ref().message.len()).sum();
    Ok(vec![replies.len() as f64, bytes as f64])
}

/// One stream of `count` messages whose texts have `size` bytes.
pub async fn stream<T: Transport>(transport: T, count: u32, size: u32) -> Received {
    let mut client = GreeterClient::new(transport);
    let mut request = Request::new(world());
    request.metadata_mut().insert("x-bench-count", count.into());
    request.metadata_mut().insert("x-bench-size", size.into());
    let mut replies = client.say_hello_stream_reply(request).await.map_err(failed)?.into_inner();
    let (mut messages, mut bytes) = (0.0, 0);
    while let Some(reply) = replies.message().await.map_err(failed)? {
        messages += 1.0;
        bytes += reply.message.len();
    }
    Ok(vec![messages, bytes as f64])
}

/// One stream of `count` requests whose names have `size` bytes. The server reports their number and bytes.
pub async fn upload<T: Transport>(transport: T, count: u32, size: u32) -> Received {
    let name = "x".repeat(size as usize);
    let names = (0..count).map(move |_| HelloRequest { name: name.clone() });
    let reply = GreeterClient::new(transport).say_hello_client_stream(stream::iter(names)).await;
    let counts = reply.map_err(failed)?.into_inner().message;
    let counts: Vec<f64> = counts.split(' ').filter_map(|count| count.parse().ok()).collect();
    Ok(counts)
}

/// `count` messages back and forth on one stream, each sent when the reply to the one before has come.
pub async fn ping_pong<T: Transport>(transport: T, count: u32) -> Received {
    let (names, requests) = channel(1);
    let requests = stream::unfold(requests, async |mut requests| Some((requests.recv().await?, requests)));
    names.send(world()).await.ok();
    let mut client = GreeterClient::new(transport);
    let mut replies = client.say_hello_bidi_stream(requests).await.map_err(failed)?.into_inner();
    let (mut messages, mut bytes) = (0, 0);
    while let Some(reply) = replies.message().await.map_err(failed)? {
        messages += 1;
        bytes += reply.message.len();
        if messages == count {
            break;
        }
        names.send(world()).await.ok();
    }
    Ok(vec![f64::from(messages), bytes as f64])
}

/// One unary call, for the page that is weighed.
pub async fn one_call<T: Transport>(transport: T) -> Result<String, JsError> {
    let reply = GreeterClient::new(transport).say_hello(world()).await;
    Ok(reply.map_err(failed)?.into_inner().message)
}

fn world() -> HelloRequest {
    HelloRequest { name: "World".to_owned() }
}

fn failed(status: Status) -> JsError {
    // Formatting by `Debug` would add more code than the call.
    JsError::new(status.message())
}
