//! Cancelling a call by a token of the caller's.

use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Extensions;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// The token that a request carries to the channel, as something that can be watched: a program without tokens
/// does not carry their code.
#[derive(Clone)]
struct CancelToken(Arc<dyn Fn() -> Box<dyn Cancellation> + Send + Sync>);

/// Ends the call with `CANCELLED` as soon as `token` is cancelled, wherever the call is by then: waiting for
/// its head, for the next attempt, or in the middle of a stream.
///
/// The request is aborted, as it is when the future or the stream of the call is dropped; the difference is
/// that somebody who waits for the call gets an answer. One token may be given to any number of calls.
///
/// ```
/// # fn example() {
/// use tokio_util::sync::CancellationToken;
///
/// let token = CancellationToken::new();
/// let mut request = tonic::Request::new(());
/// tonic_web_channel::cancel_with(&mut request, token.clone());
/// // Pass the request to a generated client, and later:
/// token.cancel();
/// # }
/// # example();
/// ```
pub fn cancel_with<T>(request: &mut tonic::Request<T>, token: CancellationToken) {
    let watch = move || Box::new(Watched::new(token.clone())) as Box<dyn Cancellation>;
    request.extensions_mut().insert(CancelToken(Arc::new(watch)));
}

/// Watches the token of one call.
pub(crate) trait Cancellation: Send {
    fn is_cancelled(&self) -> bool;

    /// Wakes the task when it is.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

/// The token of the call with these `extensions`, when it has one.
pub(crate) fn of(extensions: &Extensions) -> Option<Box<dyn Cancellation>> {
    extensions.get::<CancelToken>().map(|CancelToken(watch)| watch())
}

struct Watched {
    token: CancellationToken,
    waiting: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Watched {
    fn new(token: CancellationToken) -> Self {
        Self { waiting: Box::pin(token.clone().cancelled_owned()), token }
    }
}

impl Cancellation for Watched {
    fn is_cancelled(&self) -> bool {
        self.token.is_cancelled()
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.waiting.as_mut().poll(cx)
    }
}
