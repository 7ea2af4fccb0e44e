//! Validation of responses: the head, the messages and the trailers of every transport's response are judged here, once.
//!
//! The body that comes out has length-prefixed messages, decompressed where the channel accepted an encoding, and one
//! frame of trailers with a status, or nothing when the status is among the headers. It ends with a status made of an
//! [`Error`] when the response breaks a rule. The first frame is read in advance where the result depends on it.

mod body;
#[cfg(test)]
#[cfg(not(target_arch = "wasm32"))]
mod corpus;
mod head;
#[cfg(test)]
#[cfg(not(target_arch = "wasm32"))]
mod tests;

use bytes::Bytes;
use grpc_wire::metadata::split_joined_binary;
use http::{HeaderMap, Response, response};
use http_body::Frame;
use http_body_util::BodyExt as _;
use tonic::body::Body;
use tonic::metadata::MetadataMap;
use tonic::{Code, Status};

pub(crate) use self::body::ValidatedBody;
use crate::compression::{self, Decompressor};
use crate::context::CallContext;
use crate::error::{Error, MessageCount};
use crate::idle_timer::IdleTimer;
use crate::limits::check_metadata;
use crate::status;

/// A response whose head is valid.
pub(crate) struct Validated {
    pub(crate) parts: response::Parts,
    pub(crate) body: ValidatedBody,
    pub(crate) first: First,
}

/// The first frame of a body.
pub(crate) enum First {
    /// It was not waited for.
    Unread,
    Frame(Frame<Bytes>),
    /// The body is empty. The status is in the headers.
    None,
}

/// Validates the head of `response`. Waits for the first frame where the head has a status, which counts only when no
/// other follows.
pub(crate) async fn response(
    response: Response<Body>,
    context: &CallContext,
    decompressor: &Decompressor,
    idle: Option<IdleTimer>,
) -> Result<Validated, Status> {
    let (mut parts, source) = response.into_parts();
    check_metadata(&parts.headers, context.limits.max_metadata)?;
    // A browser joins repeated headers. The limit on metadata bounds the number of values.
    split_joined_binary(&mut parts.headers, usize::MAX).map_err(|_| too_many_headers())?;
    status::repair(&mut parts.headers, &context.reporter);
    let head = head::read(&parts)?;
    let has_status = head.has_status;
    let trailers_encoding = head::trailers_encoding(&parts.headers);
    let encoding = compression::of_response(&mut parts.headers, decompressor)?;
    let mut body = ValidatedBody::new(source, head, trailers_encoding, encoding, context, idle);
    let first = if has_status { first_frame(&mut body).await? } else { First::Unread };
    match &first {
        // A status in the headers counts only when no other status follows.
        First::Frame(_) if has_status => drop(status::take(&mut parts.headers)),
        First::None if context.expects_one_message() => require_message(&parts.headers)?,
        _ => {}
    }
    Ok(Validated { parts, body, first })
}

async fn first_frame(body: &mut ValidatedBody) -> Result<First, Status> {
    loop {
        match body.frame().await.transpose()? {
            Some(frame) if frame.data_ref().is_some_and(Bytes::is_empty) => {}
            Some(frame) => return Ok(First::Frame(frame)),
            None => return Ok(First::None),
        }
    }
}

/// Fails when a response without a body has the status OK although one message is due.
fn require_message(headers: &HeaderMap) -> Result<(), Status> {
    if status::code_in(headers) != Some(Code::Ok) {
        return Ok(());
    }
    let mut status = Status::from(Error::Cardinality { found: MessageCount::Zero });
    let mut metadata = headers.clone();
    status::take(&mut metadata);
    *status.metadata_mut() = MetadataMap::from_headers(metadata);
    Err(status)
}

fn too_many_headers() -> Error {
    Error::Protocol { reason: "it has too many headers".into() }
}
