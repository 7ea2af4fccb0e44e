//! One call of a card while it runs and after: it can be cancelled, and ends with the card.

use std::{future::Future, time::Duration};

use futures_util::future::{AbortHandle, abortable};
use leptos::{prelude::*, task::spawn_local};
use tonic::{Code, Status};
use web_time::Instant;

use crate::{
    calls::duration_text,
    i18n::{text, use_messages},
    status::{Failure as Reason, code_name, field_violations},
};

/// How a call ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Outcome {
    reason: Reason,
    /// The server's or the channel's words, of the field that was refused where one is named.
    message: String,
    took: Duration,
}

/// A card's call.
#[derive(Clone, Copy)]
pub(super) struct Run {
    outcome: RwSignal<Option<Outcome>>,
    is_running: RwSignal<bool>,
    started: StoredValue<Instant>,
    abort: StoredValue<Option<AbortHandle>>,
}

impl Run {
    pub(super) fn new() -> Run {
        let run = Run {
            outcome: RwSignal::new(None),
            is_running: RwSignal::new(false),
            started: StoredValue::new(Instant::now()),
            abort: StoredValue::new(None),
        };
        on_cleanup(move || run.abort());
        run
    }

    pub(super) fn is_running(self) -> bool {
        self.is_running.get()
    }

    /// Makes a call in place of the one that may be running.
    pub(super) fn start(self, call: impl Future<Output = Result<(), Status>> + 'static) {
        self.abort();
        let (call, handle) = abortable(call);
        self.abort.set_value(Some(handle));
        self.started.set_value(Instant::now());
        self.outcome.set(None);
        self.is_running.set(true);
        spawn_local(async move {
            // When it was aborted, whoever did so has said how it ended, or the card is gone.
            if let Ok(result) = call.await {
                self.end(result.err().unwrap_or_else(|| Status::ok("")));
            }
        });
    }

    /// Drops the call, which tells the server.
    pub(super) fn cancel(self) {
        if self.is_running.get_untracked() {
            self.abort();
            self.end(Status::cancelled(""));
        }
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
        let took = self.started.get_value().elapsed();
        self.outcome.set(Some(Outcome { reason: Reason::from(&status), message, took }));
        self.is_running.set(false);
    }
}

/// The button that ends a running call; there only while one runs.
#[component]
pub(super) fn CancelButton(
    /// The call.
    run: Run,
) -> impl IntoView {
    view! {
        <Show when=move || run.is_running() fallback=|| ()>
            <button type="button" class="button" on:click=move |_| run.cancel()>
                {text(|m| m.cancel)}
            </button>
        </Show>
    }
}

/// What happened, when it did not go well, in a sentence; the server's own words behind it.
#[component]
pub(super) fn Failure(
    /// The call.
    run: Run,
) -> impl IntoView {
    let m = use_messages();
    move || {
        let outcome = run.outcome.get().filter(|outcome| outcome.reason.code != Code::Ok)?;
        let quiet = outcome.reason.code == Code::Cancelled;
        let has_details = !outcome.message.is_empty();
        Some(view! {
            <p class=if quiet { "result__quiet" } else { "error" }>{outcome.reason.sentence(m.get())}</p>
            {has_details
                .then(|| {
                    view! {
                        <details class="result__details">
                            <summary>{m.get().details}</summary>
                            <p>{outcome.message}</p>
                        </details>
                    }
                })}
        })
    }
}

/// The status code with its name, and the duration.
#[component]
pub(super) fn Facts(
    /// The call.
    run: Run,
) -> impl IntoView {
    let m = use_messages();
    let facts = move || match run.outcome.get() {
        None if run.is_running() => (m.get().running.to_owned(), "–".to_owned()),
        None => ("–".to_owned(), "–".to_owned()),
        Some(outcome) => {
            let number = (outcome.reason.code as i32).to_string();
            ([&number, " ", code_name(outcome.reason.code)].concat(), duration_text(outcome.took))
        }
    };
    let facts = Memo::new(move |_| facts());
    let code = Signal::derive(move || facts.get().0);
    let took = Signal::derive(move || facts.get().1);
    view! {
        <dl class="facts">
            <div>
                <dt>{text(|m| m.status_code)}</dt>
                <dd>{code}</dd>
            </div>
            <div>
                <dt>{text(|m| m.duration)}</dt>
                <dd>{took}</dd>
            </div>
        </dl>
    }
}
