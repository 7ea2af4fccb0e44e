//! The open calls of a connection: the bytes that their client takes, and the end of stalled ones.
//!
//! HTTP polls the body of a response only when the client has taken what was there, so a body cannot notice a stall. The chunks
//! can: they are counted when they are passed to HTTP, and HTTP drops them when they are written. The connection checks the
//! counts at intervals. A chunk costs two atomic additions; no frame and no call has a timer.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Waker;
use std::time::Duration;

use futures_util::task::AtomicWaker;
use slab::Slab;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::budget::CallAccount;
use crate::options::ServeOptions;

/// Checks without progress after which a call is ended: it has the whole `ServeOptions::stall_timeout`, and at most a quarter
/// more.
pub(super) const STALLED_CHECKS: u32 = 4;

/// Unsent bytes with which HTTP may learn of a response's end. With more the end is withheld, because HTTP/2 cannot reset a
/// stream after it has learnt of its end. Fewer fit into the first window of every usual client, and so need no second wake-up.
/// On the connection of a proxy it is none: closing that would end the calls of many clients.
pub(super) const MAX_UNSENT_AT_END: usize = 16 * 1024;

/// The calls of a connection whose responses have not been taken completely.
#[derive(Debug)]
pub(super) struct OpenCalls {
    state: Mutex<State>,
    /// Notified when the client cancels more calls than it may.
    pub(super) too_many_cancelled: Notify,
    /// The calls belong to many clients, so each is ended alone if possible.
    is_proxy: bool,
}

#[derive(Debug)]
struct State {
    calls: Slab<Entry>,
    /// The call that began last, until its task is known.
    newest: Option<usize>,
    cancellations: Allowance,
}

#[derive(Debug)]
struct Entry {
    call: Weak<CallProgress>,
    /// The task of the call over HTTP/2. Over HTTP/1.1 it has none.
    task: Option<AbortHandle>,
    /// Checks since the client took some bytes.
    stalled: u32,
}

/// The result of a check for stalls.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct StallCheck {
    /// Calls that were ended.
    pub(super) ended: usize,
    /// A call could not be ended alone, so the connection must be closed.
    pub(super) must_close: bool,
}

impl OpenCalls {
    pub(super) fn new(options: &ServeOptions, is_proxy: bool) -> Self {
        let cancellations = Allowance::new(options.cancel_burst, options.cancel_rate);
        let state = State { calls: Slab::new(), newest: None, cancellations };
        Self { state: Mutex::new(state), too_many_cancelled: Notify::new(), is_proxy }
    }

    /// Adds a call.
    pub(super) fn begin(self: &Arc<Self>, account: Arc<CallAccount>) -> Arc<CallProgress> {
        Arc::new_cyclic(|call| {
            let mut state = self.lock();
            let key = state.calls.insert(Entry { call: call.clone(), task: None, stalled: 0 });
            state.newest = Some(key);
            CallProgress {
                account,
                calls: Arc::clone(self),
                key,
                unsent: AtomicUsize::new(0),
                has_progressed: AtomicBool::new(false),
                end_announced: AtomicBool::new(false),
                body: AtomicWaker::new(),
            }
        })
    }

    /// Sets the task of the call that began last.
    pub(super) fn set_task(&self, task: AbortHandle) {
        let state = &mut *self.lock();
        if let Some(entry) = state.newest.take().and_then(|key| state.calls.get_mut(key)) {
            entry.task = Some(task);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().calls.is_empty()
    }

    /// Number of open calls, and of those with unsent bytes.
    pub(super) fn count(&self) -> (usize, usize) {
        let open: Vec<_> = self.lock().calls.iter().filter_map(|(_, entry)| entry.call.upgrade()).collect();
        let unsent = open.iter().filter(|call| call.unsent.load(Ordering::Relaxed) > 0).count();
        (open.len(), unsent)
    }

    /// Ends the calls without progress in the last [`STALLED_CHECKS`] checks.
    pub(super) fn check_stalls(&self) -> StallCheck {
        let mut check = StallCheck::default();
        // Dropping a call locks the calls, and ending a task may drop one.
        let (mut checked, mut tasks) = (Vec::new(), Vec::new());
        for (_, entry) in &mut self.lock().calls {
            let Some(call) = entry.call.upgrade() else { continue };
            entry.stalled = if call.take_stalled() { entry.stalled + 1 } else { 0 };
            if entry.stalled == STALLED_CHECKS {
                check.ended += 1;
                // This is no cancellation by the client.
                call.end_announced.store(true, Ordering::Relaxed);
                tasks.extend(entry.task.clone());
            }
            // Over HTTP/1.1 there is no task. Over HTTP/2 the end of the task may not free the bytes.
            let max = match entry.task {
                None => STALLED_CHECKS,
                Some(_) if self.is_proxy => 2 * STALLED_CHECKS,
                Some(_) => STALLED_CHECKS + 1,
            };
            check.must_close |= entry.stalled >= max;
            checked.push(call);
        }
        for task in tasks {
            task.abort();
        }
        check
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The progress of a call, from its request's head until its client has taken the whole response or the call was dropped.
pub(super) struct CallProgress {
    pub(super) account: Arc<CallAccount>,
    calls: Arc<OpenCalls>,
    key: usize,
    /// Bytes of the response that HTTP has and has not written to the connection.
    unsent: AtomicUsize,
    /// Some bytes were written since the last check, or there were none to write.
    has_progressed: AtomicBool,
    /// HTTP has learnt of the response's end.
    end_announced: AtomicBool,
    /// Waits until the response's end may be announced.
    body: AtomicWaker,
}

impl std::fmt::Debug for CallProgress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallProgress").field("unsent", &self.unsent).finish_non_exhaustive()
    }
}

impl CallProgress {
    /// Whether nothing was written since the last call of this although there was something to write.
    fn take_stalled(&self) -> bool {
        !self.has_progressed.swap(false, Ordering::Relaxed) && self.unsent.load(Ordering::Relaxed) > 0
    }

    /// Counts bytes that are passed to HTTP.
    pub(super) fn add_unsent(&self, bytes: usize) {
        if self.unsent.fetch_add(bytes, Ordering::Relaxed) == 0 {
            self.has_progressed.store(true, Ordering::Relaxed);
        }
    }

    /// Bytes that HTTP has and has not written.
    pub(super) fn unsent(&self) -> usize {
        self.unsent.load(Ordering::Relaxed)
    }

    /// Counts bytes that HTTP has written or dropped.
    pub(super) fn remove_unsent(&self, bytes: usize) {
        self.has_progressed.store(true, Ordering::Relaxed);
        let before = self.unsent.fetch_sub(bytes, Ordering::AcqRel);
        let max = self.max_unsent_at_end();
        if before > max && before - bytes <= max {
            self.body.wake();
        }
    }

    /// Whether HTTP may learn of the response's end.
    pub(super) fn may_end(&self) -> bool {
        self.unsent.load(Ordering::Acquire) <= self.max_unsent_at_end()
    }

    /// Wakes `waker` when HTTP may learn of the response's end.
    pub(super) fn wake_at_end(&self, waker: &Waker) {
        self.body.register(waker);
    }

    /// HTTP learns of the response's end.
    pub(super) fn announce_end(&self) {
        self.end_announced.store(true, Ordering::Relaxed);
    }

    fn max_unsent_at_end(&self) -> usize {
        if self.calls.is_proxy { 0 } else { MAX_UNSENT_AT_END }
    }
}

impl Drop for CallProgress {
    fn drop(&mut self) {
        let mut state = self.calls.lock();
        let over_http2 = state.calls.try_remove(self.key).is_some_and(|entry| entry.task.is_some());
        // Over HTTP/1.1 a client cancels by closing the connection.
        let is_cancelled = over_http2 && !*self.end_announced.get_mut() && !self.calls.is_proxy;
        if is_cancelled && !state.cancellations.take(Instant::now()) {
            self.calls.too_many_cancelled.notify_one();
        }
    }
}

/// The calls that a client may still cancel.
#[derive(Debug)]
struct Allowance {
    left: u32,
    max: u32,
    per_second: u32,
    /// Time up to which the refill was counted.
    counted: Instant,
}

impl Allowance {
    fn new(max: u32, per_second: u32) -> Self {
        Self { left: max, max, per_second, counted: Instant::now() }
    }

    /// Takes one; `false` when none is left.
    fn take(&mut self, now: Instant) -> bool {
        let seconds = now.saturating_duration_since(self.counted).as_secs();
        if seconds > 0 {
            let refill = u32::try_from(seconds).unwrap_or(u32::MAX).saturating_mul(self.per_second);
            self.left = self.left.saturating_add(refill).min(self.max);
            self.counted += Duration::from_secs(seconds);
        }
        let left = self.left.checked_sub(1);
        self.left = left.unwrap_or_default();
        left.is_some()
    }
}

#[cfg(test)]
pub(super) mod tests;
