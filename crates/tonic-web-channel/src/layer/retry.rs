//! Repeats calls by the channel's policy.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{Request, request};
use tonic::body::Body;

use super::replay_body::{self, ReplayBody};
use super::{CallResult, ResponseFuture, Service, SharedService};
use crate::backoff::Delays;
use crate::body::early_status;
use crate::context::CallContext;
use crate::observe::EventRef;
use crate::retry::{Advisor, Failure, RetryPolicy};
use crate::timer::Sleep;

/// Repeats calls that failed.
pub(crate) struct Retry {
    policy: RetryPolicy,
    budget: Budget,
    advisor: Option<Advisor>,
    inner: SharedService,
}

impl Retry {
    /// `advisor` reads what servers say about retries. It is only needed where the method table is not empty: no other
    /// calls are repeated after a server has seen them.
    pub(crate) fn new(policy: RetryPolicy, advisor: Option<Advisor>, inner: SharedService) -> Self {
        Self { policy, budget: Budget::new(policy.budget), advisor, inner }
    }

    async fn run(&self, request: Request<Body>) -> CallResult {
        let (parts, body) = request.into_parts();
        let mut attempts = Attempts::new(self, parts, body);
        let mut response = loop {
            let result = attempts.send().await;
            let Some(failure) = failure(&result, self.advisor) else {
                self.budget.deposit();
                break result?;
            };
            let Some(delay) = attempts.delay(&failure) else { break result? };
            drop(result);
            let status = &failure.status;
            attempts.context.reporter.report(&EventRef::Retrying { delay, status });
            if !delay.is_zero() {
                Sleep::new(delay).await;
            }
            if let Some(deadline) = attempts.context.deadline {
                deadline.write_remaining(&mut attempts.parts.headers);
            }
        };
        attempts.body.settle();
        response.body_mut().attach(Box::new(attempts.body));
        Ok(response)
    }
}

impl Service for Retry {
    fn call(self: Arc<Self>, request: Request<Body>) -> ResponseFuture {
        Box::pin(async move { self.run(request).await })
    }
}

/// The failure of an attempt, as far as it is known.
fn failure(result: &CallResult, advisor: Option<Advisor>) -> Option<Failure> {
    match result {
        Ok(response) => Failure::of_headers(early_status(response)?, advisor),
        Err(status) => Some(Failure::of_status(status, advisor)),
    }
}

/// The attempts of one call.
struct Attempts<'a> {
    retry: &'a Retry,
    context: CallContext,
    parts: request::Parts,
    body: ReplayBody,
    failed: u32,
    delays: Option<Delays>,
}

impl<'a> Attempts<'a> {
    fn new(retry: &'a Retry, parts: request::Parts, body: Body) -> Self {
        let context = CallContext::of(&parts.extensions);
        let capacity = if retry.policy.max_attempts > 1 { replay_body::capacity(&context) } else { 0 };
        let body = ReplayBody::new(body, capacity, context.limits.capture, context.reporter.clone());
        Self { retry, context, parts, body, failed: 0, delays: None }
    }

    /// Sends an attempt. Waits for the first frame of its response where its status may lead to another attempt.
    async fn send(&self) -> CallResult {
        let request = Request::from_parts(self.parts.clone(), self.body.attempt());
        let mut response = self.retry.inner.clone().call(request).await?;
        let is_repeatable = self.context.is_idempotent() && self.context.expects_one_message();
        if is_repeatable && self.max_attempts() > 1 {
            response.body_mut().peek().await?;
        }
        Ok(response)
    }

    fn max_attempts(&self) -> u32 {
        if self.context.options.no_retry { 1 } else { self.retry.policy.max_attempts }
    }

    /// Delay before the next attempt, `None` when there is none.
    fn delay(&mut self, failure: &Failure) -> Option<Duration> {
        let policy = &self.retry.policy;
        self.failed += 1;
        let is_safe = failure.is_not_sent || (self.context.is_idempotent() && failure.may_pass);
        // Withdraws in any case, because the budget counts failures.
        let is_affordable = self.max_attempts() > 1 && (!failure.may_pass || self.retry.budget.withdraw());
        if !is_safe || !is_affordable || self.failed >= self.max_attempts() || !self.body.can_replay() {
            return None;
        }
        if failure.wait(|| Duration::ZERO)? > policy.max_pushback {
            return None;
        }
        let delays = self.delays.get_or_insert_with(|| policy.backoff.delays());
        let delay = failure.wait(|| delays.next().unwrap_or_default())?;
        self.context.deadline.is_none_or(|deadline| delay < deadline.remaining()).then_some(delay)
    }
}

/// The retry budget of a channel, in tenths of a call.
#[derive(Debug)]
struct Budget {
    left: Mutex<u32>,
    max: u32,
}

impl Budget {
    fn new(calls: u32) -> Self {
        let max = calls.saturating_mul(10);
        Self { left: Mutex::new(max), max }
    }

    /// Counts a success.
    fn deposit(&self) {
        self.update(|left| left.saturating_add(1));
    }

    /// Counts a failure. Whether the budget allows an attempt.
    fn withdraw(&self) -> bool {
        self.update(|left| left.saturating_sub(10)) > self.max / 2
    }

    fn update(&self, change: impl FnOnce(u32) -> u32) -> u32 {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        *left = change(*left).min(self.max);
        *left
    }
}
