//! One call in the panel: a line that opens to everything known of it.

use std::time::Duration;

use leptos::prelude::*;
use tonic::Code;
use web_time::Instant;

use super::{CallRecord, CallState, Count, details::Details, use_calls};
use crate::{
    i18n::{Language, Messages, fill, plural, use_language, use_messages},
    intl,
    status::code_name,
};

#[component]
pub(super) fn CallRow(
    /// The call's number.
    id: u64,
    /// Changes every second, so that a running call's duration does.
    tick: Signal<u64>,
) -> impl IntoView {
    let calls = use_calls();
    let m = use_messages();
    let language = use_language();
    let record = Memo::new(move |_| calls.record(id));
    let is_open = RwSignal::new(false);
    let details_id = ["call-", &id.to_string()].concat();
    // A row whose call was forgotten is about to go.
    let summary = move || {
        let record = record.get()?;
        if record.ended.is_none() {
            tick.track();
        }
        Some(view! { <Summary record language=language.get() m=m.get() /> })
    };
    // What is open in the details stays so while the call goes on.
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

#[component]
fn Summary(record: CallRecord, language: Language, m: &'static Messages) -> impl IntoView {
    let (service, method) = record.service_and_method();
    let (service, method) = (service.to_owned(), method.to_owned());
    let duration = record.duration(Instant::now());
    view! {
        <span class="call__time">{intl::moment(language, intl::Moment::TimeWithSeconds, record.started_ms)}</span>
        " "
        <span class="call__method"><span class="call__service">{service}"/"</span>{method}</span>
        " "
        <span class="call__state">{state_text(m, &record.state)}</span>
        " "
        <span class="call__duration">{duration_text(duration)}</span>
        " "
        <CountCell label=m.calls_sent count=record.sent language m />
        " "
        <CountCell label=m.calls_received count=record.received language m />
    }
}

#[component]
fn CountCell(label: &'static str, count: Count, language: Language, m: &'static Messages) -> impl IntoView {
    let messages = intl::number(language, count.messages);
    let bytes = fill(m.calls_bytes, &[("count", &intl::number(language, count.bytes))]);
    let spoken = plural(count.messages, m.calls_messages_one, m.calls_messages_other);
    view! {
        <span class="call__count">
            <span class="visually-hidden">{label} " " {spoken}", "</span>
            <span class="call__messages" aria-hidden="true">{messages}</span>
            <span class="call__bytes">{bytes}</span>
        </span>
    }
}

/// What the line's colour says.
fn tone(state: &CallState) -> &'static str {
    match state {
        CallState::Waiting | CallState::Open => "running",
        CallState::Ended { code: Code::Ok, .. } => "ok",
        CallState::Ended { code: Code::Cancelled, .. } => "cancelled",
        CallState::Ended { .. } => "failed",
    }
}

fn state_text(m: &Messages, state: &CallState) -> &'static str {
    match state {
        CallState::Waiting => m.calls_waiting,
        CallState::Open => m.calls_open,
        CallState::Ended { code, .. } => code_name(*code),
    }
}

/// A duration in the unit that suits it.
pub(crate) fn duration_text(duration: Duration) -> String {
    // In 64 bits: numbers of 128 bring long arithmetic into the page.
    let millis = duration.as_secs().saturating_mul(1_000).saturating_add(duration.subsec_millis().into());
    match millis {
        0_u64..10_000 => [&millis.to_string(), " ms"].concat(),
        _ => {
            let tenths = (millis / 100).to_string();
            let (whole, tenth) = tenths.split_at(tenths.len() - 1);
            [whole, ".", tenth, " s"].concat()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_in_the_unit_that_suits() {
        assert_eq!(duration_text(Duration::from_micros(400)), "0 ms");
        assert_eq!(duration_text(Duration::from_millis(9_999)), "9999 ms");
        assert_eq!(duration_text(Duration::from_millis(12_345)), "12.3 s");
    }

    #[test]
    fn only_failures_look_like_failures() {
        let ended = |code| CallState::Ended { code, message: "".into() };
        assert_eq!(tone(&ended(Code::Ok)), "ok");
        assert_eq!(tone(&ended(Code::Cancelled)), "cancelled");
        assert_eq!(tone(&ended(Code::Unavailable)), "failed");
        assert_eq!(tone(&CallState::Open), "running");
    }
}
