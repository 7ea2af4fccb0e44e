//! A server stream that survives: it reconnects, notices silence, and says how it is.

mod handle;
#[cfg(target_arch = "wasm32")]
mod page;
mod silence;
mod state;
mod wait;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::Stream;
use tonic::{Code, Status};

pub use self::handle::SubscriptionHandle;
pub use self::state::{NextAttempt, State};

use self::handle::{Shared, Wishes};
use self::silence::Silence;
use self::state::Publisher;
use self::wait::{Step, Wait};
use crate::backoff::{Backoff, Delays};
use crate::error::Error;
use crate::maybe_send::{BoxFactory, BoxFuture, BoxStream, MaybeSend};
use crate::retry::{self, Failure};
use crate::status::is_transient;
use crate::timer::Instant;

/// How a [`Subscription`] behaves.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct SubscriptionOptions {
    /// How long to wait between attempts.
    pub backoff: Backoff,
    /// How long nothing may come, the response's headers included, before the connection counts as
    /// dead. Two and a bit of the server's heartbeat intervals; 45 s by default.
    pub silence_timeout: Duration,
    /// How long an open connection has to show that it lives, by any message, after the network came back
    /// or the page woke ([`wake`](SubscriptionHandle::wake)); 5 s by default.
    pub probe_within: Duration,
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
            probe_within: Duration::from_secs(5),
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

/// A server stream that reconnects by itself.
///
/// It is a [`Stream`] of [`Update`]s that ends only after [`State::Shutdown`]. Dropping it cancels the
/// call. To resume without loss, the function that opens the call builds each request from what the
/// application has received so far.
///
/// A connection counts as lost when it ends, when it fails, and when nothing came for too long; a token of the
/// caller's that is cancelled ([`cancel_with`](crate::RequestExt::cancel_with)) ends the subscription. So does a refusal that trying
/// again does not change; but when a connection that was open ends with `UNAUTHENTICATED`, one more is tried, as its
/// [`credentials`](crate::Builder::credentials) may only have expired, and a further one not before a connection was
/// healthy again ([`healthy_after`](SubscriptionOptions::healthy_after)). The next attempt follows
/// after a delay with jitter, or when the server asked for it: by
/// `grpc-retry-pushback-ms` in its trailers (a negative number ends the subscription), by
/// `google.rpc.RetryInfo` in its status' details, or in words of the application's own
/// ([`SubscriptionHandle::reconnect_after`]). While the browser has no network nothing is tried. When the
/// network comes back, or the page is looked at again, what waits is tried at once; an open connection has to show
/// that it lives when the network was gone or the page was away for long ([`SubscriptionHandle::wake`]). Elsewhere
/// than in a browser, say so by the handle.
///
/// ```
/// # use std::time::Duration;
/// # use tonic_web_channel::{State, Subscription, SubscriptionOptions, Update};
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
///         Update::State(State::TransientFailure { .. }) => break,
///         Update::State(_) => {}
///     }
/// }
/// # assert_eq!(last.load(std::sync::atomic::Ordering::Relaxed), 2);
/// // Whoever holds the handle sees how it is, now and as it changes.
/// assert!(matches!(handle.state(), State::TransientFailure { attempt: 1, .. }));
/// drop(updates);
/// let states: Vec<State> = handle.states().collect().await;
/// assert!(matches!(states[..], [State::Shutdown { .. }]));
/// # });
/// ```
pub struct Subscription<T> {
    open: BoxFactory<Opening<T>>,
    options: SubscriptionOptions,
    delays: Delays,
    failures: u32,
    /// Whether an open connection was refused its credentials since one was healthy.
    refused: bool,
    phase: Phase<T>,
    shared: Arc<Shared>,
    states: Publisher,
    #[cfg(target_arch = "wasm32")]
    _page: page::PageEvents,
}

type Opening<T> = BoxFuture<Result<BoxStream<Result<T, Status>>, Status>>;

enum Phase<T> {
    Idle,
    Opening { call: Opening<T>, silence: Silence },
    Open { stream: BoxStream<Result<T, Status>>, silence: Silence, since: Instant },
    Waiting(Wait),
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
        let shared = Arc::new(Shared::new());
        let (states, watched) = Publisher::new();
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
            refused: false,
            phase: Phase::Idle,
            shared: shared.clone(),
            states,
            #[cfg(target_arch = "wasm32")]
            _page: page::PageEvents::new(shared.clone()),
        };
        (subscription, SubscriptionHandle::new(shared, watched))
    }

    fn attempt(&mut self) -> Update<T> {
        let silence = Silence::new(self.options.silence_timeout);
        self.phase = Phase::Opening { call: (self.open)(), silence };
        self.changed(State::Connecting)
    }

    fn opened(&mut self, stream: BoxStream<Result<T, Status>>) -> Update<T> {
        let silence = Silence::new(self.options.silence_timeout);
        self.phase = Phase::Open { stream, silence, since: Instant::now() };
        self.changed(State::Ready)
    }

    /// The server asked for it, so it is no failure.
    fn leave(&mut self, delay: Duration, online: bool) -> Update<T> {
        self.delays.reset();
        self.failures = 0;
        let status = Status::unavailable("the server asked to come back later");
        self.wait(Wait::new(delay, true, 0, status, online))
    }

    fn failed(&mut self, status: Status, online: bool) -> Update<T> {
        if let Phase::Open { since, .. } = &self.phase
            && since.elapsed() >= self.options.healthy_after
        {
            self.delays.reset();
            self.failures = 0;
            self.refused = false;
        }
        let failure = Failure::of_status(&status, Some(retry::advice));
        let asked = failure.server_decides();
        let stays = !is_transient(status.code()) || Error::of(&status) == Some(&Error::Cancelled);
        let stays = stays && !self.may_renew(status.code());
        let delay = if stays { None } else { failure.wait(|| self.drawn(online)) };
        let Some(delay) = delay else {
            self.phase = Phase::Ended;
            return self.changed(State::Shutdown { status });
        };
        if online {
            self.failures = self.failures.saturating_add(1);
        }
        self.wait(Wait::new(delay, asked, self.failures, status, online))
    }

    /// Whether the next attempt may bring credentials that are accepted: these were, and have expired meanwhile.
    fn may_renew(&mut self, code: Code) -> bool {
        let expired = code == Code::Unauthenticated && matches!(self.phase, Phase::Open { .. });
        expired && !std::mem::replace(&mut self.refused, true)
    }

    /// What the backoff says. Without a network the server is not to blame: the next attempt is due when the
    /// network is.
    fn drawn(&mut self, online: bool) -> Duration {
        if online { self.delays.next().unwrap_or(self.options.backoff.max) } else { Duration::ZERO }
    }

    fn wait(&mut self, wait: Wait) -> Update<T> {
        let state = wait.state();
        self.phase = Phase::Waiting(wait);
        self.changed(state)
    }

    fn changed(&mut self, state: State) -> Update<T> {
        self.states.publish(&state);
        Update::State(state)
    }
}

impl<T: 'static> Stream for Subscription<T> {
    type Item = Update<T>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Update<T>>> {
        let this = &mut *self;
        this.shared.register(cx.waker());
        let wishes = this.shared.take();
        if let Some(delay) = wishes.reconnect_after
            && matches!(this.phase, Phase::Opening { .. } | Phase::Open { .. })
        {
            return Poll::Ready(Some(this.leave(delay, wishes.online)));
        }
        let update = match &mut this.phase {
            Phase::Idle if wishes.online => this.attempt(),
            Phase::Idle => this.failed(Error::Offline.into(), false),
            Phase::Opening { call, silence } => {
                match ready!(poll_opening(call, silence, wishes, this.options, cx)) {
                    Ok(stream) => this.opened(stream),
                    Err(status) => this.failed(status, wishes.online),
                }
            }
            Phase::Open { stream, silence, .. } => {
                match ready!(poll_open(stream, silence, wishes, this.options, cx)) {
                    Ok(message) => Update::Message(message),
                    Err(status) => this.failed(status, wishes.online),
                }
            }
            Phase::Waiting(wait) => match ready!(wait.poll(cx, wishes)) {
                Step::Attempt => this.attempt(),
                Step::Changed => {
                    let state = wait.state();
                    this.changed(state)
                }
            },
            Phase::Ended => return Poll::Ready(None),
        };
        Poll::Ready(Some(update))
    }
}

fn poll_opening<T>(
    call: &mut Opening<T>,
    silence: &mut Silence,
    wishes: Wishes,
    options: SubscriptionOptions,
    cx: &mut Context<'_>,
) -> Poll<Result<BoxStream<Result<T, Status>>, Status>> {
    probe(silence, wishes, options);
    if let Poll::Ready(opened) = call.as_mut().poll(cx) {
        return Poll::Ready(opened);
    }
    ready!(silence.poll(cx));
    Poll::Ready(Err(Status::unavailable("the server did not answer")))
}

fn poll_open<T>(
    stream: &mut BoxStream<Result<T, Status>>,
    silence: &mut Silence,
    wishes: Wishes,
    options: SubscriptionOptions,
    cx: &mut Context<'_>,
) -> Poll<Result<T, Status>> {
    probe(silence, wishes, options);
    Poll::Ready(match stream.as_mut().poll_next(cx) {
        Poll::Ready(Some(message)) => {
            silence.heard();
            message
        }
        Poll::Ready(None) => Err(Status::unavailable("the server ended the stream")),
        Poll::Pending => {
            ready!(silence.poll(cx));
            Err(Status::unavailable("nothing came from the server for too long"))
        }
    })
}

/// Without a network there is nothing to be heard, and nothing better to be had.
fn probe(silence: &mut Silence, wishes: Wishes, options: SubscriptionOptions) {
    if let Some(within) = wishes.probe {
        silence.probe(within);
    }
    if wishes.wake && wishes.online {
        silence.probe(options.probe_within);
    }
}

impl<T> fmt::Debug for Subscription<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("state", &self.states.current())
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
