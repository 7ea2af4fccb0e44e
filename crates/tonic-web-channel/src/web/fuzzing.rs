//! What must hold for every response, valid or not: however its bytes are cut, the same comes out.
//!
//! The fuzzer calls [`check`] with what it invents, the tests with a collection of cases.

use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Response};
use http_body::Body as _;
use std::future::poll_fn;
use std::pin::Pin;
use tonic::body::Body;

use crate::error::Error;

/// What came out of a response.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// All bytes of messages.
    pub(crate) messages: Vec<u8>,
    /// The trailers, when some came.
    pub(crate) trailers: Option<HeaderMap>,
    /// What it failed with.
    pub(crate) error: Option<Error>,
}

/// Reads `data` as one case, and panics when it shows a fault.
///
/// The first byte says what the head is like: bit 0 the text form, bit 1 a status among the headers, bit 2
/// `grpc-encoding: identity`. With bit 3 the body is encoded as text first, so that the text form is not only tried
/// with what is none. The second byte says how many of the following ones are lengths of chunks, used in turn. The
/// rest is the body.
pub(crate) fn check(data: &[u8]) {
    let [kind, lengths, rest @ ..] = data else { return };
    let (lengths, body) = rest.split_at(usize::from(*lengths).min(rest.len()));
    let encoded = super::text::encode(body);
    let body = if kind & 8 == 0 { body } else { encoded.as_bytes() };
    let whole = outcome(head(*kind), [body]);
    assert_eq!(outcome(head(*kind), cut(body, lengths)), whole, "cut into chunks of {lengths:?}");
    // Byte by byte takes long for long ones, and shows no more.
    if body.len() <= 1_000 {
        assert_eq!(outcome(head(*kind), body.chunks(1)), whole, "cut into bytes");
    }
    assert!(whole.trailers.is_none() || whole.error.is_none(), "trailers are the end");
}

/// What comes out when `chunks` come in.
pub(crate) fn outcome<'a>(head: Response<()>, chunks: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let chunks: Vec<_> = chunks.into_iter().map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
    let response = super::response(head.map(|()| stream::iter(chunks).fuse()), &Extensions::new());
    match response {
        Ok(response) => {
            let read = read(response.into_body()).now_or_never();
            read.unwrap_or_else(|| panic!("it waits, although everything is there"))
        }
        Err(error) => Outcome { error: Some(error), ..Outcome::default() },
    }
}

pub(crate) async fn read(mut body: Body) -> Outcome {
    let mut outcome = Outcome::default();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        assert!(outcome.trailers.is_none() && outcome.error.is_none(), "something came after the end");
        match frame.map(http_body::Frame::into_data) {
            Ok(Ok(data)) => {
                assert!(!data.is_empty(), "a frame of nothing");
                outcome.messages.extend_from_slice(&data);
            }
            Ok(Err(frame)) => outcome.trailers = frame.into_trailers().ok(),
            Err(status) => {
                outcome.error = Some(Error::from_status(&status).cloned().unwrap_or_else(|| unnamed(&status)))
            }
        }
    }
    outcome
}

fn unnamed(status: &tonic::Status) -> Error {
    panic!("a failure has no reason: {status:?}")
}

fn head(kind: u8) -> Response<()> {
    let mut head = Response::new(());
    let headers = head.headers_mut();
    let content_type = if kind & 1 == 0 { "application/grpc-web+proto" } else { "application/grpc-web-text" };
    headers.insert("content-type", HeaderValue::from_static(content_type));
    let optional = [(2, "grpc-status", "0"), (4, "grpc-encoding", "identity")];
    for (bit, name, value) in optional {
        if kind & bit != 0 {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
    }
    head
}

/// `body` in chunks of `lengths`, which are used in turn; a length of 0 gives an empty chunk.
pub(crate) fn cut<'a>(mut body: &'a [u8], lengths: &[u8]) -> Vec<&'a [u8]> {
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
