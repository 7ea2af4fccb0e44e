//! A channel to the server of wrong answers, and calls by the bytes of their messages.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, select};
use http::{HeaderMap, Request, Response};
use http_body::Body as _;
use tonic::Status;
use tonic::body::Body;
use tonic_web_channel::{Channel, Error, Fetch, ResponseBody};
use tower_service::Service as _;

/// What a test may wait for anything that should happen.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// The runner puts this server on the second port after the page's.
pub(super) fn server() -> String {
    let port: u16 = web_sys::window().unwrap().location().port().unwrap().parse().unwrap();
    format!("http://127.0.0.1:{}", port + 2)
}

pub(super) fn fetch() -> Fetch {
    Fetch::new(server().parse().unwrap())
}

pub(super) fn channel() -> Channel {
    Channel::builder(server()).transport(fetch()).build().unwrap()
}

/// A request for `order` with one message.
pub(super) fn request(order: &str) -> Request<Body> {
    let message = Bytes::from_static(b"\0\0\0\0\x03hey");
    let body = Body::new(http_body_util::Full::new(message));
    Request::post(format!("/Faults/{order}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(body)
        .unwrap()
}

/// What came back of a call that went well.
#[derive(Debug, Default)]
pub(super) struct Reply {
    pub(super) headers: HeaderMap,
    /// The length-prefixed messages.
    pub(super) messages: Vec<u8>,
    pub(super) trailers: HeaderMap,
}

impl Reply {
    /// The only message as text.
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.messages[5..].to_vec()).unwrap()
    }
}

pub(super) async fn call(order: &str) -> Result<Reply, Status> {
    send(&channel(), request(order)).await
}

pub(super) async fn send(channel: &Channel, request: Request<Body>) -> Result<Reply, Status> {
    let response = within(channel.clone().call(request)).await?;
    let (head, mut body) = response.into_parts();
    let mut reply = Reply { headers: head.headers, ..Reply::default() };
    while let Some(frame) = next(&mut body).await {
        match frame?.into_data() {
            Ok(data) => reply.messages.extend(data),
            Err(frame) => reply.trailers = frame.into_trailers().unwrap(),
        }
    }
    Ok(reply)
}

pub(super) async fn next(body: &mut ResponseBody) -> Option<Result<http_body::Frame<Bytes>, Status>> {
    within(poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx))).await
}

/// Why a call failed on this side.
pub(super) async fn failure(order: &str) -> Error {
    reason(&call(order).await.unwrap_err())
}

pub(super) fn reason(status: &Status) -> Error {
    let error = Error::from_status(status).unwrap_or_else(|| panic!("{status:?} has no reason"));
    assert_eq!(error.code(), status.code(), "{status:?}");
    error.clone()
}

pub(super) async fn opened(channel: &Channel, order: &str) -> Response<ResponseBody> {
    within(channel.clone().call(request(order))).await.unwrap()
}

pub(super) async fn within<T>(future: impl Future<Output = T>) -> T {
    match select(pin!(future), pin!(tonic_web_channel::rt::sleep(PATIENCE))).await {
        Either::Left((value, _)) => value,
        Either::Right(_) => panic!("nothing came within {PATIENCE:?}"),
    }
}

/// A name that no other test and no other run has.
pub(super) fn unique(name: &str) -> String {
    format!("{name}-{}", js_sys::Math::random().to_string().trim_start_matches("0."))
}
