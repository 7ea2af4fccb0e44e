//! Counters and failures that senders, readers and faults share.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use tonic::Status;

use crate::disturbance::{Disturbance, Moment};

/// Failures that are kept in words; all are counted.
const MAX_FAILURES: usize = 20;
/// Latest steps that are named with a failure.
const MAX_STEPS: usize = 6;

/// The counters of one run.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) disturbance: Disturbance,
    /// Whether clients change between several servers, of which one may be a little behind.
    pub(crate) has_several_servers: bool,
    /// Messages that were acknowledged.
    pub(crate) acknowledged: AtomicU64,
    /// Acknowledgements that repeated the first answer.
    pub(crate) repeated: AtomicU64,
    /// Attempts that failed during a fault, as they may.
    pub(crate) excused: AtomicU64,
    /// Calls that failed without a fault.
    pub(crate) calm_failures: AtomicU64,
    /// Subscriptions that were opened.
    pub(crate) subscriptions: AtomicU64,
    /// Whether senders end after their current message.
    stop_sending: AtomicBool,
    failed: AtomicBool,
    /// The latest steps, for the text of a failure.
    steps: Mutex<VecDeque<String>>,
    failures: Mutex<Vec<String>>,
}

impl Shared {
    pub(crate) fn stop_sending(&self) {
        self.stop_sending.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_sending(&self) -> bool {
        !self.stop_sending.load(Ordering::SeqCst)
    }

    /// The next step of the plan begins.
    pub(crate) fn step(&self, name: String) {
        let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        if steps.len() == MAX_STEPS {
            steps.pop_front();
        }
        steps.push_back(name);
    }

    /// The newest steps.
    pub(crate) fn steps(&self) -> String {
        let steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        if steps.is_empty() {
            return "the beginning".to_owned();
        }
        steps.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
    }

    /// Records an event that must never happen.
    pub(crate) fn fail(&self, what: impl fmt::Display) {
        self.failed.store(true, Ordering::SeqCst);
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() < MAX_FAILURES {
            failures.push(format!("{what} (after {})", self.steps()));
        }
    }

    /// Records the failure of a call that began at `begun`. It is allowed only during a fault.
    pub(crate) fn call_failed(&self, what: &str, begun: Moment, status: &Status) {
        if is_refusal(status) {
            self.fail(format_args!("{what} was refused: {status}"));
        } else if self.disturbance.calm_since(begun) {
            self.calm_failures.fetch_add(1, Ordering::Relaxed);
            self.fail(format_args!("{what} failed without a fault: {status}"));
        } else {
            self.excused.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::SeqCst)
    }

    pub(crate) fn failures(&self) -> Vec<String> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Whether no fault explains `status`: the server refuses the request itself. UNAUTHENTICATED is among these, because an
/// acknowledged session has to survive every fault.
fn is_refusal(status: &Status) -> bool {
    use tonic::Code;
    !matches!(
        status.code(),
        Code::Unavailable
            | Code::Unknown
            | Code::Cancelled
            | Code::Internal
            | Code::DeadlineExceeded
            | Code::ResourceExhausted
            | Code::Aborted
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_during_a_fault_is_excused_and_a_refusal_never_is() {
        let shared = Shared::default();
        let fault = shared.disturbance.begin();
        shared.call_failed("a call", shared.disturbance.now(), &Status::unavailable("killed"));
        assert!(!shared.has_failed());
        shared.call_failed("a call", shared.disturbance.now(), &Status::unauthenticated("who?"));
        assert!(shared.has_failed());
        drop(fault);
        assert_eq!((shared.excused.into_inner(), shared.calm_failures.into_inner()), (1, 0));
    }

    #[test]
    fn a_failure_without_a_fault_counts() {
        let shared = Shared::default();
        shared.call_failed("a call", shared.disturbance.now(), &Status::unavailable("why?"));
        assert!(shared.has_failed());
        assert_eq!(shared.calm_failures.into_inner(), 1);
    }
}
