//! The two early ends of a call from this side: its deadline, and its caller's cancellation.
//!
//! The clock is asked at each step of the call, and the timer only wakes a call that waits. So nothing is set for a
//! message, and a deadline holds although a browser delays the timers of hidden pages.

use std::future::{poll_fn, ready};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use grpc_wire::timeout::InvalidTimeout;
use http::Request;
use tonic::Status;
use tonic::body::Body;

use super::{CallResult, Layer, ResponseFuture, Service, SharedService, layer};
use crate::body::CallGuard;
use crate::cancel::Cancellation;
use crate::context::CallContext;
use crate::deadline::{self, Deadline};
use crate::error::Error;

/// Ends calls at their deadlines and when they are cancelled.
pub(crate) struct EnforceDeadline {
    default: Option<Duration>,
    inner: SharedService,
}

impl EnforceDeadline {
    /// A call without a timeout has the `default`.
    pub(crate) fn layer(default: Option<Duration>) -> Layer {
        layer(move |inner| Self { default, inner })
    }

    /// The timeout of the call, which the headers have too then.
    fn timeout(&self, request: &mut Request<Body>) -> Result<Option<Duration>, InvalidTimeout> {
        if let Some(timeout) = deadline::read(request.headers()) {
            return timeout.map(Some);
        }
        let is_exempt = CallContext::of_mut(request.extensions_mut()).options.no_deadline;
        let timeout = self.default.filter(|_| !is_exempt);
        if let Some(timeout) = timeout {
            deadline::write(request.headers_mut(), timeout);
        }
        Ok(timeout)
    }

    async fn run(&self, mut request: Request<Body>, timeout: Option<Duration>) -> CallResult {
        let context = CallContext::of_mut(request.extensions_mut());
        let mut early_end = EarlyEnd {
            cancellation: context.options.cancellation.as_ref().map(|new| new()),
            deadline: timeout.map(Deadline::new),
        };
        context.deadline = early_end.deadline.as_ref().map(Deadline::end);
        let mut call = self.inner.clone().call(request);
        let mut response = poll_fn(|cx| {
            early_end.check()?;
            match call.as_mut().poll(cx) {
                Poll::Pending => early_end.poll(cx).map(|error| Err(error.into())),
                ready => ready,
            }
        })
        .await?;
        response.body_mut().attach(early_end);
        Ok(response)
    }
}

impl Service for EnforceDeadline {
    fn call(self: Arc<Self>, mut request: Request<Body>) -> ResponseFuture {
        let is_cancellable = CallContext::of_mut(request.extensions_mut()).options.cancellation.is_some();
        match self.timeout(&mut request) {
            Ok(None) if !is_cancellable => self.inner.clone().call(request),
            Ok(timeout) => Box::pin(async move { self.run(request, timeout).await }),
            Err(error) => Box::pin(ready(Err(Status::invalid_argument(error.to_string())))),
        }
    }
}

struct EarlyEnd {
    cancellation: Option<Box<dyn Cancellation>>,
    deadline: Option<Deadline>,
}

impl CallGuard for EarlyEnd {
    fn check(&self) -> Result<(), Error> {
        if self.cancellation.as_ref().is_some_and(|cancellation| cancellation.is_cancelled()) {
            return Err(Error::Cancelled);
        }
        match &self.deadline {
            Some(deadline) if deadline.has_passed() => Err(Error::Deadline { timeout: deadline.timeout() }),
            _ => Ok(()),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        if self.cancellation.as_mut().is_some_and(|cancellation| cancellation.poll(cx).is_ready()) {
            return Poll::Ready(Error::Cancelled);
        }
        match &mut self.deadline {
            Some(deadline) => deadline.poll(cx).map(|()| Error::Deadline { timeout: deadline.timeout() }),
            None => Poll::Pending,
        }
    }
}

#[cfg(test)]
#[cfg(not(target_arch = "wasm32"))]
mod tests {
    use grpc_wire::timeout::GRPC_TIMEOUT;

    use super::*;
    use crate::body::ResponseBody;
    use crate::context::CallOptions;

    struct Recorder;

    /// Responds with the headers of the request.
    impl Service for Recorder {
        fn call(self: Arc<Self>, request: Request<Body>) -> ResponseFuture {
            let mut response = http::Response::new(ResponseBody::default());
            *response.headers_mut() = request.headers().clone();
            Box::pin(ready(Ok(response)))
        }
    }

    async fn sent(
        timeout: Option<&str>,
        options: CallOptions,
        default: Option<Duration>,
    ) -> Result<String, Status> {
        let mut request = Request::new(Body::empty());
        CallContext::of_mut(request.extensions_mut()).options = options;
        if let Some(timeout) = timeout {
            request.headers_mut().insert(GRPC_TIMEOUT, timeout.parse().unwrap());
        }
        let service = Arc::new(EnforceDeadline { default, inner: Arc::new(Recorder) });
        let response = service.call(request).await?;
        let timeout = response.headers().get(GRPC_TIMEOUT);
        Ok(timeout.map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default())
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_s_own_timeout_wins_and_stays_as_it_is() {
        for timeout in ["2H", "3M", "4S", "500m", "99999999u", "99999999n"] {
            let sent = sent(Some(timeout), CallOptions::default(), Some(Duration::from_secs(1)));
            assert_eq!(sent.await.unwrap(), timeout);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_malformed_timeout_is_invalid_argument() {
        for timeout in ["", "5", "m", "-1S", "1 S", "123456789S", "5x", "+5S"] {
            let status = sent(Some(timeout), CallOptions::default(), None).await.unwrap_err();
            assert_eq!(status.code(), tonic::Code::InvalidArgument, "{timeout:?}");
            assert!(status.message().contains("grpc-timeout"));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_default_is_sent_in_a_unit_that_holds_it() {
        let cases = [
            (Duration::from_micros(1), "1m"),
            (Duration::from_secs(20), "20000m"),
            (Duration::from_secs(100_000), "100000S"),
            // One more minute than eight digits hold is sent in hours.
            (Duration::from_secs(60 * 100_000_000), "1666667H"),
        ];
        for (timeout, expected) in cases {
            let sent = sent(None, CallOptions::default(), Some(timeout));
            assert_eq!(sent.await.unwrap(), expected);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_exempt_call_has_no_deadline() {
        let exempt = CallOptions { no_deadline: true, ..CallOptions::default() };
        assert_eq!(sent(None, exempt, Some(Duration::from_secs(1))).await.unwrap(), "");
    }
}
