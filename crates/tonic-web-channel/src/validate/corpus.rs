//! Reads whole responses for tests: the same must come out however their bytes are cut.

use bytes::Bytes;
use futures_util::{FutureExt as _, Stream, StreamExt as _, stream};
use grpc_wire::web::text;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use tonic::Status;
use tonic::body::Body;

use super::{First, Validated};
use crate::compression::Decompressor;
use crate::context::CallContext;
use crate::error::Error;
use crate::web::GrpcWeb;

/// The result of reading a response.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// All bytes of messages.
    pub(super) messages: Vec<u8>,
    pub(super) trailers: Option<HeaderMap>,
    pub(super) error: Option<Error>,
}

/// Reads one case of the corpus, and panics when it shows a fault.
///
/// The first byte describes the head: bit 0 is the text format, bit 1 a status among the headers, bit 2
/// `grpc-encoding: identity`. With bit 3 the body is encoded as text first, so that the text format is tried with valid
/// text too. The second byte is the number of the following bytes that are lengths of chunks, used in turn. The rest is
/// the body.
pub(super) fn check(case: &[u8]) {
    let [kind, lengths, rest @ ..] = case else { return };
    let (lengths, body) = rest.split_at(usize::from(*lengths).min(rest.len()));
    let encoded = text::encode(body);
    let body = if kind & 8 == 0 { body } else { encoded.as_bytes() };
    let whole = outcome(head(*kind), [body]);
    assert_eq!(outcome(head(*kind), cut(body, lengths)), whole, "cut into chunks of {lengths:?}");
    // For long bodies this takes long and shows no more.
    if body.len() <= 1_000 {
        assert_eq!(outcome(head(*kind), body.chunks(1)), whole, "cut into bytes");
    }
    assert!(whole.trailers.is_none() || whole.error.is_none(), "trailers are the end");
}

/// The result of a response with `head` whose body arrives in `chunks`.
pub(super) fn outcome<'a>(head: Response<()>, chunks: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let chunks: Vec<_> = chunks.into_iter().map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
    let read = read(response(head, stream::iter(chunks).fuse())).now_or_never();
    read.unwrap_or_else(|| panic!("it waits, although everything is there"))
}

/// A response of gRPC-Web.
pub(super) fn response(
    head: Response<()>,
    chunks: impl Stream<Item = Result<Bytes, Error>> + Send + 'static,
) -> Response<Body> {
    let frames = chunks.map(|chunk| chunk.map(Frame::data).map_err(Status::from));
    let mut response = head.map(|()| Body::new(StreamBody::new(frames)));
    response.extensions_mut().insert(GrpcWeb);
    response
}

/// Validates without limits on messages and cardinality.
pub(super) async fn validated(response: Response<Body>) -> Result<Validated, Status> {
    let mut context = CallContext::default();
    context.limits.max_message = usize::MAX;
    super::response(response, &context, &Decompressor::Caller(b"gzip".to_vec()), None).await
}

pub(super) async fn read(response: Response<Body>) -> Outcome {
    let mut outcome = Outcome::default();
    let (mut body, first) = match validated(response).await {
        Ok(Validated { body, first: First::Frame(frame), .. }) => (body, Some(frame)),
        Ok(Validated { body, .. }) => (body, None),
        Err(status) => {
            outcome.error = Some(reason(&status));
            return outcome;
        }
    };
    let mut next = first.map(Ok);
    loop {
        let frame = match next.take() {
            Some(frame) => frame,
            None => match body.frame().await {
                Some(frame) => frame,
                None => return outcome,
            },
        };
        assert!(outcome.trailers.is_none() && outcome.error.is_none(), "something came after the end");
        match frame.map(Frame::into_data) {
            Ok(Ok(data)) => {
                assert!(!data.is_empty(), "an empty frame");
                outcome.messages.extend_from_slice(&data);
            }
            Ok(Err(frame)) => outcome.trailers = frame.into_trailers().ok(),
            Err(status) => outcome.error = Some(reason(&status)),
        }
    }
}

fn reason(status: &Status) -> Error {
    Error::from_status(status).unwrap_or_else(|| panic!("a failure has no reason: {status:?}")).clone()
}

fn head(kind: u8) -> Response<()> {
    let mut head = Response::new(());
    let headers = head.headers_mut();
    let content_type = if kind & 1 == 0 { "application/grpc-web+proto" } else { "application/grpc-web-text" };
    headers.insert("content-type", HeaderValue::from_static(content_type));
    let encoding = if kind & 4 == 0 { "gzip" } else { "identity" };
    headers.insert("grpc-encoding", HeaderValue::from_static(encoding));
    if kind & 2 != 0 {
        headers.insert(HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"));
    }
    head
}

/// `body` in chunks of `lengths`, which are used in turn; a length of 0 gives an empty chunk.
pub(super) fn cut<'a>(mut body: &'a [u8], lengths: &[u8]) -> Vec<&'a [u8]> {
    let mut chunks = Vec::new();
    if lengths.iter().any(|&length| length > 0) {
        for &length in lengths.iter().cycle() {
            if body.is_empty() {
                break;
            }
            let (chunk, rest) = body.split_at(usize::from(length).min(body.len()));
            chunks.push(chunk);
            body = rest;
        }
    }
    if !body.is_empty() {
        chunks.push(body);
    }
    chunks
}
