//! A call that a person makes, while it runs and afterwards: it can be cancelled, and ends with the place that shows it.

mod cancel_button;
mod facts;
mod failure_view;

use std::time::Duration;

use futures_util::future::{AbortHandle, abortable};
use leptos::{prelude::*, task::spawn_local};
use tonic::{Response, Status};
use tonic_web_channel::Route;
use web_time::Instant;

pub(crate) use self::{cancel_button::CancelButton, facts::Facts, failure_view::FailureView};
use crate::status::{Failure, field_violations};

/// Interval at which the duration of a running call is drawn.
const TICK: Duration = Duration::from_millis(100);

/// The end of a call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) failure: Failure,
    /// The status message, or the reason for the field that was refused.
    pub(crate) message: String,
    pub(crate) duration: Duration,
}

/// A call.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    pub(crate) outcome: RwSignal<Option<Outcome>>,
    is_running: RwSignal<bool>,
    /// The transport that carries the call, and the reason; known when its response has begun.
    pub(crate) route: RwSignal<Option<Route>>,
    /// The duration of the running call, updated while it runs.
    pub(crate) elapsed: RwSignal<Duration>,
    started: StoredValue<Instant>,
    abort: StoredValue<Option<AbortHandle>>,
}

impl Run {
    pub(crate) fn new() -> Run {
        let run = Run {
            outcome: RwSignal::new(None),
            is_running: RwSignal::new(false),
            route: RwSignal::new(None),
            elapsed: RwSignal::new(Duration::ZERO),
            started: StoredValue::new(Instant::now()),
            abort: StoredValue::new(None),
        };
        on_cleanup(move || run.abort());
        run
    }

    pub(crate) fn is_running(self) -> bool {
        self.is_running.get()
    }

    /// As [`is_running`](Self::is_running), for an event.
    pub(crate) fn is_running_now(self) -> bool {
        self.is_running.get_untracked()
    }

    /// Notes the transport that brought `response`.
    pub(crate) fn carried_by<T>(self, response: &Response<T>) {
        self.route.try_set(response.extensions().get().copied());
    }

    /// Makes a call, and cancels the one that may be running.
    pub(crate) fn start(self, call: impl Future<Output = Result<(), Status>> + 'static) {
        self.abort();
        let (call, handle) = abortable(call);
        self.abort.set_value(Some(handle));
        self.started.set_value(Instant::now());
        self.outcome.set(None);
        self.route.set(None);
        self.is_running.set(true);
        self.follow_time();
        spawn_local(async move {
            // An aborted call has its outcome already, or its place is gone.
            if let Ok(result) = call.await {
                self.end(result.err().unwrap_or_else(|| Status::ok("")));
            }
        });
    }

    /// Drops the outcome of the last call, because the input that is shown now was refused. A running call goes on: `false`.
    pub(crate) fn forget(self) -> bool {
        let has_ended = !self.is_running.get_untracked();
        if has_ended {
            self.outcome.set(None);
        }
        has_ended
    }

    /// Drops the call, which cancels it on the server too.
    pub(crate) fn cancel(self) {
        if self.is_running.get_untracked() {
            self.abort();
            self.end(Status::cancelled(""));
        }
    }

    /// Keeps `elapsed` up to date until the call ends.
    fn follow_time(self) {
        self.elapsed.set(Duration::ZERO);
        spawn_local(async move {
            while self.is_running.try_get_untracked() == Some(true) {
                self.elapsed.set(self.started.get_value().elapsed());
                tonic_web_channel::rt::sleep(TICK).await;
            }
        });
    }

    fn abort(self) {
        if let Some(handle) = self.abort.try_update_value(Option::take).flatten() {
            handle.abort();
        }
    }

    fn end(self, status: Status) {
        let message = match field_violations(&status).into_iter().next() {
            Some(violation) => violation.description,
            None => status.message().to_owned(),
        };
        let duration = self.started.get_value().elapsed();
        self.outcome.set(Some(Outcome { failure: Failure::from(&status), message, duration }));
        self.is_running.set(false);
    }
}
