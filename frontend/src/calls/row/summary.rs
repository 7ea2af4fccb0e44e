//! The line of a call: start, method, state, duration, messages and bytes.

use leptos::prelude::*;
use web_time::Instant;

use super::super::log::{CallRecord, CallState, Count};
use crate::{
    duration_text::duration_text,
    i18n::{Language, Messages, fill, plural},
    intl,
    status::code_name,
};

/// The line.
#[component]
pub(super) fn Summary(
    /// The call.
    record: CallRecord,
    /// The page's language.
    language: Language,
    /// The page's texts.
    m: &'static Messages,
) -> impl IntoView {
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
        {count_cell(m.calls_sent, record.sent, language, m)}
        " "
        {count_cell(m.calls_received, record.received, language, m)}
    }
}

/// Messages and bytes of one direction, with words for screen readers.
fn count_cell(label: &'static str, count: Count, language: Language, m: &'static Messages) -> impl IntoView {
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

fn state_text(m: &Messages, state: &CallState) -> &'static str {
    match state {
        CallState::Waiting => m.calls_waiting,
        CallState::Open => m.calls_open,
        CallState::Ended { code, .. } => code_name(*code),
    }
}
