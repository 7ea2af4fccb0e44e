//! The open calls of a connection: what their peer takes of the answers, and the end of those of which it
//! takes nothing.
//!
//! HTTP asks an answer's body for more only when the peer has taken what was there, so a body cannot tell by
//! itself that nothing is taken. The bytes can: they are marked when they are given to HTTP, and HTTP drops
//! them when they are written. The connection looks at the marks from time to time. A mark costs two atomic
//! additions; no timer belongs to a frame or to a call.

use std::io::IoSlice;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Buf;
use futures_util::task::AtomicWaker;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use slab::Slab;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::options::ServeOptions;

/// In how many looks a call must have taken nothing before it is ended: the peer has the whole
/// `ServeOptions::stall_timeout`, and at most a quarter more.
pub(super) const LOOKS: u32 = 4;

/// Bytes that may still be untaken when HTTP is told of an answer's end. With more the end is kept back:
/// HTTP/2 can no longer reset a stream that was told of its end. Fewer fit into the first window that every
/// usual client opens, and so need no second wake-up. On the connection of a proxy it is none: its end would be the
/// end of many clients' calls.
const MAX_UNTAKEN_AT_END: usize = 16 * 1024;

/// The calls of a connection whose answers were not taken whole.
#[derive(Debug)]
pub(super) struct Calls {
    open: Mutex<Open>,
    /// Told when the peer cancels more calls than it may.
    pub(super) too_many_cancelled: Notify,
    /// The calls are of many clients, so each has to end by itself wherever that is possible.
    of_proxy: bool,
}

#[derive(Debug)]
struct Open {
    calls: Slab<Entry>,
    /// The call that began last, until its task is known.
    newest: Option<usize>,
    cancelled: Allowance,
}

#[derive(Debug)]
struct Entry {
    call: Weak<Call>,
    /// Runs the call over HTTP/2. Over HTTP/1.1 the connection does.
    task: Option<AbortHandle>,
    /// Looks since the peer took something.
    stalled: u32,
}

/// What a look at the calls has found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Looked {
    /// Calls that were ended because their peer took nothing.
    pub(super) ended: usize,
    /// A call could not be ended by itself, so the connection has to be closed.
    pub(super) stuck: bool,
}

impl Calls {
    pub(super) fn new(options: &ServeOptions, of_proxy: bool) -> Self {
        let cancelled = Allowance::new(options.cancel_burst, options.cancel_rate);
        let open = Open { calls: Slab::new(), newest: None, cancelled };
        Self { open: Mutex::new(open), too_many_cancelled: Notify::new(), of_proxy }
    }

    /// A call begins.
    pub(super) fn begin(self: &Arc<Self>) -> Arc<Call> {
        Arc::new_cyclic(|call| {
            let mut open = self.lock();
            let key = open.calls.insert(Entry { call: call.clone(), task: None, stalled: 0 });
            open.newest = Some(key);
            Call {
                calls: Arc::clone(self),
                key,
                untaken: AtomicUsize::new(0),
                taken: AtomicBool::new(false),
                ended: AtomicBool::new(false),
                body: AtomicWaker::new(),
            }
        })
    }

    /// The call that began last is run by `task`.
    pub(super) fn runs(&self, task: AbortHandle) {
        let open = &mut *self.lock();
        if let Some(entry) = open.newest.take().and_then(|key| open.calls.get_mut(key)) {
            entry.task = Some(task);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().calls.is_empty()
    }

    /// How many calls are open, and of how many something is untaken.
    pub(super) fn count(&self) -> (usize, usize) {
        let open: Vec<_> = self.lock().calls.iter().filter_map(|(_, entry)| entry.call.upgrade()).collect();
        let untaken = open.iter().filter(|call| call.untaken.load(Ordering::Relaxed) > 0).count();
        (open.len(), untaken)
    }

    /// Ends the calls whose peer took nothing in the last [`LOOKS`] looks.
    pub(super) fn look(&self) -> Looked {
        let mut looked = Looked::default();
        // Dropping a call locks the calls, and ending a task may drop one.
        let (mut seen, mut tasks) = (Vec::new(), Vec::new());
        for (_, entry) in &mut self.lock().calls {
            let Some(call) = entry.call.upgrade() else { continue };
            entry.stalled = if call.stands_still() { entry.stalled + 1 } else { 0 };
            if entry.stalled == LOOKS {
                looked.ended += 1;
                // This end is ours, not the peer's.
                call.ended.store(true, Ordering::Relaxed);
                tasks.extend(entry.task.clone());
            }
            // Over HTTP/1.1 there is no task. Over HTTP/2 the end of the task has not freed the bytes.
            let most = match entry.task {
                None => LOOKS,
                Some(_) if self.of_proxy => 2 * LOOKS,
                Some(_) => LOOKS + 1,
            };
            looked.stuck |= entry.stalled >= most;
            seen.push(call);
        }
        for task in tasks {
            task.abort();
        }
        looked
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call from its request's head until the peer has taken the whole answer, or the call was dropped.
#[derive(Debug)]
pub(super) struct Call {
    calls: Arc<Calls>,
    key: usize,
    /// Bytes of the answer that HTTP has and that were not written to the connection.
    untaken: AtomicUsize,
    /// Something was taken since the last look, or there was nothing to take.
    taken: AtomicBool,
    /// HTTP was told of the answer's end.
    ended: AtomicBool,
    /// Waits until the answer's end may be told.
    body: AtomicWaker,
}

impl Call {
    /// Whether the peer has taken nothing since the last look although there was something to take.
    fn stands_still(&self) -> bool {
        !self.taken.swap(false, Ordering::Relaxed) && self.untaken.load(Ordering::Relaxed) > 0
    }

    fn give<D: Buf>(self: &Arc<Self>, bytes: D) -> Untaken<D> {
        if self.untaken.fetch_add(bytes.remaining(), Ordering::Relaxed) == 0 {
            self.taken.store(true, Ordering::Relaxed);
        }
        Untaken { bytes, call: Arc::clone(self) }
    }

    fn took(&self, length: usize) {
        self.taken.store(true, Ordering::Relaxed);
        let before = self.untaken.fetch_sub(length, Ordering::AcqRel);
        let most = self.max_untaken_at_end();
        if before > most && before - length <= most {
            self.body.wake();
        }
    }

    fn may_end(&self) -> bool {
        self.untaken.load(Ordering::Acquire) <= self.max_untaken_at_end()
    }

    fn max_untaken_at_end(&self) -> usize {
        if self.calls.of_proxy { 0 } else { MAX_UNTAKEN_AT_END }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let mut open = self.calls.lock();
        let over_http2 = open.calls.try_remove(self.key).is_some_and(|entry| entry.task.is_some());
        // Over HTTP/1.1 a client cancels by closing the connection.
        let is_cancelled = over_http2 && !*self.ended.get_mut() && !self.calls.of_proxy;
        if is_cancelled && !open.cancelled.take(Instant::now()) {
            self.calls.too_many_cancelled.notify_one();
        }
    }
}

/// How many calls a peer may still cancel.
#[derive(Debug)]
struct Allowance {
    left: u32,
    most: u32,
    per_second: u32,
    /// Up to when what comes back was counted.
    counted: Instant,
}

impl Allowance {
    fn new(most: u32, per_second: u32) -> Self {
        Self { left: most, most, per_second, counted: Instant::now() }
    }

    /// Takes one; `false` when none is left.
    fn take(&mut self, now: Instant) -> bool {
        let seconds = now.saturating_duration_since(self.counted).as_secs();
        if seconds > 0 {
            let back = u32::try_from(seconds).unwrap_or(u32::MAX).saturating_mul(self.per_second);
            self.left = self.left.saturating_add(back).min(self.most);
            self.counted += Duration::from_secs(seconds);
        }
        let left = self.left.checked_sub(1);
        self.left = left.unwrap_or_default();
        left.is_some()
    }
}

/// Bytes of an answer that HTTP has not written yet.
#[derive(Debug)]
pub(super) struct Untaken<D: Buf> {
    bytes: D,
    call: Arc<Call>,
}

impl<D: Buf> Buf for Untaken<D> {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        self.bytes.chunks_vectored(slices)
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
        self.call.took(count);
    }
}

impl<D: Buf> Drop for Untaken<D> {
    fn drop(&mut self) {
        if self.bytes.has_remaining() {
            self.call.took(self.bytes.remaining());
        }
    }
}

pin_project! {
    /// An answer's body whose bytes are marked until they are taken. It ends when nearly all of them are.
    pub(super) struct Answer<B> {
        #[pin]
        body: B,
        call: Arc<Call>,
        // What comes after the bytes, while that is kept back: trailers, or nothing.
        end: Option<Option<HeaderMap>>,
    }
}

impl<B> Answer<B> {
    pub(super) fn new(body: B, call: Arc<Call>) -> Self {
        Self { body, call, end: None }
    }
}

impl<B: Body> Body for Answer<B> {
    type Data = Untaken<B::Data>;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, B::Error>>> {
        let this = self.project();
        if this.end.is_none() {
            let frame = match this.body.poll_frame(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => None,
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(bytes) => return Poll::Ready(Some(Ok(Frame::data(this.call.give(bytes))))),
                    Err(frame) => frame.into_trailers().ok(),
                },
            };
            *this.end = Some(frame);
        }
        if !this.call.may_end() {
            this.call.body.register(cx.waker());
            // What was taken before the waker was there has woken nobody.
            if !this.call.may_end() {
                return Poll::Pending;
            }
        }
        this.call.ended.store(true, Ordering::Relaxed);
        // Asked again, it has ended.
        Poll::Ready(this.end.replace(None).flatten().map(|trailers| Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        let ended = match &self.end {
            Some(end) => end.is_none(),
            None => self.body.is_end_stream(),
        };
        let told = ended && self.call.may_end();
        if told {
            self.call.ended.store(true, Ordering::Relaxed);
        }
        told
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests;
