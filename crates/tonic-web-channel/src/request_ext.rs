//! Options of one call, set on its `tonic::Request`.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::cancel;
use crate::context::CallOptions;

/// Options of one call, beside `tonic::Request::set_timeout`. They win over the channel's.
///
/// ```
/// use std::time::Duration;
///
/// use tonic_web_channel::RequestExt as _;
///
/// let mut request = tonic::Request::new(());
/// request.no_deadline().idle_timeout(Duration::from_secs(45)).no_retry();
/// ```
pub trait RequestExt: sealed::Sealed {
    /// Exempts the call from the channel's default deadline, for a stream that is meant to stay open.
    fn no_deadline(&mut self) -> &mut Self;

    /// Ends the call with `UNAVAILABLE` when nothing comes from the server for `timeout`: no headers after an attempt
    /// was sent, or no further byte of its stream.
    ///
    /// The timeout counts only while the stream is being read, so a slow reader does not lose it. Give it a little more
    /// than twice the server's heartbeat interval. It wins over [`Builder::idle_timeout`](crate::Builder::idle_timeout).
    fn idle_timeout(&mut self, timeout: Duration) -> &mut Self;

    /// Ends the call with `CANCELLED` as soon as `token` is cancelled: before its headers, between two attempts, or in
    /// the middle of its stream.
    ///
    /// The request is aborted, as it is when the future or the stream of the call is dropped; but a task that waits for
    /// the call gets a status. One token may cancel any number of calls.
    ///
    /// ```
    /// use tonic_web_channel::{CancellationToken, RequestExt as _};
    ///
    /// let token = CancellationToken::new();
    /// let mut request = tonic::Request::new(());
    /// request.cancel_with(token.clone());
    /// // Pass the request to a generated client, and later:
    /// token.cancel();
    /// ```
    fn cancel_with(&mut self, token: CancellationToken) -> &mut Self;

    /// Sends the request once, whatever the channel's [`RetryPolicy`](crate::retry::RetryPolicy) is; it is not repeated
    /// with renewed credentials either.
    fn no_retry(&mut self) -> &mut Self;
}

impl<T> RequestExt for tonic::Request<T> {
    fn no_deadline(&mut self) -> &mut Self {
        options(self).no_deadline = true;
        self
    }

    fn idle_timeout(&mut self, timeout: Duration) -> &mut Self {
        options(self).idle_timeout = Some(timeout);
        self
    }

    fn cancel_with(&mut self, token: CancellationToken) -> &mut Self {
        options(self).cancellation = Some(cancel::watch(token));
        self
    }

    fn no_retry(&mut self) -> &mut Self {
        options(self).no_retry = true;
        self
    }
}

fn options<T>(request: &mut tonic::Request<T>) -> &mut CallOptions {
    request.extensions_mut().get_or_insert_default()
}

mod sealed {
    #[expect(unnameable_types, reason = "only `tonic::Request` has these options")]
    pub trait Sealed {}

    impl<T> Sealed for tonic::Request<T> {}
}
