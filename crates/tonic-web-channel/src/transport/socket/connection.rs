//! One HTTP/2 connection inside a WebSocket: its calls, its pings, its end.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, select};
use h2::client::SendRequest;
use h2::{Ping, PingPong};
use http::{Request, Response};
use tokio::sync::Notify;
use tonic::Status;
use tonic::body::Body;

use super::body::{SocketBody, Upload};
use super::web_socket::WebSocket;
use super::{Windows, spawn};
use crate::error::Error;
use crate::timer::{Sleep, sleep};
use crate::transport::http2;

/// Interval of the checks that a connection with open calls is alive.
const PING_INTERVAL: Duration = Duration::from_secs(20);

/// Time without a byte from the server after the start of a call, before the connection is pinged.
const QUIET: Duration = Duration::from_secs(5);

/// Time for the answer to a ping.
const PONG_TIMEOUT: Duration = Duration::from_secs(5);

/// Concurrent calls until the server's settings have come. HTTP/2 recommends that servers allow no fewer.
const INITIAL_MAX_STREAMS: usize = 100;

/// An open connection. Closed when it is dropped and its last call has ended.
pub(super) struct Connection {
    requests: SendRequest<Bytes>,
    shared: Arc<Shared>,
}

/// Facts that a connection's driver and its calls share.
pub(super) struct Shared {
    /// The reason of the end.
    end: OnceLock<String>,
    /// Whether a byte came since the flag was last cleared.
    heard: Arc<AtomicBool>,
    open_calls: AtomicUsize,
    call_started: Notify,
}

impl Connection {
    /// Starts HTTP/2 in a WebSocket to `url`, and drives it in a task.
    ///
    /// # Errors
    ///
    /// The reason why the WebSocket was not opened.
    pub(super) async fn open(url: &str, windows: Windows, max_headers: u32) -> Result<Self, String> {
        let heard = Arc::new(AtomicBool::new(false));
        let socket = WebSocket::connect(url, heard.clone()).await?;
        let (requests, connection) = h2::client::Builder::new()
            .enable_push(false)
            .initial_window_size(windows.stream)
            .initial_connection_window_size(windows.connection)
            // Bytes that nobody reads are bounded by the windows, however many frames they are in.
            .data_frame_budget(usize::MAX)
            .max_header_list_size(max_headers)
            .initial_max_send_streams(INITIAL_MAX_STREAMS)
            // A stream that was reset here is forgotten at once: remembering it asks the system's clock, which a browser
            // does not have. Frames that were still on the way count as errors then, so their number has no limit.
            .max_concurrent_reset_streams(0)
            .max_local_error_reset_streams(None)
            .handshake(socket)
            .await
            .map_err(|error| error.to_string())?;
        let shared = Arc::new(Shared {
            end: OnceLock::new(),
            heard,
            open_calls: AtomicUsize::new(0),
            call_started: Notify::new(),
        });
        spawn(drive(connection, Arc::clone(&shared)));
        Ok(Self { requests, shared })
    }

    pub(super) fn is_over(&self) -> bool {
        self.shared.end.get().is_some()
    }

    /// Waits until a call can be sent. Fails when the connection takes no more calls.
    pub(super) async fn ready(&self) -> Result<SendRequest<Bytes>, Status> {
        let mut requests = self.requests.clone();
        match poll_fn(|cx| requests.poll_ready(cx)).await {
            Ok(()) => Ok(requests),
            // Nothing of the call was sent.
            Err(error) => Err(Error::NotProcessed { reason: self.shared.reason(&error) }.into()),
        }
    }

    /// Sends a call; resolves when the head of its response has come.
    pub(super) async fn call(
        &self,
        mut requests: SendRequest<Bytes>,
        request: Request<Body>,
    ) -> Result<Response<Body>, Status> {
        let call = OpenCall::start(&self.shared);
        let (parts, body) = request.into_parts();
        let (response, stream) = requests
            .send_request(Request::from_parts(parts, ()), false)
            .map_err(|error| call.failed(&error))?;
        // While this is held, the connection cannot close by itself.
        drop(requests);
        let upload = Upload::start(body, stream);
        match response.await {
            Ok(response) => Ok(response.map(|body| Body::new(SocketBody::new(body, upload, call)))),
            Err(error) => Err(upload.failure().unwrap_or_else(|| call.failed(&error))),
        }
    }
}

impl Shared {
    /// The reason of the connection's end as far as it is known, else the text of `error`.
    fn reason(&self, error: &h2::Error) -> String {
        self.end.get().cloned().unwrap_or_else(|| error.to_string())
    }
}

/// A call that is open.
pub(super) struct OpenCall(Arc<Shared>);

impl OpenCall {
    fn start(shared: &Arc<Shared>) -> Self {
        shared.open_calls.fetch_add(1, Ordering::Relaxed);
        shared.call_started.notify_one();
        Self(Arc::clone(shared))
    }

    /// The status for an error of this call.
    pub(super) fn failed(&self, error: &h2::Error) -> Status {
        http2::status_of(error)
            .unwrap_or_else(|| Error::ConnectionLost { reason: self.0.reason(error) }.into())
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        self.0.open_calls.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Drives a connection to its end.
async fn drive(mut connection: h2::client::Connection<WebSocket, Bytes>, shared: Arc<Shared>) {
    let pings = connection.ping_pong();
    let keep_alive = pin!(async {
        match pings {
            Some(pings) => keep_alive(pings, &shared).await,
            None => std::future::pending().await,
        }
    });
    let reason = match select(&mut connection, keep_alive).await {
        Either::Left((Ok(()), _)) => "the server closed the connection".to_owned(),
        Either::Left((Err(error), _)) => error.to_string(),
        Either::Right((reason, _)) => reason,
    };
    // Before the calls learn of the end.
    shared.end.set(reason).ok();
    drop(connection);
}

/// Pings a connection that is silent while a call is open. Resolves with a reason when no answer comes.
async fn keep_alive(mut pings: PingPong, shared: &Shared) -> String {
    loop {
        let has_started = matches!(
            select(pin!(shared.call_started.notified()), Sleep::new(PING_INTERVAL)).await,
            Either::Left(_)
        );
        if shared.open_calls.load(Ordering::Relaxed) == 0 {
            continue;
        }
        if has_started {
            shared.heard.store(false, Ordering::Relaxed);
            sleep(QUIET).await;
            if shared.heard.load(Ordering::Relaxed) {
                continue;
            }
        }
        if !within(PONG_TIMEOUT, pings.ping(Ping::opaque())).await {
            return format!("the server did not answer a ping in {} s", PONG_TIMEOUT.as_secs());
        }
    }
}

/// Whether `future` ends in time.
async fn within(timeout: Duration, future: impl Future) -> bool {
    matches!(select(pin!(future), Sleep::new(timeout)).await, Either::Left(_))
}
