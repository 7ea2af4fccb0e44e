//! Everything known of one call, while its line is open.

use std::sync::Arc;

use leptos::prelude::*;
use proto::schema::{self, Method};

use super::{
    CallRecord, CallState, CodeToCopy, Direction, Entry, Frames, Note, Value,
    frame_view::{FrameKind, FrameRow},
    grpcurl,
    messages::requests,
    row::duration_text,
    use_calls,
};
use crate::{
    i18n::{Messages, Text, fill, text, use_language, use_messages},
    intl,
    status::code_name,
};

/// The prefix of the methods that ask for a session.
const CHAT_SERVICE: &str = "/chat.v1.ChatService/";

/// The details. Frames are read and decoded here and nowhere else, so that a call that nobody looks at
/// costs nothing but their keeping.
#[component]
pub(super) fn Details(
    /// The call's number.
    id: u64,
    /// The call; none when it has been forgotten, and the row is about to go.
    record: Memo<Option<CallRecord>>,
) -> impl IntoView {
    let calls = use_calls();
    let frames = Memo::new(move |_| calls.frames(id));
    let path = record.with_untracked(|record| record.as_ref().map(|record| record.path.clone()));
    let path = path.unwrap_or_default();
    let method = schema::method(&path);
    let message = Memo::new(move |_| match &record.get()?.state {
        CallState::Ended { message, .. } if !message.is_empty() => Some(message.to_string()),
        _ => None,
    });
    let entries = move |pick: fn(CallRecord) -> Arc<[Entry]>| {
        Memo::new(move |_| record.get().map(pick).unwrap_or_default())
    };
    let trailers = Memo::new(move |_| frames.with(|frames| frames.trailers.clone()));
    // A call of three frames is shown whole.
    let starts_open = method.is_some_and(|method| !method.client_streaming && !method.server_streaming);
    view! {
        {move || message.get().map(|message| view! { <p class="call__message">{message}</p> })}
        <Notes frames />
        <Metadata title=|m| m.calls_request_metadata entries=entries(|record| record.request_metadata) />
        <MessageList direction=Direction::Sent method record frames />
        <Metadata title=|m| m.calls_response_metadata entries=entries(|record| record.response_metadata) />
        <MessageList direction=Direction::Received method record frames />
        <Metadata title=|m| m.calls_trailers entries=entries(|record| record.trailers) />
        {move || {
            trailers
                .get()
                .map(|frame| {
                    view! {
                        <ol class="call-frames">
                            <FrameRow frame kind=FrameKind::Trailers method starts_open />
                        </ol>
                    }
                })
        }}
        <Command path method record frames />
    }
}

/// Repeated attempts and the channel's warnings.
#[component]
fn Notes(frames: Memo<Frames>) -> impl IntoView {
    let m = use_messages();
    let notes = Memo::new(move |_| frames.with(|frames| frames.notes.clone()));
    move || {
        let notes = notes.get();
        let lines: Vec<_> = notes
            .iter()
            .map(|note| view! { <li class="call__note">{note_text(m.get(), note)}</li> })
            .collect();
        (!lines.is_empty()).then(|| view! { <ul>{lines}</ul> })
    }
}

fn note_text(m: &Messages, note: &Note) -> String {
    match note {
        Note::Retry { attempt, delay, code } => fill(
            m.calls_retry,
            &[
                ("attempt", &attempt.to_string()),
                ("code", code_name(*code)),
                ("delay", &duration_text(*delay)),
            ],
        ),
        Note::Warning(text) => text.to_string(),
    }
}

/// The messages of one direction, the newest as far as they are kept.
#[component]
fn MessageList(
    direction: Direction,
    method: Option<&'static Method>,
    record: Memo<Option<CallRecord>>,
    frames: Memo<Frames>,
) -> impl IntoView {
    let language = use_language();
    let m = use_messages();
    let kept = Memo::new(move |_| frames.with(|frames| frames.of(direction).clone()));
    let title: Text = match direction {
        Direction::Sent => |m| m.calls_request_messages,
        Direction::Received => |m| m.calls_response_messages,
    };
    // The one message of its direction is what a person came for.
    let starts_open = method.is_some_and(|method| match direction {
        Direction::Sent => !method.client_streaming,
        Direction::Received => !method.server_streaming,
    });
    let dropped = move || {
        let all = record.with(|record| {
            record.as_ref().map_or(0, |record| match direction {
                Direction::Sent => record.sent.messages,
                Direction::Received => record.received.messages,
            })
        });
        let kept = kept.with(|kept| kept.len() as u64);
        let number = |value| intl::number(language.get(), value);
        (kept < all).then(|| fill(m.get().calls_newest, &[("kept", &number(kept)), ("count", &number(all))]))
    };
    let dropped = Memo::new(move |_| dropped());
    view! {
        <Show when=move || kept.with(|kept| !kept.is_empty()) || dropped.with(Option::is_some) fallback=|| ()>
            <h3>{text(title)}</h3>
            {move || dropped.get().map(|dropped| view! { <p class="call-frames__dropped">{dropped}</p> })}
            <ol class="call-frames">
                <For each=move || kept.get() key=|frame| frame.number let:frame>
                    <FrameRow frame kind=FrameKind::Message(direction) method starts_open />
                </For>
            </ol>
        </Show>
    }
}

#[component]
fn Metadata(title: Text, entries: Memo<Arc<[Entry]>>) -> impl IntoView {
    let m = use_messages();
    let row = move |entry: &Entry| {
        let (value, hidden) = match &entry.value {
            Value::Text(value) => (value.clone(), false),
            Value::Hidden => (m.get().calls_hidden.to_owned(), true),
        };
        view! {
            <div>
                <dt>{entry.key.clone()}</dt>
                <dd data-hidden=hidden.then_some("")>{value}</dd>
            </div>
        }
    };
    move || {
        let rows: Vec<_> = entries.get().iter().map(row).collect();
        (!rows.is_empty()).then(|| {
            view! {
                <h3>{title(m.get())}</h3>
                <dl class="metadata">{rows}</dl>
            }
        })
    }
}

/// The call as a command line.
#[component]
fn Command(
    path: String,
    method: Option<&'static Method>,
    record: Memo<Option<CallRecord>>,
    frames: Memo<Frames>,
) -> impl IntoView {
    let m = use_messages();
    let needs_session = path.starts_with(CHAT_SERVICE) && !path.ends_with("/Join");
    let requests = Memo::new(move |_| {
        let sent = record.with(|record| record.as_ref().map_or(0, |record| record.sent.messages));
        frames.with(|frames| requests(method, frames, sent))
    });
    let command = Memo::new(move |_| {
        let record = record.get()?;
        let origin = crate::api::native_origin();
        Some(requests.with(|requests| grpcurl::command(&record, &requests.json, &origin, needs_session)))
    });
    view! {
        <h3>"grpcurl"</h3>
        {move || command.get().map(|text| view! { <CodeToCopy text m=m.get() /> })}
        {move || {
            let is_whole = requests.with(|requests| requests.is_whole);
            (!is_whole).then(|| view! { <p class="call__note">{m.get().calls_command_cut}</p> })
        }}
    }
}
