//! gRPC-Web: what a call looks like as an HTTP/1.1 or HTTP/2 request and response without HTTP trailers.
//!
//! It turns headers and bytes into headers and bytes, and knows neither JavaScript nor a network, so that every
//! transport that speaks gRPC-Web, the tests and the fuzzer go the same way.
//!
//! Specification: gRPC's `PROTOCOL-WEB.md`, which describes how it differs from `PROTOCOL-HTTP2.md`.

mod body;
mod frames;
#[cfg(any(all(test, not(target_arch = "wasm32")), feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod head;
mod request;
#[cfg(test)]
#[cfg(not(target_arch = "wasm32"))]
mod tests;
mod text;
mod trailers;

use bytes::Bytes;
use futures_util::Stream;
use http::{Extensions, Response};
use tonic::body::Body;

pub(crate) use self::head::Form;
pub(crate) use self::request::{collect, prepare, to_text};
use crate::context::CallContext;
use crate::error::Error;

/// What a transport gives back for the head and the body that HTTP brought.
///
/// `head`'s body yields bytes as they came, cut anywhere; dropping it aborts the request. `call` are the
/// extensions of the call's request. The response has the form that [`Transport`](crate::Transport) describes.
///
/// Fails when the head is none of gRPC-Web's: [`Error::Http`], [`Error::ContentType`]. The body fails with a
/// status made of [`Error::Truncated`], [`Error::Protocol`], [`Error::MetadataTooLarge`], or of what its bytes fail
/// with.
pub(crate) fn response<S>(head: Response<S>, call: &Extensions) -> Result<Response<Body>, Error>
where
    S: Stream<Item = Result<Bytes, Error>> + Send + Unpin + 'static,
{
    let (mut parts, chunks) = head.into_parts();
    let head = head::read(parts.status, &mut parts.headers)?;
    let context = CallContext::of(call);
    let body = body::WebBody::new(chunks, head, context.limits.max_metadata, context.reporter);
    Ok(Response::from_parts(parts, Body::new(body)))
}
