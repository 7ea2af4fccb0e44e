//! A channel to a service that gives scripted responses, and access to JavaScript objects.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, Full, StreamBody};
use js_sys::{Function, Object, Reflect, global};
use tonic::body::Body;
use tonic::{Code, Status};
use tonic_web_channel::{Builder, Channel, InProcess, Method, MethodKind};
use tower::{Service as _, service_fn};
use wasm_bindgen::{JsCast as _, JsValue};

pub(super) const UNARY: &str = "/test.Devtools/Unary";
pub(super) const STREAM: &str = "/test.Devtools/Stream";

/// A service that answers every call with `messages`, then with `code`.
pub(super) fn service(messages: &'static [&'static str], code: Code) -> InProcess {
    InProcess::new(service_fn(move |_: Request<Body>| {
        let frames = messages.iter().map(|text| Ok::<_, Status>(Frame::data(framed(text))));
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", i32::from(code).into());
        trailers.insert("grpc-message", "scripted".parse().unwrap());
        let body = StreamBody::new(stream::iter(frames.chain([Ok(Frame::trailers(trailers))])));
        let response = Response::builder().header("content-type", "application/grpc").body(body).unwrap();
        std::future::ready(Ok::<_, Infallible>(response))
    }))
}

pub(super) fn channel(service: InProcess) -> Builder {
    let methods = [Method::new(UNARY, MethodKind::Unary), Method::new(STREAM, MethodKind::ServerStreaming)];
    Channel::builder("http://in.process").transport(service).methods(methods)
}

/// A request to `path` with the message `one`.
pub(super) fn request(path: &str) -> Request<Body> {
    let body = Body::new(Full::new(framed("one")));
    Request::post(path).header("content-type", "application/grpc").body(body).unwrap()
}

/// Makes a call, and reads its response to the end or to its failure.
pub(super) async fn call(mut channel: Channel, path: &str) {
    if let Ok(response) = channel.call(request(path)).await {
        response.into_body().collect().await.ok();
    }
}

fn framed(message: &str) -> Bytes {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0], &length[..], message.as_bytes()].concat().into()
}

pub(super) fn get(object: &JsValue, name: &str) -> JsValue {
    Reflect::get(object, &name.into()).unwrap()
}

pub(super) fn set_global(name: &str, value: &JsValue) {
    Reflect::set(global().unchecked_ref::<Object>(), &name.into(), value).unwrap();
}

/// Calls a method with two arguments.
pub(super) fn invoke(object: &JsValue, name: &str, arguments: [&JsValue; 2]) -> JsValue {
    let method: Function = get(object, name).unchecked_into();
    method.call2(object, arguments[0], arguments[1]).unwrap()
}
