//! The innermost layer: hands attempts to the transport and has their responses validated.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use http::{Request, Response};
use tonic::body::Body;

use super::{CallResult, ResponseFuture, Service};
use crate::body::ResponseBody;
use crate::compression;
use crate::context::CallContext;
use crate::error::Error;
use crate::idle_timer::IdleTimer;
use crate::observe::EventRef;
use crate::transport::Transport;
use crate::validate::{self, Validated};

/// Sends attempts by a transport.
///
/// The idle timeout is kept here and in the body, for each attempt: neither a retry's delay nor the wait for a token is
/// the server's.
pub(crate) struct Validate {
    transport: Arc<dyn Transport>,
}

impl Validate {
    pub(crate) fn new(transport: Arc<dyn Transport>) -> Self {
        Self { transport }
    }

    async fn send(&self, mut request: Request<Body>) -> CallResult {
        let context = CallContext::of(request.extensions());
        let decompressor = compression::decompressor(request.headers(), context.accepts_gzip);
        self.transport.prepare(&mut request);
        context.reporter.report(&EventRef::AttemptStarted { headers: request.headers() });
        let mut idle = context.idle_timeout.map(|timeout| (IdleTimer::new(timeout), timeout));
        let mut call = self.transport.call(request);
        let response = poll_fn(|cx| match (call.as_mut().poll(cx), &mut idle) {
            // Headers that have come win over the timeout.
            (Poll::Pending, Some((idle, timeout))) => {
                idle.poll(cx).map(|()| Err(Error::Idle { timeout: *timeout }.into()))
            }
            (response, _) => response,
        })
        .await?;
        let idle = idle.map(|(mut idle, _)| {
            idle.reset();
            idle
        });
        let Validated { parts, body, first } =
            validate::response(response, context, &decompressor, idle).await?;
        let body = ResponseBody::new(body, first, &parts.headers);
        Ok(Response::from_parts(parts, body))
    }
}

impl Service for Validate {
    fn call(self: Arc<Self>, request: Request<Body>) -> ResponseFuture {
        Box::pin(async move { self.send(request).await })
    }
}
