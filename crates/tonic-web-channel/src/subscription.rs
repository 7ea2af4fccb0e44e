//! A server stream that reconnects and resumes.

mod handle;
pub(crate) mod opening;
mod options;
#[cfg(target_arch = "wasm32")]
mod page;
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
pub use self::options::SubscriptionOptions;
pub use self::state::{NextAttempt, State};

use self::handle::{Commands, Shared};
use self::opening::while_opening;
use self::state::Publisher;
use self::wait::{Step, Wait};
use crate::backoff::Delays;
use crate::error::Error;
use crate::idle_timer::IdleTimer;
use crate::maybe_send::{BoxFactory, BoxFuture, BoxStream, MaybeSend};
use crate::retry::{self, Failure};
use crate::status::is_transient;
use crate::timer::Instant;

/// An item of a [`Subscription`].
#[derive(Debug)]
pub enum Update<T> {
    /// The state of the connection changed.
    State(State),
    /// The server sent a message.
    Message(T),
}

/// A server stream that reconnects by itself.
///
/// It is a [`Stream`] of [`Update`]s that ends only after [`State::Shutdown`]. Dropping it cancels the call.
///
/// # Resume
///
/// Every attempt gets a fresh clone of the context: a generated client, or a tuple of the client and the application's position
/// in the stream. Build each request from that position, and the server can resume where the last connection ended.
///
/// # Attempts
///
/// A connection counts as lost when the stream ends or fails, and when no message came within the
/// [idle timeout](SubscriptionOptions::idle_timeout). The next attempt follows after a delay of the
/// [backoff](SubscriptionOptions::backoff), or after the delay that the server asked for: by `grpc-retry-pushback-ms` in
/// its trailers (a negative number ends the subscription), by `google.rpc.RetryInfo` in the status' details, or in a
/// message of the application ([`SubscriptionHandle::reconnect_after`]).
///
/// These end the subscription:
/// - a status of the server that another attempt would not change, such as `PERMISSION_DENIED`. An open stream that
///   ends with `UNAUTHENTICATED` gets one more attempt, because its [`credentials`](crate::Builder::credentials) may
///   only have expired, and the next such attempt only after a [healthy](SubscriptionOptions::healthy_after) connection;
/// - cancellation by the caller's token ([`cancel_with`](crate::RequestExt::cancel_with));
/// - OK, if [`finish_on_ok`](SubscriptionOptions::finish_on_ok) says so.
///
/// The channel's [`deadline`](crate::Builder::deadline) is not for its streams; a timeout of the request itself is. A service between
/// client and channel that calls from a task of its own, as `tower::buffer` does, needs
/// [`no_deadline`](crate::RequestExt::no_deadline).
///
/// An answer that did not come from a gRPC server ([`Error::is_not_grpc`](crate::Error::is_not_grpc)), such as a load
/// balancer's 404, says nothing about the call: the subscription tries again, for as long as
/// [`non_grpc_timeout`](SubscriptionOptions::non_grpc_timeout) allows.
///
/// # Network
///
/// In the browser the subscription makes no attempt while there is no network, unless
/// [`try_offline`](SubscriptionOptions::try_offline) asks for it. When the network comes back or the page
/// becomes visible, a delay of the backoff ends; an open connection is probed when the network was gone or the page
/// hidden for long ([`SubscriptionHandle::wake`]). Native programs report such events by the handle.
///
/// ```
/// # use std::sync::Arc;
/// # use std::sync::atomic::{AtomicU64, Ordering};
/// # use futures_util::{StreamExt as _, stream};
/// # use tonic_web_channel::{State, Subscription, SubscriptionOptions, Update};
/// # #[derive(Clone)]
/// # struct Client;
/// # impl Client {
/// #     async fn subscribe(&mut self, _after: u64) -> Result<tonic::Response<stream::Iter<std::vec::IntoIter<Result<u64, tonic::Status>>>>, tonic::Status> {
/// #         Ok(tonic::Response::new(stream::iter(vec![Ok(1), Ok(2)])))
/// #     }
/// # }
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// # let client = Client;
/// let last = Arc::new(AtomicU64::new(0));
/// let context = (client, last.clone());
/// let (mut updates, handle) =
///     Subscription::new(SubscriptionOptions::new(), context, |(mut client, last)| async move {
///         client.subscribe(last.load(Ordering::Relaxed)).await
///     });
/// while let Some(update) = updates.next().await {
///     match update {
///         Update::Message(number) => last.store(number, Ordering::Relaxed),
///         Update::State(State::TransientFailure { .. }) => break,
///         Update::State(_) => {}
///     }
/// }
/// # assert_eq!(last.load(Ordering::Relaxed), 2);
/// // Every holder of the handle sees the state, now and as it changes.
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
    /// Failed attempts in a row.
    failures: u32,
    /// Attempts in a row that ended without a message in time.
    silent: u32,
    /// Whether an open stream ended with UNAUTHENTICATED since the last healthy connection.
    renewed: bool,
    /// The first of the answers without gRPC since the last answer of a gRPC server.
    non_grpc_since: Option<Instant>,
    phase: Phase<T>,
    shared: Arc<Shared>,
    states: Publisher,
    #[cfg(target_arch = "wasm32")]
    _page: page::PageEvents,
}

type Opening<T> = BoxFuture<Result<BoxStream<Result<T, Status>>, Status>>;

enum Phase<T> {
    Idle,
    Opening { call: Opening<T>, idle: IdleTimer },
    Open { stream: BoxStream<Result<T, Status>>, idle: IdleTimer, since: Instant },
    Waiting(Wait),
    Ended,
}

impl<T: 'static> Subscription<T> {
    /// A subscription that calls `open` with a clone of `context` for every attempt, from the first poll on, and its handle.
    /// `context` is usually a generated client, alone or in a tuple with the parts of the request:
    ///
    /// ```
    /// # use tonic_web_channel::{Subscription, SubscriptionOptions};
    /// # use futures_util::stream;
    /// # #[derive(Clone)]
    /// # struct Client;
    /// # impl Client {
    /// #     async fn watch(&mut self, _name: String) -> Result<tonic::Response<stream::Pending<Result<u64, tonic::Status>>>, tonic::Status> {
    /// #         Ok(tonic::Response::new(stream::pending()))
    /// #     }
    /// # }
    /// # let (client, request) = (Client, String::new());
    /// let (updates, handle) =
    ///     Subscription::new(SubscriptionOptions::new(), (client, request), |(mut client, request)| async move {
    ///         client.watch(request).await
    ///     });
    /// ```
    pub fn new<C, Open, Call, S>(
        options: SubscriptionOptions,
        context: C,
        mut open: Open,
    ) -> (Self, SubscriptionHandle)
    where
        C: Clone + MaybeSend + 'static,
        Open: FnMut(C) -> Call + MaybeSend + 'static,
        Call: Future<Output = Result<tonic::Response<S>, Status>> + MaybeSend + 'static,
        S: Stream<Item = Result<T, Status>> + MaybeSend + 'static,
    {
        let shared = Arc::new(Shared::new());
        let (states, watched) = Publisher::new();
        let subscription = Self {
            open: Box::new(move || {
                let call = open(context.clone());
                Box::pin(async move {
                    let stream: BoxStream<_> = Box::pin(call.await?.into_inner());
                    Ok(stream)
                })
            }),
            options,
            delays: options.backoff.delays(),
            failures: 0,
            silent: 0,
            renewed: false,
            non_grpc_since: None,
            phase: Phase::Idle,
            shared: shared.clone(),
            states,
            #[cfg(target_arch = "wasm32")]
            _page: page::PageEvents::new(shared.clone()),
        };
        (subscription, SubscriptionHandle::new(shared, watched))
    }
}

impl<T: 'static> Stream for Subscription<T> {
    type Item = Update<T>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Update<T>>> {
        let this = &mut *self;
        this.shared.register(cx.waker());
        let mut commands = this.shared.take();
        commands.online |= this.options.try_offline;
        if let Some(delay) = commands.reconnect_after
            && matches!(this.phase, Phase::Opening { .. } | Phase::Open { .. })
        {
            return Poll::Ready(Some(this.disconnect(delay, commands.online)));
        }
        let update = match &mut this.phase {
            Phase::Idle if commands.online => this.attempt(),
            Phase::Idle => this.failed(Error::Offline.into(), false),
            Phase::Opening { call, idle } => {
                match ready!(poll_opening(call, idle, commands, this.options, cx)) {
                    Ok(stream) => this.opened(stream),
                    Err(status) => this.failed(status, commands.online),
                }
            }
            Phase::Open { stream, idle, .. } => {
                match ready!(poll_open(stream, idle, commands, this.options, cx)) {
                    Some(Ok(message)) => this.received(message),
                    Some(Err(status)) => this.failed(status, commands.online),
                    None => this.completed(commands.online),
                }
            }
            Phase::Waiting(wait) => match ready!(wait.poll(cx, commands)) {
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

impl<T: 'static> Subscription<T> {
    fn attempt(&mut self) -> Update<T> {
        let mut idle = IdleTimer::new(self.options.idle_timeout);
        if let Some(timeout) = self.options.first_message_timeout {
            idle.shorten(timeout.saturating_mul(1_u32.checked_shl(self.silent).unwrap_or(u32::MAX)));
        }
        self.phase = Phase::Opening { call: while_opening(|| (self.open)()), idle };
        self.changed(State::Connecting)
    }

    fn opened(&mut self, stream: BoxStream<Result<T, Status>>) -> Update<T> {
        self.non_grpc_since = None;
        let idle = match std::mem::replace(&mut self.phase, Phase::Idle) {
            // The first message is still due.
            Phase::Opening { idle, .. } if self.options.first_message_timeout.is_some() => idle,
            _ => IdleTimer::new(self.options.idle_timeout),
        };
        self.phase = Phase::Open { stream, idle, since: Instant::now() };
        self.changed(State::Ready)
    }

    fn received(&mut self, message: T) -> Update<T> {
        self.silent = 0;
        Update::Message(message)
    }

    /// Closes the connection because the server asked for it, which is no failure.
    fn disconnect(&mut self, delay: Duration, online: bool) -> Update<T> {
        self.delays.reset();
        self.failures = 0;
        let status = Status::unavailable("the server asked to come back later");
        self.wait(Wait::new(delay, true, 0, status, online))
    }

    /// The server ended the stream with OK.
    fn completed(&mut self, online: bool) -> Update<T> {
        if self.options.finish_on_ok {
            return self.shut_down(Status::ok("the server completed the stream"));
        }
        self.failed(Status::unavailable("the server ended the stream"), online)
    }

    fn failed(&mut self, status: Status, online: bool) -> Update<T> {
        if let Phase::Open { since, .. } = &self.phase
            && since.elapsed() >= self.options.healthy_after
        {
            self.delays.reset();
            self.failures = 0;
            self.renewed = false;
        }
        let is_silent = matches!(Error::from_status(&status), Some(Error::Idle { .. }));
        let failure = Failure::of_status(&status, Some(retry::advice));
        let by_server = failure.server_decides();
        let delay = if self.is_final(&status) { None } else { failure.wait(|| self.backoff_delay(online)) };
        let Some(mut delay) = delay else { return self.shut_down(status) };
        if is_silent {
            if self.silent == 0 {
                // The timeout was a delay, too.
                delay = Duration::ZERO;
            }
            self.silent = self.silent.saturating_add(1);
        }
        if online {
            self.failures = self.failures.saturating_add(1);
        }
        self.wait(Wait::new(delay, by_server, self.failures, status, online))
    }

    /// Whether another attempt would not change the outcome.
    fn is_final(&mut self, status: &Status) -> bool {
        let error = Error::from_status(status);
        if error == Some(&Error::Cancelled) {
            return true;
        }
        if error.is_some_and(Error::is_not_grpc) {
            let since = *self.non_grpc_since.get_or_insert_with(Instant::now);
            return since.elapsed() >= self.options.non_grpc_timeout;
        }
        if error.is_none() {
            self.non_grpc_since = None;
        }
        !is_transient(status.code()) && !self.may_renew(status.code())
    }

    /// Whether the next attempt may bring valid credentials, because an open stream's credentials have expired.
    fn may_renew(&mut self, code: Code) -> bool {
        let expired = code == Code::Unauthenticated && matches!(self.phase, Phase::Open { .. });
        expired && !std::mem::replace(&mut self.renewed, true)
    }

    /// The next delay of the backoff. Zero without a network: a failure then says nothing about the server, and the
    /// next attempt is due when the network is back.
    fn backoff_delay(&mut self, online: bool) -> Duration {
        if online { self.delays.next().unwrap_or(self.options.backoff.max) } else { Duration::ZERO }
    }

    fn wait(&mut self, wait: Wait) -> Update<T> {
        let state = wait.state();
        self.phase = Phase::Waiting(wait);
        self.changed(state)
    }

    fn shut_down(&mut self, status: Status) -> Update<T> {
        self.phase = Phase::Ended;
        self.changed(State::Shutdown { status })
    }

    fn changed(&mut self, state: State) -> Update<T> {
        self.states.publish(&state);
        Update::State(state)
    }
}

fn poll_opening<T>(
    call: &mut Opening<T>,
    idle: &mut IdleTimer,
    commands: Commands,
    options: SubscriptionOptions,
    cx: &mut Context<'_>,
) -> Poll<Result<BoxStream<Result<T, Status>>, Status>> {
    commands.probe(idle, options.probe_timeout);
    if let Poll::Ready(opened) = while_opening(|| call.as_mut().poll(cx)) {
        return Poll::Ready(opened);
    }
    ready!(idle.poll(cx));
    Poll::Ready(Err(Error::Idle { timeout: idle.running_timeout() }.into()))
}

/// The next message. None when the server ended the stream with OK.
fn poll_open<T>(
    stream: &mut BoxStream<Result<T, Status>>,
    idle: &mut IdleTimer,
    commands: Commands,
    options: SubscriptionOptions,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<T, Status>>> {
    commands.probe(idle, options.probe_timeout);
    if let Poll::Ready(message) = stream.as_mut().poll_next(cx) {
        idle.reset();
        return Poll::Ready(message);
    }
    ready!(idle.poll(cx));
    Poll::Ready(Some(Err(Error::Idle { timeout: idle.running_timeout() }.into())))
}

impl<T> fmt::Debug for Subscription<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("state", &self.states.current())
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
