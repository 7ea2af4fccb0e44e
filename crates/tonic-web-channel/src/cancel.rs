//! Cancellation of a call by its caller's token.

use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// Constructor of the cancellation of one call. Type-erased, so that the linker drops the token's code from a program
/// without tokens.
pub(crate) type NewCancellation = Arc<dyn Fn() -> Box<dyn Cancellation> + Send + Sync>;

/// Cancellation of one call.
pub(crate) trait Cancellation: Send {
    fn is_cancelled(&self) -> bool;

    /// Wakes the task when the call is cancelled.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

/// Cancels calls with `token`.
pub(crate) fn watch(token: CancellationToken) -> NewCancellation {
    Arc::new(move || {
        let cancelled = Box::pin(token.clone().cancelled_owned());
        Box::new(TokenCancellation { token: token.clone(), cancelled })
    })
}

struct TokenCancellation {
    token: CancellationToken,
    cancelled: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Cancellation for TokenCancellation {
    fn is_cancelled(&self) -> bool {
        self.token.is_cancelled()
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.cancelled.as_mut().poll(cx)
    }
}
