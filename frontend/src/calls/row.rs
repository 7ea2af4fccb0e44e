//! A call in the panel: a line that opens to its details.

mod summary;

use leptos::prelude::*;
use tonic::Code;

use self::summary::Summary;
use super::{context::use_calls, details::Details, log::CallState};
use crate::{
    i18n::{provide_scoped_language, use_language, use_messages},
    scoped::{differs, scoped},
};

/// The line, and the details when it is open.
#[component]
pub(super) fn CallRow(
    /// The call's id.
    id: u64,
    /// Changes every second, for the durations of running calls.
    tick: Signal<u64>,
) -> impl IntoView {
    let calls = use_calls();
    provide_scoped_language();
    let m = use_messages();
    let language = use_language();
    let record = scoped(move || calls.record(id), differs);
    let is_open = RwSignal::new(false);
    let details_id = ["call-", &id.to_string()].concat();
    // Without a record the call was dropped, and the row is about to be removed.
    let summary = move || {
        let record = record.get()?;
        if record.ended.is_none() {
            tick.track();
        }
        Some(view! { <Summary record language=language.get() m=m.get() /> })
    };
    // The details are made once, so that frames stay open while the call goes on.
    let details = move || is_open.get().then(|| view! { <Details id record /> });
    view! {
        <li class="call" data-code=move || record.with(|record| record.as_ref().map(|record| tone(&record.state)))>
            <button
                type="button"
                class="call__line"
                aria-expanded=move || is_open.get().to_string()
                aria-controls=details_id.clone()
                on:click=move |_| is_open.update(|open| *open = !*open)
            >
                {summary}
            </button>
            <div class="call__details" id=details_id>
                {details}
            </div>
        </li>
    }
}

/// The value of the `data-code` attribute, which colours the line.
fn tone(state: &CallState) -> &'static str {
    match state {
        CallState::Waiting | CallState::Open => "running",
        CallState::Ended { code: Code::Ok, .. } => "ok",
        CallState::Ended { code: Code::Cancelled, .. } => "cancelled",
        CallState::Ended { .. } => "failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_failures_have_the_tone_of_failures() {
        let ended = |code| CallState::Ended { code, message: "".into() };
        assert_eq!(tone(&ended(Code::Ok)), "ok");
        assert_eq!(tone(&ended(Code::Cancelled)), "cancelled");
        assert_eq!(tone(&ended(Code::Unavailable)), "failed");
        assert_eq!(tone(&CallState::Open), "running");
    }
}
