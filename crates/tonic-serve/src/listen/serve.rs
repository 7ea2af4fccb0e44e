//! Accepts connections until shutdown, then drains them in bounded time.
//!
//! Owns the listener. The number of connections is limited by `budget`, a single one is served by `connection`.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::connection::{ConnectionContext, OpenConnections};
use super::refusals::Refusals;
use super::request_body::BodyDrain;
use super::socket::{configure, set_backlog};
use crate::app::App;
use crate::budget::Budget;
use crate::options::ServeOptions;
use crate::readiness::Readiness;

/// Pause after the system refused a connection for want of a resource (file descriptors, memory). Without it, accepting would
/// be retried in a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Shortest interval between two warnings about that.
const ACCEPT_WARNING_INTERVAL: Duration = Duration::from_secs(10);

/// Time for the tasks of connections to end after they were aborted.
const ABORT_GRACE: Duration = Duration::from_millis(200);

/// Serves `app` on `listener` until `shutdown` resolves, then shuts down gracefully.
///
/// A shutdown closes the listener and asks every connection to finish. It ends the open calls with UNAVAILABLE after
/// [`ServeOptions::call_grace`], and closes the remaining connections after [`ServeOptions::drain_timeout`].
///
/// Errors of single connections are logged, and accepting goes on after errors of the listener; currently nothing fails.
///
/// [`ServeOptions::call_grace`]: field@ServeOptions::call_grace
/// [`ServeOptions::drain_timeout`]: field@ServeOptions::drain_timeout
pub async fn serve(
    listener: TcpListener,
    app: App,
    options: ServeOptions,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    set_backlog(&listener);
    let tasks = TaskTracker::new();
    let stop_calls = CancellationToken::new();
    let readiness = app.readiness().cloned();
    let context = Arc::new(ConnectionContext {
        tasks: tasks.clone(),
        service: Arc::new(app.into_service(stop_calls.clone(), &options)),
        drain: BodyDrain::new(tasks.clone(), &options),
        options: Arc::new(options.clone()),
        open: Arc::new(OpenConnections::default()),
        draining: CancellationToken::new(),
        abort: CancellationToken::new(),
    });
    let proxies = options.trusted_proxies.clone();
    let budget = Budget::new(&options, Box::new(move |address| proxies.contains(address)));
    readiness.iter().for_each(|readiness| readiness.watch_budget(&budget.0));
    let watch = AbortOnDropHandle::new(tokio::spawn(budget.clone().watch()));
    let refusals = Refusals::new(tasks.clone(), context.draining.clone(), &options);
    let mut acceptor = Acceptor { listener: &listener, last_warning: None };
    let mut shutdown = pin!(shutdown);

    loop {
        let (stream, peer) = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = acceptor.accept() => accepted,
        };
        match budget.admit(peer) {
            Some(permit) => {
                configure(&stream, &options);
                tasks.spawn(Arc::clone(&context).run(stream, permit));
            }
            None => refusals.refuse(stream),
        }
    }

    readiness.iter().for_each(Readiness::begin_drain);
    drop(listener);
    tasks.close();
    context.draining.cancel();
    drain(&context, &stop_calls).await;
    drop(watch);
    Ok(())
}

/// Accepts connections. Never fails: errors are logged, and accepting goes on.
struct Acceptor<'a> {
    listener: &'a TcpListener,
    last_warning: Option<Instant>,
}

impl Acceptor<'_> {
    async fn accept(&mut self) -> (TcpStream, IpAddr) {
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => return (stream, peer.ip()),
                Err(error) if is_caused_by_peer(&error) => {}
                Err(error) => {
                    self.warn(&error);
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn warn(&mut self, error: &io::Error) {
        if self.last_warning.is_none_or(|warning| warning.elapsed() > ACCEPT_WARNING_INTERVAL) {
            self.last_warning = Some(Instant::now());
            tracing::warn!(%error, "cannot accept a connection");
        }
    }
}

fn is_caused_by_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}

async fn drain(context: &ConnectionContext, stop_calls: &CancellationToken) {
    let ConnectionContext { tasks, options, open, abort, .. } = context;
    let log = |message: &str| {
        let counts = open.count();
        tracing::info!(
            connections.open = counts.connections,
            connections.idle = counts.idle,
            calls.open = counts.calls,
            calls.unsent = counts.unsent,
            "{message}"
        );
    };
    let call_grace = options.call_grace.min(options.drain_timeout);
    if open.count().connections > 0 {
        log("waiting for calls to end and connections to close");
    }
    if timeout(call_grace, tasks.wait()).await.is_ok() {
        return;
    }
    log("ending the open calls");
    stop_calls.cancel();
    if timeout(options.drain_timeout - call_grace, tasks.wait()).await.is_ok() {
        return;
    }
    log("closing the connections that did not close in time");
    abort.cancel();
    if timeout(ABORT_GRACE, tasks.wait()).await.is_err() {
        tracing::warn!(tasks = tasks.len(), "leaving tasks that did not end");
    }
}
