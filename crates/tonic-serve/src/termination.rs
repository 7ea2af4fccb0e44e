//! The termination of a call from outside: at its deadline, or at shutdown.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::when_woken::WhenWoken;

/// The termination of a call. The response has it in its extensions, for bodies that pause the response: after the termination
/// they must poll the rest of it, whatever they wait for.
#[derive(Clone)]
pub(crate) struct Termination(Arc<Causes>);

struct Causes {
    deadline: Option<Instant>,
    shutdown: CancellationToken,
    /// A waiter has seen one of them.
    has_come: AtomicBool,
}

impl Termination {
    /// A timeout beyond the end of the clock is none.
    pub(crate) fn new(timeout: Option<Duration>, shutdown: CancellationToken) -> Self {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        Self(Arc::new(Causes { deadline, shutdown, has_come: AtomicBool::new(false) }))
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.0.deadline
    }
}

/// Waits for the termination of a call.
pub(crate) struct TerminationWait {
    termination: Termination,
    /// Made when the call first has to wait.
    wait: Option<WhenWoken<BoxFuture<'static, Status>>>,
}

impl TerminationWait {
    pub(crate) fn termination(&self) -> &Termination {
        &self.termination
    }

    /// The status of a call that was terminated already, for calls that never wait.
    pub(crate) fn status(&self) -> Option<Status> {
        let Causes { deadline, has_come, .. } = &*self.termination.0;
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Some(deadline_exceeded());
        }
        has_come.load(Ordering::Relaxed).then(shutting_down)
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Status> {
        let causes = &self.termination.0;
        let wait = self.wait.get_or_insert_with(|| {
            let (deadline, shutdown) = (causes.deadline, causes.shutdown.clone());
            WhenWoken::new(Box::pin(async move {
                match deadline {
                    None => shutdown.cancelled_owned().await,
                    Some(deadline) => tokio::select! {
                        () = shutdown.cancelled_owned() => {}
                        () = sleep_until(deadline) => return deadline_exceeded(),
                    },
                }
                shutting_down()
            }))
        });
        let status = ready!(Pin::new(wait).poll(cx));
        causes.has_come.store(true, Ordering::Relaxed);
        Poll::Ready(status)
    }
}

impl From<Termination> for TerminationWait {
    fn from(termination: Termination) -> Self {
        Self { termination, wait: None }
    }
}

fn shutting_down() -> Status {
    Status::unavailable("the server is shutting down")
}

pub(crate) fn deadline_exceeded() -> Status {
    Status::deadline_exceeded("the deadline passed before the call ended")
}
