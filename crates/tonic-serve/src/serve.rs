//! Accepting connections until told to stop, then draining them in bounded time.
//!
//! Owns the listener; how many connections there may be is `budget`'s, what happens on one `connection`'s.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::app::App;
use crate::budget::{Budget, Refusals};
use crate::connection::{Census, Connections, Tally};
use crate::listen::BACKLOG;
use crate::options::ServeOptions;
use crate::unread::Drain;

/// How long accepting pauses when the system refuses a connection for want of something (file
/// descriptors, memory): trying again at once would only burn the processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How often that is said at most.
const ACCEPT_WARNING_INTERVAL: Duration = Duration::from_secs(10);

/// After the connections were cut: how long their tasks may take to notice.
const CUT_GRACE: Duration = Duration::from_millis(200);

/// Serves `app` on `listener` until `shutdown` resolves, then drains.
///
/// Draining closes the listener first, asks every connection to finish, ends the calls that still run
/// after [`ServeOptions::call_grace`] with UNAVAILABLE, and cuts what is left after
/// [`ServeOptions::drain_timeout`].
pub async fn serve(
    listener: TcpListener,
    app: App,
    options: ServeOptions,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    // It may have been opened by somebody else, with a backlog of the usual length.
    if let Err(error) = SockRef::from(&listener).listen(BACKLOG) {
        tracing::debug!(%error, "cannot set the backlog of the listener");
    }
    let tasks = TaskTracker::new();
    let stop_calls = CancellationToken::new();
    let connections = Connections {
        tasks: tasks.clone(),
        service: app.into_service(stop_calls.clone(), &options),
        unread: Drain::new(tasks.clone(), &options),
        options: Arc::new(options.clone()),
        census: Arc::new(Census::default()),
        draining: CancellationToken::new(),
        cut: CancellationToken::new(),
    };
    let proxies = options.trusted_proxies.clone();
    let budget = Budget::new(&options, Box::new(move |address| proxies.contains(address)));
    let watch = AbortOnDropHandle::new(tokio::spawn(budget.clone().watch()));
    let refusals = Refusals::new(tasks.clone(), connections.draining.clone(), &options);
    let mut door = Door { listener: &listener, warned: None };
    let mut shutdown = pin!(shutdown);

    loop {
        let (stream, peer) = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = door.accept() => accepted,
        };
        match budget.admit(peer) {
            Ok(place) => {
                tune(&stream, &options);
                tasks.spawn(connections.clone().run(stream, place));
            }
            Err(_limit) => refusals.refuse(stream),
        }
    }

    drop(listener);
    tasks.close();
    connections.draining.cancel();
    drain(&tasks, &stop_calls, &connections, &options).await;
    drop(watch);
    Ok(())
}

/// Accepts connections. Never fails: what the system refuses is logged, and accepting goes on.
struct Door<'a> {
    listener: &'a TcpListener,
    warned: Option<Instant>,
}

impl Door<'_> {
    async fn accept(&mut self) -> (TcpStream, IpAddr) {
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => return (stream, peer.ip()),
                Err(error) if is_the_peers_fault(&error) => {}
                Err(error) => {
                    self.warn(&error);
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn warn(&mut self, error: &io::Error) {
        if self.warned.is_none_or(|warned| warned.elapsed() > ACCEPT_WARNING_INTERVAL) {
            self.warned = Some(Instant::now());
            tracing::warn!(%error, "cannot accept a connection");
        }
    }
}

fn is_the_peers_fault(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}

/// Small frames leave at once, a peer that vanished is noticed by the kernel too, and what a peer does not
/// read is not piled up there. A socket that refuses an option still works.
fn tune(stream: &TcpStream, options: &ServeOptions) {
    let keepalive =
        TcpKeepalive::new().with_time(options.keep_alive_interval).with_interval(options.keep_alive_interval);
    let socket = SockRef::from(stream);
    let tuned = stream.set_nodelay(true).and_then(|()| socket.set_tcp_keepalive(&keepalive));
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let tuned = tuned
        .and_then(|()| socket.set_tcp_user_timeout(Some(options.unacknowledged_timeout)))
        .and_then(|()| socket.set_tcp_notsent_lowat(options.max_unsent));
    if let Err(error) = tuned {
        tracing::debug!(%error, "cannot set an option of a socket");
    }
}

async fn drain(
    tasks: &TaskTracker,
    stop_calls: &CancellationToken,
    connections: &Connections,
    options: &ServeOptions,
) {
    let call_grace = options.call_grace.min(options.drain_timeout);
    let say = |tally: Tally, what: &str| {
        tracing::info!(
            connections.open = tally.connections,
            connections.idle = tally.idle,
            calls.open = tally.calls,
            calls.untaken = tally.untaken,
            "{what}"
        );
    };
    let tally = connections.census.tally();
    if tally.connections > 0 {
        say(tally, "waiting for calls to end and connections to close");
    }
    if tokio::time::timeout(call_grace, tasks.wait()).await.is_ok() {
        return;
    }
    say(connections.census.tally(), "ending the calls that still run");
    stop_calls.cancel();
    if tokio::time::timeout(options.drain_timeout - call_grace, tasks.wait()).await.is_ok() {
        return;
    }
    say(connections.census.tally(), "cutting the connections that did not close in time");
    connections.cut.cancel();
    if tokio::time::timeout(CUT_GRACE, tasks.wait()).await.is_err() {
        tracing::warn!(tasks = tasks.len(), "leaving tasks that did not end");
    }
}
