//! One call in the panel: a line that opens to everything known of it.

use std::{sync::Arc, time::Duration};

use leptos::{prelude::*, task::spawn_local};
use tonic::Code;
use web_time::Instant;

use super::{CallRecord, CallState, Count, Entry, Value, grpcurl, use_calls};
use crate::{
    i18n::{Language, Messages, fill, plural, use_language, use_messages},
    icon::{Icon, IconKind},
    intl,
    status::code_name,
};

/// The prefix of the methods that ask for a session.
const CHAT_SERVICE: &str = "/chat.v1.ChatService/";

/// How long the copy button says that it has copied.
const COPIED_SHOWN: Duration = Duration::from_secs(2);

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
    let details = move || {
        let record = record.get().filter(|_| is_open.get())?;
        Some(view! { <Details record m=m.get() /> })
    };
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

#[component]
fn Details(record: CallRecord, m: &'static Messages) -> impl IntoView {
    let message = match &record.state {
        CallState::Ended { message, .. } if !message.is_empty() => Some(message.to_string()),
        _ => None,
    };
    let needs_session = record.path.starts_with(CHAT_SERVICE) && !record.path.ends_with("/Join");
    let command = grpcurl::command(&record, &crate::api::native_origin(), needs_session);
    let request = record.request.as_deref().map(str::to_owned);
    view! {
        {message.map(|message| view! { <p class="call__message">{message}</p> })}
        {request
            .map(|request| {
                view! {
                    <h3>{m.calls_request_message}</h3>
                    <pre class="code">{request}</pre>
                }
            })}
        <Metadata title=m.calls_request_metadata entries=record.request_metadata m />
        <Metadata title=m.calls_response_metadata entries=record.response_metadata m />
        <Metadata title=m.calls_trailers entries=record.trailers m />
        <h3>"grpcurl"</h3>
        <CodeToCopy text=command m />
    }
}

#[component]
fn Metadata(title: &'static str, entries: Arc<[Entry]>, m: &'static Messages) -> impl IntoView {
    if entries.is_empty() {
        return None;
    }
    let rows: Vec<_> = entries
        .iter()
        .map(|entry| {
            let (value, hidden) = match &entry.value {
                Value::Text(value) => (value.clone(), false),
                Value::Hidden => (m.calls_hidden.to_owned(), true),
            };
            view! {
                <div>
                    <dt>{entry.key.clone()}</dt>
                    <dd data-hidden=hidden.then_some("")>{value}</dd>
                </div>
            }
        })
        .collect();
    Some(view! {
        <h3>{title}</h3>
        <dl class="metadata">{rows}</dl>
    })
}

/// A text for a shell with a button that copies it.
#[component]
pub(crate) fn CodeToCopy(
    /// The text.
    text: String,
    /// The page's words.
    m: &'static Messages,
) -> impl IntoView {
    let copied = RwSignal::new(false);
    let for_clipboard = text.clone();
    let copy = move |_| {
        let written = window().navigator().clipboard().write_text(&for_clipboard);
        spawn_local(async move {
            // Where the browser forbids it, the text stands there to be selected.
            if wasm_bindgen_futures::JsFuture::from(written).await.is_ok() {
                copied.try_set(true);
                channel::sleep(COPIED_SHOWN).await;
                copied.try_set(false);
            }
        });
    };
    view! {
        <div class="code-to-copy">
            <pre class="code" tabindex="0">{text}</pre>
            <button type="button" class="button" on:click=copy>
                {move || {
                    let kind = if copied.get() { IconKind::Done } else { IconKind::Copy };
                    view! { <Icon kind /> }
                }}
                <span aria-live="polite">{move || if copied.get() { m.copied } else { m.copy }}</span>
            </button>
        </div>
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
    let millis = duration.as_millis();
    match millis {
        0..10_000 => [&millis.to_string(), " ms"].concat(),
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
