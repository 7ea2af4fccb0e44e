//! A server stream that survives: it reconnects, notices silence, and says how it is.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::Stream;
use futures_util::task::AtomicWaker;
use tonic::Status;

use crate::backoff::{Backoff, Delays};
use crate::maybe_send::{BoxFactory, BoxFuture, BoxStream, MaybeSend};
use crate::status::is_transient;
use crate::timer::{Instant, Sleep};

/// How a [`Subscription`] behaves.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct SubscriptionOptions {
    /// How long to wait between attempts.
    pub backoff: Backoff,
    /// How long nothing may come, the response's headers included, before the connection counts as
    /// dead. Two and a bit of the server's heartbeat intervals; 45 s by default.
    pub silence_timeout: Duration,
    /// How long a connection must have been open for the backoff to start from its shortest delay
    /// again; 10 s by default. Without it a server that accepts and fails at once would be called
    /// without a pause.
    pub healthy_after: Duration,
}

impl Default for SubscriptionOptions {
    fn default() -> Self {
        Self {
            backoff: Backoff::default(),
            silence_timeout: Duration::from_secs(45),
            healthy_after: Duration::from_secs(10),
        }
    }
}

/// What a [`Subscription`] yields.
#[derive(Debug)]
pub enum Update<T> {
    /// The connection changed.
    State(State),
    /// The server sent a message.
    Message(T),
}

/// How the connection of a [`Subscription`] is; gRPC's connectivity states, for one stream.
#[derive(Clone, Debug)]
pub enum State {
    /// The call was started.
    Connecting,
    /// The response's headers came.
    Ready,
    /// The connection was lost or could not be made; the next attempt comes by itself.
    Waiting {
        /// When, from now. Zero for at once.
        retry_in: Duration,
        /// How many attempts failed in a row.
        attempt: u32,
        /// Why.
        status: Status,
    },
    /// The server refused in a way that trying again does not change. The stream ends.
    Failed {
        /// Why.
        status: Status,
    },
}

/// A server stream that reconnects by itself.
///
/// It is a [`Stream`] of [`Update`]s that ends only after [`State::Failed`]. Dropping it cancels the
/// call. To resume without loss, the function that opens the call builds each request from what the
/// application has received so far.
///
/// ```
/// # use std::time::Duration;
/// # use channel::{State, Subscription, SubscriptionOptions, Update};
/// # use futures_util::{StreamExt as _, stream};
/// # async fn subscribe(_after: u64) -> Result<tonic::Response<stream::Iter<std::vec::IntoIter<Result<u64, tonic::Status>>>>, tonic::Status> {
/// #     Ok(tonic::Response::new(stream::iter(vec![Ok(1), Ok(2)])))
/// # }
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let last = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
/// let cursor = last.clone();
/// let (mut updates, handle) = Subscription::new(SubscriptionOptions::default(), move || {
///     // `client.subscribe(..)` of a generated client.
///     subscribe(cursor.load(std::sync::atomic::Ordering::Relaxed))
/// });
/// while let Some(update) = updates.next().await {
///     match update {
///         Update::Message(number) => last.store(number, std::sync::atomic::Ordering::Relaxed),
///         Update::State(State::Waiting { .. }) => break,
///         Update::State(_) => {}
///     }
/// }
/// # drop(handle);
/// # assert_eq!(last.load(std::sync::atomic::Ordering::Relaxed), 2);
/// # });
/// ```
pub struct Subscription<T> {
    open: BoxFactory<Opening<T>>,
    options: SubscriptionOptions,
    delays: Delays,
    failures: u32,
    phase: Phase<T>,
    shared: Arc<Shared>,
}

type Opening<T> = BoxFuture<Result<BoxStream<Result<T, Status>>, Status>>;

enum Phase<T> {
    Idle,
    Opening { call: Opening<T>, silence: Silence },
    Open { stream: BoxStream<Result<T, Status>>, silence: Silence, since: Instant },
    Waiting { timer: Sleep },
    Ended,
}

impl<T: 'static> Subscription<T> {
    /// A subscription that calls `open` for every attempt, the first when it is first polled, and a
    /// handle to steer it by.
    pub fn new<Open, Call, S>(options: SubscriptionOptions, mut open: Open) -> (Self, SubscriptionHandle)
    where
        Open: FnMut() -> Call + MaybeSend + 'static,
        Call: Future<Output = Result<tonic::Response<S>, Status>> + MaybeSend + 'static,
        S: Stream<Item = Result<T, Status>> + MaybeSend + 'static,
    {
        let shared = Arc::new(Shared::default());
        let subscription = Self {
            open: Box::new(move || {
                let call = open();
                Box::pin(async move {
                    let stream: BoxStream<_> = Box::pin(call.await?.into_inner());
                    Ok(stream)
                })
            }),
            options,
            delays: options.backoff.delays(),
            failures: 0,
            phase: Phase::Idle,
            shared: shared.clone(),
        };
        (subscription, SubscriptionHandle { shared })
    }

    /// Leaves the connection for `delay`, because of `status`.
    fn wait(&mut self, delay: Duration, status: Status) -> Poll<Option<Update<T>>> {
        self.phase = Phase::Waiting { timer: Sleep::new(delay) };
        let attempt = self.failures;
        Poll::Ready(Some(Update::State(State::Waiting { retry_in: delay, attempt, status })))
    }

    fn fail(&mut self, status: Status) -> Poll<Option<Update<T>>> {
        if !is_transient(status.code()) {
            self.phase = Phase::Ended;
            return Poll::Ready(Some(Update::State(State::Failed { status })));
        }
        if let Phase::Open { since, .. } = &self.phase
            && since.elapsed() >= self.options.healthy_after
        {
            self.delays.reset();
            self.failures = 0;
        }
        self.failures = self.failures.saturating_add(1);
        let delay = self.delays.next().unwrap_or(self.options.backoff.max);
        self.wait(delay, status)
    }
}

impl<T: 'static> Stream for Subscription<T> {
    type Item = Update<T>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Update<T>>> {
        let this = &mut *self;
        this.shared.waker.register(cx.waker());
        loop {
            let wishes = this.shared.take();
            match &mut this.phase {
                Phase::Idle => {
                    let silence = Silence::new(this.options.silence_timeout);
                    this.phase = Phase::Opening { call: (this.open)(), silence };
                    return Poll::Ready(Some(Update::State(State::Connecting)));
                }
                Phase::Opening { call, silence } => {
                    if let Some(within) = wishes.probe {
                        silence.probe(within);
                    }
                    match call.as_mut().poll(cx) {
                        Poll::Ready(Ok(stream)) => {
                            let silence = Silence::new(this.options.silence_timeout);
                            this.phase = Phase::Open { stream, silence, since: Instant::now() };
                            return Poll::Ready(Some(Update::State(State::Ready)));
                        }
                        Poll::Ready(Err(status)) => return this.fail(status),
                        Poll::Pending => {}
                    }
                    if silence.poll(cx).is_ready() {
                        return this.fail(Status::unavailable("the server did not answer"));
                    }
                    return Poll::Pending;
                }
                Phase::Open { stream, silence, .. } => {
                    if let Some(delay) = wishes.reconnect_after {
                        // The server asked for it, so it is no failure.
                        this.delays.reset();
                        this.failures = 0;
                        return this.wait(delay, Status::unavailable("the server asked to come back later"));
                    }
                    if let Some(within) = wishes.probe {
                        silence.probe(within);
                    }
                    match stream.as_mut().poll_next(cx) {
                        Poll::Ready(Some(Ok(message))) => {
                            silence.heard();
                            return Poll::Ready(Some(Update::Message(message)));
                        }
                        Poll::Ready(Some(Err(status))) => return this.fail(status),
                        Poll::Ready(None) => {
                            return this.fail(Status::unavailable("the server ended the stream"));
                        }
                        Poll::Pending => {}
                    }
                    if silence.poll(cx).is_ready() {
                        return this.fail(Status::unavailable("nothing came from the server for too long"));
                    }
                    return Poll::Pending;
                }
                Phase::Waiting { timer } => {
                    if let Some(delay) = wishes.reconnect_after {
                        *timer = Sleep::new(delay);
                    }
                    if !wishes.retry_now && Pin::new(timer).poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                    this.phase = Phase::Idle;
                }
                Phase::Ended => return Poll::Ready(None),
            }
        }
    }
}

impl<T> fmt::Debug for Subscription<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phase = match &self.phase {
            Phase::Idle => "idle",
            Phase::Opening { .. } => "opening",
            Phase::Open { .. } => "open",
            Phase::Waiting { .. } => "waiting",
            Phase::Ended => "ended",
        };
        f.debug_struct("Subscription").field("phase", &phase).field("options", &self.options).finish()
    }
}

/// Steers a [`Subscription`] from outside. Cheap to clone; does nothing once the subscription is gone.
#[derive(Clone, Debug)]
pub struct SubscriptionHandle {
    shared: Arc<Shared>,
}

impl SubscriptionHandle {
    /// Ends a wait for the next attempt. For a button "Try now", and for when the network or the page
    /// comes back. Without effect on a connection that is open or being opened.
    pub fn retry_now(&self) {
        self.shared.wish(|wishes| wishes.retry_now = true);
    }

    /// Gives an open connection `within` to show that it lives, by any message, and reconnects
    /// otherwise. For when a page wakes: its connection may have died unnoticed.
    pub fn probe(&self, within: Duration) {
        self.shared.wish(|wishes| wishes.probe = Some(within));
    }

    /// Closes the connection and comes back after `delay`. For a server that said goodbye.
    pub fn reconnect_after(&self, delay: Duration) {
        self.shared.wish(|wishes| wishes.reconnect_after = Some(delay));
    }
}

#[derive(Debug, Default)]
struct Shared {
    wishes: Mutex<Wishes>,
    waker: AtomicWaker,
}

/// What was asked of a subscription since it last looked.
#[derive(Debug, Default)]
struct Wishes {
    retry_now: bool,
    probe: Option<Duration>,
    reconnect_after: Option<Duration>,
}

impl Shared {
    fn wish(&self, wish: impl FnOnce(&mut Wishes)) {
        wish(&mut self.wishes.lock().unwrap_or_else(PoisonError::into_inner));
        self.waker.wake();
    }

    fn take(&self) -> Wishes {
        std::mem::take(&mut self.wishes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Notices that nothing was heard for too long.
///
/// The timer is not moved for every message; when it ends it is set again for what is left.
struct Silence {
    allowed: Duration,
    until: Instant,
    timer: Sleep,
}

impl Silence {
    fn new(allowed: Duration) -> Self {
        Self { allowed, until: Instant::now() + allowed, timer: Sleep::new(allowed) }
    }

    fn heard(&mut self) {
        self.until = Instant::now() + self.allowed;
    }

    /// Ends the silence `within` from now, unless something is heard before.
    fn probe(&mut self, within: Duration) {
        let until = Instant::now() + within;
        if until < self.until {
            self.until = until;
            self.timer = Sleep::new(within);
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while Pin::new(&mut self.timer).poll(cx).is_ready() {
            let left = self.until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Poll::Ready(());
            }
            self.timer = Sleep::new(left);
        }
        Poll::Pending
    }
}
