//! One attempt at a call: the request handed to the transport, and the response's head judged.

use std::future::{Future as _, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body::{Body as _, Frame};
use tonic::Status;
use tonic::body::Body;
use tonic::metadata::MetadataMap;

use crate::compression::{self, Encoding, Undoing};
use crate::error::{Error, MessageCount};
use crate::limits::check_metadata;
use crate::observe::{Reporter, Told};
use crate::request_body::Repeatable;
use crate::status::{self, GRPC_STATUS};
use crate::timer::Sleep;
use crate::transport::Transport;

/// What an attempt has to know of its call.
pub(crate) struct Terms {
    /// Who undoes compression.
    pub(crate) undoing: Undoing,
    /// What was offered in `grpc-accept-encoding`.
    pub(crate) asked: Vec<u8>,
    /// The most metadata, in bytes.
    pub(crate) max_metadata: usize,
    /// Whether one message is due.
    pub(crate) single: bool,
    /// How long the head may take, apart from the deadline.
    pub(crate) idle_timeout: Option<Duration>,
    /// Whether to wait for the first frame, so that a failure is known before the response is given out.
    pub(crate) peek: bool,
    pub(crate) reporter: Reporter,
}

/// A response whose head was found good.
pub(crate) struct Head {
    pub(crate) parts: http::response::Parts,
    pub(crate) body: Body,
    pub(crate) first: First,
    pub(crate) encoding: Encoding,
    /// Which of the source's tokens the call was made with.
    pub(crate) token: Option<u64>,
    /// What is still being sent, until the call is over.
    pub(crate) request: Option<Repeatable>,
}

/// What is known of the first frame of a response's body.
pub(crate) enum First {
    /// Nobody has looked.
    Unread,
    /// It is this.
    Frame(Frame<Bytes>),
    /// There is none. The status is in the headers.
    None,
}

impl Head {
    /// Where the status of the call is, when it is known already.
    pub(crate) fn known_status(&self) -> Option<&HeaderMap> {
        match &self.first {
            First::None => Some(&self.parts.headers),
            First::Frame(frame) => frame.trailers_ref(),
            First::Unread => None,
        }
    }
}

/// Sends `request`; resolves when the response's head, and where that is needed its first frame, has come.
pub(crate) async fn send(
    transport: &dyn Transport,
    request: Request<Body>,
    terms: &Terms,
) -> Result<Head, Status> {
    let mut head = pin!(head(transport, request, terms));
    let mut silence = terms.idle_timeout.map(|timeout| (timeout, Sleep::new(timeout)));
    // What is there counts, however late it is noticed.
    poll_fn(|cx| match (head.as_mut().poll(cx), &mut silence) {
        (Poll::Pending, Some((timeout, timer))) => {
            Pin::new(timer).poll(cx).map(|()| Err(Error::Idle { timeout: *timeout }.into()))
        }
        (head, _) => head,
    })
    .await
}

async fn head(transport: &dyn Transport, request: Request<Body>, terms: &Terms) -> Result<Head, Status> {
    let response = transport.call(request).await?;
    let (mut parts, mut body) = response.into_parts();
    check_metadata(&parts.headers, terms.max_metadata)?;
    if status::drop_malformed_details(&mut parts.headers) {
        warn_of_details(&terms.reporter);
    }
    let has_status = parts.headers.contains_key(GRPC_STATUS);
    if !has_status && !parts.status.is_success() && !is_grpc(&parts.headers) {
        return Err(Error::Http { status: parts.status.as_u16() }.into());
    }
    let encoding = compression::of_response(&mut parts.headers, terms.undoing, &terms.asked)?;
    let first = if has_status || terms.peek { first_frame(&mut body).await? } else { First::Unread };
    match &first {
        // A status in the headers counts only when nothing follows them.
        First::Frame(_) if has_status => status::strip(&mut parts.headers),
        First::None if !has_status => return Err(without_status(parts.status)),
        First::None if terms.single => no_message(&parts.headers)?,
        _ => {}
    }
    Ok(Head { parts, body, first, encoding, token: None, request: None })
}

/// The error of a body that ended before anything came.
fn without_status(status: http::StatusCode) -> Status {
    let error = if status.is_success() {
        Error::Truncated { place: "before its first message" }
    } else {
        Error::Http { status: status.as_u16() }
    };
    error.into()
}

/// Fails when the response of headers alone says that all went well: one message is due.
fn no_message(headers: &HeaderMap) -> Result<(), Status> {
    if status::of_headers(headers).is_none_or(|status| status.code() != tonic::Code::Ok) {
        return Ok(());
    }
    let mut status = Status::from(Error::Cardinality { found: MessageCount::Zero });
    let mut metadata = headers.clone();
    status::strip(&mut metadata);
    *status.metadata_mut() = MetadataMap::from_headers(metadata);
    Err(status)
}

async fn first_frame(body: &mut Body) -> Result<First, Status> {
    if body.is_end_stream() {
        return Ok(First::None);
    }
    loop {
        match poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await {
            Some(Ok(frame)) if frame.data_ref().is_some_and(Bytes::is_empty) => {}
            Some(Ok(frame)) => return Ok(First::Frame(frame)),
            Some(Err(status)) => return Err(status),
            None => return Ok(First::None),
        }
    }
}

fn is_grpc(headers: &HeaderMap) -> bool {
    headers
        .get(http::header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().to_ascii_lowercase().starts_with(b"application/grpc"))
}

pub(crate) fn warn_of_details(reporter: &Reporter) {
    reporter
        .report(Told::Warning("grpc-status-details-bin is no base64; the status is given without details"));
}
