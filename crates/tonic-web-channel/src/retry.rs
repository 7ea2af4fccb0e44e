//! Repeating a call that failed, where that is safe.

mod decision;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::Request;
use http::header::AUTHORIZATION;
use tonic::body::Body;
use tonic::{Code, Status};

pub use self::decision::retry_after;
pub(crate) use self::decision::{Advisor, Failure, advice};
use crate::attempt::{self, Head, Terms};
use crate::backoff::{Backoff, Delays};
use crate::channel::Inner;
use crate::deadline::End;
use crate::method::{Idempotency, Method};
use crate::observe::Told;
use crate::request_body::{MAX_KEPT, Repeatable};
use crate::timer::Sleep;

/// When and how often a channel repeats calls.
///
/// A call is repeated by itself only when that is safe: when it is certain that no server has seen it
/// ([`Error::never_left`](crate::Error::never_left)), or when the method table says that the method is
/// idempotent and the failure is one that may pass (`UNAVAILABLE`, `RESOURCE_EXHAUSTED`, `ABORTED`, `UNKNOWN`,
/// `INTERNAL`; not what the channel itself objects to). And only before the first message of its response:
/// for a method that answers with one message the response is held back until its first frame has come; a
/// stream is settled when its headers come without a status.
///
/// The request is kept for it, up to 256 KiB; a longer one, and one that is a stream, is sent again only if
/// nobody has read from it. The deadline is one for all attempts, and each tells the server what is left.
///
/// The wait before an attempt is drawn by [`backoff`](Self::backoff). The server's `grpc-retry-pushback-ms`
/// replaces it, and forbids the attempt when it is negative; `google.rpc.RetryInfo` in the details makes it
/// longer. A wait that the server wants longer than [`longest_wait`](Self::longest_wait), and one that would outlast
/// the deadline, is not begun: the call ends at once, with the status of the attempt that failed.
///
/// ```
/// use tonic_web_channel::{Channel, RetryPolicy};
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # let _entered = runtime.enter();
/// let mut retry = RetryPolicy::default();
/// retry.max_attempts = 5;
/// let channel = Channel::builder("http://127.0.0.1:50051").retry(retry).build()?;
/// # Ok::<(), tonic_web_channel::BuildError>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// How often a call is tried at most, the first time included; 3 by default. 1 repeats nothing.
    pub max_attempts: u32,
    /// How long to wait before each further attempt; by default up to 0.1 s before the second, doubling, at
    /// most 5 s.
    pub backoff: Backoff,
    /// How long a call waits at most because the server says so; 60 s by default. When it says a longer time,
    /// the call ends with the server's status, as its caller can do better than wait: a call without a deadline
    /// would otherwise wait for as long as a server likes.
    pub longest_wait: Duration,
    /// The budget of the whole channel, as gRPC's retry throttling has it; 10 by default. A failure that
    /// may pass takes 1 from it and a call that goes well gives back 0.1. While half of it or more is gone,
    /// nothing is repeated, so that a server in trouble is not called three times as often.
    pub budget: u32,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        let backoff = Backoff { base: Duration::from_millis(100), max: Duration::from_secs(5) };
        Self { max_attempts: 3, backoff, longest_wait: Duration::from_secs(60), budget: 10 }
    }
}

impl RetryPolicy {
    /// Repeats nothing.
    pub fn never() -> Self {
        Self { max_attempts: 1, ..Self::default() }
    }
}

/// Marks a request that is not repeated.
#[derive(Clone, Copy, Debug)]
struct NoRetry;

/// Has `request` sent once only, whatever the channel's [`RetryPolicy`] is. A repetition with renewed
/// credentials is left out, too.
pub fn no_retry<T>(request: &mut tonic::Request<T>) {
    request.extensions_mut().insert(NoRetry);
}

/// The policy of one channel and what is left of its budget.
#[derive(Debug)]
pub(crate) struct Retry {
    policy: RetryPolicy,
    /// In tenths.
    left: Mutex<u32>,
}

impl Retry {
    pub(crate) fn new(policy: RetryPolicy) -> Self {
        Self { policy, left: Mutex::new(policy.budget.saturating_mul(10)) }
    }

    fn well(&self) {
        self.update(|left| left.saturating_add(1));
    }

    /// Notes a failure; gives whether the budget allows an attempt.
    fn failed(&self) -> bool {
        self.update(|left| left.saturating_sub(10)) > self.policy.budget.saturating_mul(10) / 2
    }

    fn update(&self, change: impl FnOnce(u32) -> u32) -> u32 {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        *left = change(*left).min(self.policy.budget.saturating_mul(10));
        *left
    }
}

/// What the attempts of one call have in common.
pub(crate) struct Call<'a> {
    pub(crate) inner: &'a Inner,
    pub(crate) method: Option<Method>,
    pub(crate) end: Option<End>,
    pub(crate) terms: Terms,
}

/// Tries until there is a response, or a failure that stays.
pub(crate) async fn run(mut call: Call<'_>, request: Request<Body>) -> Result<Head, Status> {
    let (mut parts, body) = request.into_parts();
    parts.extensions.insert(call.terms.rules.reporter.clone());
    let retry = &call.inner.retry;
    let repeats = parts.extensions.get::<NoRetry>().is_none()
        && (retry.policy.max_attempts > 1 || call.inner.credentials.is_some());
    call.terms.rules.peek = repeats && call.is_repeatable();
    let body =
        Repeatable::new(body, if repeats { call.room() } else { 0 }, call.terms.rules.reporter.clone());
    let mut delays = None;
    let mut failed = 0;
    let mut refused = None;
    let result = loop {
        let token = call.authorize(&mut parts, refused).await?;
        if let Some(end) = call.end.filter(|_| failed > 0) {
            end.write_left(&mut parts.headers);
        }
        let request = Request::from_parts(parts.clone(), body.body());
        let mut result = attempt::send(&*call.inner.transport, request, &call.terms).await;
        if let Ok(head) = &mut result {
            head.token = token;
        }
        let Some(failure) = Failure::of(&result, call.inner.methods.advisor()) else {
            retry.well();
            break result;
        };
        failed += 1;
        let delay = match (token, failure.code) {
            (Some(token), Code::Unauthenticated) => call.renewal(token, &mut refused, repeats, &body),
            _ if !repeats => None,
            _ => call.delay(&failure, failed, &mut delays, &body),
        };
        let Some(delay) = delay else { break result };
        drop(result);
        let status = &failure.status;
        call.terms.rules.reporter.report(Told::Retrying { attempt: failed, delay, status });
        if !delay.is_zero() {
            Sleep::new(delay).await;
        }
    };
    result.map(|mut head| {
        body.settle();
        head.request = Some(body);
        head
    })
}

impl Call<'_> {
    /// Whether the method table says that the call may be repeated after a server has seen it.
    fn is_idempotent(&self) -> bool {
        self.method.is_some_and(|method| method.idempotency != Idempotency::Unknown)
    }

    /// Whether its first frame is to be waited for, because it may say that the call is to be repeated.
    fn is_repeatable(&self) -> bool {
        let answers_once = self.method.is_some_and(|method| !method.kind.server_streaming());
        answers_once && (self.is_idempotent() || self.inner.credentials.is_some())
    }

    /// How much of the request is kept, in bytes.
    fn room(&self) -> usize {
        if self.method.is_some_and(|method| method.kind.client_streaming()) { 0 } else { MAX_KEPT }
    }

    /// Puts the token into the request: the one after `refused`, when there was one. Gives its number.
    async fn authorize(
        &self,
        parts: &mut http::request::Parts,
        refused: Option<u64>,
    ) -> Result<Option<u64>, Status> {
        let Some(credentials) = &self.inner.credentials else { return Ok(None) };
        let token = credentials.clone().token(refused).await?;
        parts.headers.insert(AUTHORIZATION, token.value);
        if let Some(end) = self.end {
            end.write_left(&mut parts.headers);
        }
        Ok(Some(token.answer))
    }

    /// A refused token is renewed once, and the call repeated at once.
    fn renewal(
        &self,
        token: u64,
        refused: &mut Option<u64>,
        repeats: bool,
        body: &Repeatable,
    ) -> Option<Duration> {
        if !repeats || refused.is_some() || !body.can_be_sent() {
            // The next call does not begin with it.
            if let Some(credentials) = &self.inner.credentials {
                credentials.forget(token);
            }
            return None;
        }
        *refused = Some(token);
        Some(Duration::ZERO)
    }

    /// How long to wait for the next attempt after `failed` ones, `None` when there is none.
    fn delay(
        &self,
        failure: &Failure,
        failed: u32,
        delays: &mut Option<Delays>,
        body: &Repeatable,
    ) -> Option<Duration> {
        let retry = &self.inner.retry;
        let safe = failure.never_left || (self.is_idempotent() && failure.may_pass);
        // The budget is asked in any case: it counts failures.
        let afforded = !failure.may_pass || retry.failed();
        if !safe || !afforded || failed >= retry.policy.max_attempts || !body.can_be_sent() {
            return None;
        }
        let delays = delays.get_or_insert_with(|| retry.policy.backoff.delays());
        let asked = failure.wait(|| Duration::ZERO)?;
        if asked > retry.policy.longest_wait {
            return None;
        }
        let delay = failure.wait(|| delays.next().unwrap_or_default())?;
        self.end.is_none_or(|end| delay < end.left()).then_some(delay)
    }
}
