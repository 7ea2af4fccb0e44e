//! One HTTP/2 connection inside a WebSocket: the task that drives it, its calls, its pings, its end.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::future::{Either, select};
use http::{Request, Response};
use tokio::sync::Notify;
use tonic::Status;
use tonic::body::Body;

use super::body::{SocketBody, Upload};
use super::engine::{Engine, Failure, Limits, Refusal};
use super::web_socket::WebSocket;
use super::{Windows, spawn};
use crate::error::Error;
use crate::timer::{Sleep, sleep};
use crate::transport::http2::{ErrorCode, status_of_reset};

/// Interval of the checks that a connection with open calls is alive.
const PING_INTERVAL: Duration = Duration::from_secs(20);

/// Time without a byte from the server after the start of a call, before the connection is pinged.
const QUIET: Duration = Duration::from_secs(5);

/// Time for the answer to a ping.
const PONG_TIMEOUT: Duration = Duration::from_secs(5);

/// Time for the last bytes to leave when a connection ends.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// An open connection. Closed when it is dropped and its last call has ended.
pub(super) struct Connection(Arc<Shared>);

/// The parts of a connection that its driver and its calls share.
pub(super) struct Shared {
    engine: Mutex<Engine>,
    /// Whether a byte came since the flag was last cleared.
    heard: AtomicBool,
    call_started: Notify,
}

impl Connection {
    /// Starts HTTP/2 in a WebSocket to `url`, and drives it in a task.
    ///
    /// # Errors
    ///
    /// The reason why the WebSocket was not opened.
    pub(super) async fn open(url: &str, windows: Windows, max_headers: u32) -> Result<Self, String> {
        let socket = WebSocket::connect(url).await?;
        let engine = Engine::new(Limits {
            stream_window: windows.stream,
            connection_window: windows.connection,
            max_headers,
        });
        let shared = Arc::new(Shared {
            engine: Mutex::new(engine),
            heard: AtomicBool::new(false),
            call_started: Notify::new(),
        });
        spawn(drive(socket, Arc::clone(&shared)));
        Ok(Self(shared))
    }

    /// Whether no more calls can be made.
    pub(super) fn is_over(&self) -> bool {
        !self.0.engine().takes_calls()
    }

    /// Waits until a call can be sent. Fails when the connection takes no more calls.
    pub(super) async fn ready(&self) -> Result<Turn, Status> {
        let mut turn = Turn { shared: Arc::clone(&self.0), ticket: None, is_ours: false };
        if poll_fn(|cx| turn.poll(cx)).await {
            return Ok(turn);
        }
        // Nothing of the call was sent.
        Err(self.0.status(Failure::NotProcessed))
    }

    /// Sends a call; resolves when the head of its response has come.
    pub(super) async fn call(&self, turn: Turn, request: Request<Body>) -> Result<Response<Body>, Status> {
        let (head, body) = request.into_parts();
        let id = self.0.engine().open(&head);
        let id = id.map_err(|refusal| match refusal {
            Refusal::Closed => self.0.status(Failure::NotProcessed),
            Refusal::Header(name) => Status::internal(format!("HTTP/2 forbids the header `{name}`")),
        })?;
        turn.used();
        let call = OpenCall { shared: Arc::clone(&self.0), id };
        self.0.call_started.notify_one();
        let upload = Upload::start(body, Arc::clone(&self.0), id);
        match poll_fn(|cx| self.0.engine().poll_head(id, cx)).await {
            Ok(response) => Ok(response.map(|()| Body::new(SocketBody::new(upload, call)))),
            Err(failure) => Err(upload.failure().unwrap_or_else(|| call.failed(failure))),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.engine().close();
    }
}

impl Shared {
    pub(super) fn engine(&self) -> MutexGuard<'_, Engine> {
        self.engine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn status(&self, failure: Failure) -> Status {
        match failure {
            Failure::Reset(code) => status_of_reset(code, &code.to_string()),
            Failure::Broken(reason) => Error::Protocol { reason: reason.to_owned() }.into(),
            Failure::NotProcessed => Error::NotProcessed { reason: self.engine().reason() }.into(),
            Failure::Lost => Error::ConnectionLost { reason: self.engine().reason() }.into(),
        }
    }

    /// Passes on what has come and what is to be sent. Resolves with the reason of the end.
    fn poll(&self, socket: &mut WebSocket, cx: &mut Context<'_>) -> Poll<String> {
        // It is running.
        self.engine().set_driver(None);
        while let Poll::Ready(received) = socket.poll_receive(cx) {
            match received {
                Ok(bytes) => {
                    self.heard.store(true, Ordering::Relaxed);
                    self.engine().receive(bytes);
                }
                Err(reason) => return Poll::Ready(reason),
            }
        }
        loop {
            // Asked in this order, a call that adds something from now on wakes this task.
            self.engine().set_driver(Some(cx.waker().clone()));
            if let Err(reason) = ready!(socket.poll_ready(cx)) {
                return Poll::Ready(reason);
            }
            let mut engine = self.engine();
            engine.write(socket.unsent());
            let done = engine.done();
            drop(engine);
            let is_written = socket.unsent().is_empty();
            if let Err(reason) = socket.send() {
                return Poll::Ready(reason);
            }
            if is_written {
                return done.map_or(Poll::Pending, Poll::Ready);
            }
        }
    }
}

/// The right to make one call. Given back when it is dropped.
pub(super) struct Turn {
    shared: Arc<Shared>,
    /// The place among the calls that wait.
    ticket: Option<u64>,
    is_ours: bool,
}

impl Turn {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let turn = self.shared.engine().poll_turn(&mut self.ticket, cx.waker());
        self.is_ours = turn == Poll::Ready(true);
        turn
    }

    /// The call has begun, and gives the turn back at its end.
    fn used(mut self) {
        self.is_ours = false;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.shared.engine().cancel_turn(ticket);
        }
        if self.is_ours {
            self.shared.engine().release_turn();
        }
    }
}

/// A call that is open. Dropped before its end, it is cancelled.
pub(super) struct OpenCall {
    shared: Arc<Shared>,
    id: u32,
}

impl OpenCall {
    pub(super) fn poll_part(&self, cx: &mut Context<'_>) -> Poll<super::engine::Part> {
        self.shared.engine().poll_part(self.id, cx)
    }

    /// The status for the failure of this call.
    pub(super) fn failed(&self, failure: Failure) -> Status {
        self.shared.status(failure)
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        self.shared.engine().release(self.id);
    }
}

/// Drives a connection to its end.
async fn drive(mut socket: WebSocket, shared: Arc<Shared>) {
    let passing = poll_fn(|cx| shared.poll(&mut socket, cx));
    let reason = match select(passing, pin!(keep_alive(&shared))).await {
        Either::Left((reason, _)) | Either::Right((reason, _)) => reason,
    };
    shared.engine().end(ErrorCode::NO_ERROR, reason);
    within(CLOSE_TIMEOUT, poll_fn(|cx| socket.poll_close(cx, |out| shared.engine().write(out)))).await;
}

/// Pings a connection that is silent while a call is open. Resolves with a reason when no answer comes.
async fn keep_alive(shared: &Shared) -> String {
    loop {
        let has_started = matches!(
            select(pin!(shared.call_started.notified()), Sleep::new(PING_INTERVAL)).await,
            Either::Left(_)
        );
        shared.engine().tick();
        if !shared.engine().has_calls() {
            continue;
        }
        if has_started {
            shared.heard.store(false, Ordering::Relaxed);
            sleep(QUIET).await;
            if shared.heard.load(Ordering::Relaxed) {
                continue;
            }
        }
        shared.engine().ping();
        if !within(PONG_TIMEOUT, poll_fn(|cx| shared.engine().poll_pong(cx))).await {
            return format!("the server did not answer a ping in {} s", PONG_TIMEOUT.as_secs());
        }
    }
}

/// Whether `future` ends in time.
async fn within(timeout: Duration, future: impl Future) -> bool {
    matches!(select(pin!(future), Sleep::new(timeout)).await, Either::Left(_))
}
