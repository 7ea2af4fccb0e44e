//! The innermost layer: hands an attempt to the transport, and judges the response of any transport in one place.

pub(crate) mod body;

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use http::{HeaderMap, Request, Response};
use tonic::metadata::MetadataMap;
use tonic::{Code, Status};

use self::body::{MessageBody, drop_malformed_details};
use super::{CallResult, ResponseFuture, Service};
use crate::body::ResponseBody;
use crate::compression;
use crate::context::CallContext;
use crate::error::Error;
use crate::idle_timer::IdleTimer;
use crate::limits::check_metadata;
use crate::observe::EventRef;
use crate::status::{self, GRPC_STATUS};
use crate::transport::Transport;

/// Sends attempts by a transport, and checks the format, the limits and the idle timeout of their responses.
///
/// The idle timeout is kept here, for each attempt: neither a retry's delay nor the wait for a token is the server's.
pub(crate) struct Validate {
    transport: Arc<dyn Transport>,
}

impl Validate {
    pub(crate) fn new(transport: Arc<dyn Transport>) -> Self {
        Self { transport }
    }

    async fn send(&self, mut request: Request<tonic::body::Body>) -> CallResult {
        let context = CallContext::of(request.extensions());
        let offered = compression::offered_by_caller(request.headers(), context.decompressor);
        self.transport.prepare(request.headers_mut());
        context.reporter.report(&EventRef::AttemptStarted { headers: request.headers() });
        let mut idle = context.idle_timeout.map(IdleTimer::new);
        let mut response = self.transport.call(request);
        let response = poll_fn(|cx| match (response.as_mut().poll(cx), &mut idle) {
            // Headers that are there count, however late they are noticed.
            (Poll::Pending, Some(idle)) => idle.poll(cx).map(|error| Err(error.into())),
            (response, _) => response,
        });
        judge(response.await?, idle, &context, &offered).await
    }
}

impl Service for Validate {
    fn call(self: Arc<Self>, request: Request<tonic::body::Body>) -> ResponseFuture {
        Box::pin(async move { self.send(request).await })
    }
}

/// Judges the head of `response`. Where it has a status, waits for the first frame: the status counts only when nothing
/// follows it.
async fn judge(
    response: Response<tonic::body::Body>,
    mut idle: Option<IdleTimer>,
    context: &CallContext,
    offered: &[u8],
) -> CallResult {
    let (mut parts, body) = response.into_parts();
    if let Some(idle) = &mut idle {
        idle.reset();
    }
    check_metadata(&parts.headers, context.limits.max_metadata)?;
    drop_malformed_details(&mut parts.headers, &context.reporter);
    let has_status = parts.headers.contains_key(GRPC_STATUS);
    if !has_status && !parts.status.is_success() && !is_grpc(&parts.headers) {
        return Err(Error::Http { status: parts.status.as_u16() }.into());
    }
    let encoding = compression::of_response(&mut parts.headers, context.decompressor, offered)?;
    let mut messages = MessageBody::new(body, parts.status, encoding, idle, context);
    if has_status {
        if poll_fn(|cx| messages.poll_is_empty(cx)).await? {
            let status = trailers_only_status(&parts.headers, context)?;
            return Ok(Response::from_parts(parts, ResponseBody::trailers_only(status)));
        }
        status::strip(&mut parts.headers);
    }
    Ok(Response::from_parts(parts, ResponseBody::new(messages)))
}

/// The status of a response that consists of headers. Fails when it is OK and a message is due.
fn trailers_only_status(headers: &HeaderMap, context: &CallContext) -> Result<Status, Status> {
    let status = status::of_headers(headers).unwrap_or_else(|| Status::unknown("the response has no status"));
    if status.code() != Code::Ok || !context.expects_one_message() {
        return Ok(status);
    }
    let mut status = Status::from(Error::Cardinality { found: "none" });
    let mut metadata = headers.clone();
    status::strip(&mut metadata);
    *status.metadata_mut() = MetadataMap::from_headers(metadata);
    Err(status)
}

fn is_grpc(headers: &HeaderMap) -> bool {
    headers
        .get(http::header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().to_ascii_lowercase().starts_with(b"application/grpc"))
}
