//! Cancelling a call by a token of the caller's.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Extensions;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// The token that a request carries to the channel.
#[derive(Clone, Debug)]
struct CancelToken(CancellationToken);

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
/// channel::cancel_with(&mut request, token.clone());
/// // Pass the request to a generated client, and later:
/// token.cancel();
/// # }
/// # example();
/// ```
pub fn cancel_with<T>(request: &mut tonic::Request<T>, token: CancellationToken) {
    request.extensions_mut().insert(CancelToken(token));
}

/// Watches the token of one call.
pub(crate) struct Cancellation {
    token: CancellationToken,
    waiting: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Cancellation {
    /// Of the call with these `extensions`, when it has a token.
    pub(crate) fn of(extensions: &Extensions) -> Option<Self> {
        let CancelToken(token) = extensions.get()?;
        Some(Self { token: token.clone(), waiting: Box::pin(token.clone().cancelled_owned()) })
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.token.is_cancelled()
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.waiting.as_mut().poll(cx)
    }
}

impl fmt::Debug for Cancellation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cancellation").field(&self.token).finish()
    }
}
