//! The rules for repeating a call that failed.

mod failure;

use std::time::Duration;

pub use self::failure::retry_after;
pub(crate) use self::failure::{Advisor, Failure, advice};
pub use crate::backoff::{Backoff, Delays};
pub use crate::status::is_transient;

/// The rules by which a channel repeats calls.
///
/// A call is repeated only when that is safe: when it is certain that no server has seen it
/// ([`Error::is_not_sent`](crate::Error::is_not_sent)), or when the method table has the method as idempotent and the
/// failure may pass (`UNAVAILABLE`, `RESOURCE_EXHAUSTED`, `ABORTED`, `UNKNOWN`, `INTERNAL`; not an error of the channel's
/// own checks). And only before the first message of its response: the response of a method that answers with one
/// message is held back until its first frame has come; a stream counts as begun when its headers come without a
/// status.
///
/// The replay buffer of a request has 256 KiB. A longer request, and a stream of requests, is repeated only when nothing
/// was read from it. All attempts share one deadline, and each tells the server the remaining time.
///
/// The delay before an attempt comes from [`backoff`](Self::backoff). The server's `grpc-retry-pushback-ms` replaces it,
/// and forbids the attempt when it is negative; `google.rpc.RetryInfo` in the status' details makes it longer. The call
/// ends at once with the status of the failed attempt when the server asks for a longer delay than
/// [`max_pushback`](Self::max_pushback), and when the delay would outlast the deadline.
///
/// ```
/// use tonic_web_channel::Channel;
/// use tonic_web_channel::retry::RetryPolicy;
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # let _entered = runtime.enter();
/// let policy = RetryPolicy::default().max_attempts(5);
/// let channel = Channel::builder("http://127.0.0.1:50051").retry(policy).build()?;
/// # Ok::<(), tonic_web_channel::BuildError>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// Most attempts of a call, the first included; 3 by default. 1 repeats nothing.
    pub max_attempts: u32,
    /// Delays between attempts; by default up to 0.1 s before the second, doubling, at most 5 s.
    pub backoff: Backoff,
    /// Longest delay that a server can ask for; 60 s by default. When it asks for more, the call ends with the server's
    /// status: a call without a deadline would otherwise wait for as long as a server likes.
    pub max_pushback: Duration,
    /// Retry budget of the whole channel, as in gRPC's retry throttling; 10 by default. A failure that may pass takes 1
    /// from it, a successful call returns 0.1. Nothing is repeated while half of it or more is spent, so that a failing
    /// server does not get three times the calls.
    pub budget: u32,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        let backoff = Backoff { base: Duration::from_millis(100), max: Duration::from_secs(5) };
        Self { max_attempts: 3, backoff, max_pushback: Duration::from_secs(60), budget: 10 }
    }
}

impl RetryPolicy {
    /// Repeats nothing.
    pub fn never() -> Self {
        Self::default().max_attempts(1)
    }

    /// Sets [`max_attempts`](Self::max_attempts).
    #[must_use]
    pub fn max_attempts(self, max_attempts: u32) -> Self {
        Self { max_attempts, ..self }
    }

    /// Sets [`backoff`](Self::backoff).
    #[must_use]
    pub fn backoff(self, backoff: Backoff) -> Self {
        Self { backoff, ..self }
    }

    /// Sets [`max_pushback`](Self::max_pushback).
    #[must_use]
    pub fn max_pushback(self, max_pushback: Duration) -> Self {
        Self { max_pushback, ..self }
    }

    /// Sets [`budget`](Self::budget).
    #[must_use]
    pub fn budget(self, budget: u32) -> Self {
        Self { budget, ..self }
    }
}
