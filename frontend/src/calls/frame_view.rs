//! One frame of a call: a line with its start, that opens to what it says and to its bytes.

use leptos::{prelude::*, task::spawn_local};
use proto::schema::Method;

use super::{
    Direction, Frame,
    decode::Style,
    hex::{self, Part, PartKind},
    messages::{Content, content, remarks},
    row::duration_text,
};
use crate::{
    i18n::{Language, Messages, fill, use_language, use_messages},
    intl,
};

/// How many letters of a message stand in its line; the style sheet shows as many as there is room for.
const PREVIEW_LENGTH: usize = 160;

/// How many bytes a compressed message may unpack to; a longer one stays compressed.
const UNPACKED_BYTES: usize = 128 * 1024;

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FrameKind {
    /// A message.
    Message(Direction),
    /// The trailers.
    Trailers,
}

#[component]
pub(super) fn FrameRow(
    /// The frame.
    frame: Frame,
    /// What it holds.
    kind: FrameKind,
    /// The call's method, where the contracts have it.
    method: Option<&'static Method>,
    /// Whether it is open until somebody closes it.
    starts_open: bool,
) -> impl IntoView {
    let m = use_messages();
    let language = use_language();
    let is_open = RwSignal::new(starts_open);
    let readable = RwSignal::new(frame.clone());
    if frame.is_compressed() && frame.is_whole() {
        unpack(frame.clone(), readable);
    }
    let preview = move || {
        let text = readable.with(|frame| one_line(frame, kind, method));
        text.chars().take(PREVIEW_LENGTH).collect::<String>()
    };
    let number = frame.number.to_string();
    let length = frame.length as u64;
    let after = ["+", &duration_text(frame.after)].concat();
    let name = move || match kind {
        FrameKind::Message(_) => [m.get().message, " ", &number].concat(),
        FrameKind::Trailers => m.get().calls_trailers_frame.to_owned(),
    };
    let compressed = frame.is_compressed();
    view! {
        <li class="call-frame">
            <button
                type="button"
                class="call-frame__line"
                aria-expanded=move || is_open.get().to_string()
                on:click=move |_| is_open.update(|open| *open = !*open)
            >
                <span class="call-frame__name">{name}</span>
                " "
                <span class="call-frame__after">{after}</span>
                " "
                <span class="call-frame__size">{move || bytes_text(m.get(), language.get(), length)}</span>
                " "
                {move || compressed.then(|| view! { <span class="call-frame__mark">{m.get().calls_compressed}</span> " " })}
                <span class="call-frame__preview">{preview}</span>
            </button>
            {move || {
                is_open
                    .get()
                    .then(|| {
                        let frame = frame.clone();
                        let readable = readable.get();
                        view! { <FrameBody frame readable kind method m=m.get() language=language.get() /> }
                    })
            }}
        </li>
    }
}

#[component]
fn FrameBody(
    /// As it is on the wire.
    frame: Frame,
    /// The same with its content unpacked, where it was compressed and that has succeeded.
    readable: Frame,
    kind: FrameKind,
    method: Option<&'static Method>,
    m: &'static Messages,
    language: Language,
) -> impl IntoView {
    let says = match kind {
        FrameKind::Trailers => None,
        FrameKind::Message(direction) => {
            let content = content(method, direction, &readable, Style::Lines);
            let remarks: Vec<_> = remarks(m, &readable, &content)
                .into_iter()
                .map(|remark| view! { <p class="call-frame__remark">{remark}</p> })
                .collect();
            let json = match content {
                Content::Decoded(decoded) => Some(decoded.json),
                _ => None,
            };
            Some(view! {
                <div class="call-frame__says">
                    {json.map(|json| view! { <pre class="code call-frame__json" tabindex="0">{json}</pre> })}
                    {remarks}
                </div>
            })
        }
    };
    view! {
        <div class="call-frame__body">
            <div class="call-frame__columns">
                {says}
                <HexView frame kind m language />
            </div>
        </div>
    }
}

/// The frame's bytes as they are on the wire. A reader who listens hears each part with its name; one
/// who looks sees offsets and letters beside them too.
#[component]
fn HexView(frame: Frame, kind: FrameKind, m: &'static Messages, language: Language) -> impl IntoView {
    let content = match kind {
        FrameKind::Message(_) => PartKind::Message,
        FrameKind::Trailers => PartKind::Trailers,
    };
    let parts = hex::parts(&frame, content);
    let bytes: Vec<_> = parts
        .iter()
        .map(|Part { kind, hex, .. }| {
            view! {
                <li class="hex__part" data-part=kind.slug()>
                    <span class="visually-hidden">{part_name(m, *kind)} ": "</span>
                    {hex.clone()}
                </li>
                " "
            }
        })
        .collect();
    let letters: Vec<_> = parts
        .into_iter()
        .map(
            |Part { kind, ascii, .. }| view! { <span class="hex__part" data-part=kind.slug()>{ascii}</span> },
        )
        .collect();
    view! {
        <div class="hex">
            <Legend frame=frame.clone() content m language />
            <div class="hex__dump" role="group" aria-label=m.calls_bytes_of_frame tabindex="0">
                <pre class="hex__offsets hex__offsets--narrow" aria-hidden="true">{hex::offsets(&frame, 8)}</pre>
                <pre class="hex__offsets hex__offsets--wide" aria-hidden="true">{hex::offsets(&frame, 16)}</pre>
                <ul class="hex__bytes" role="list">{bytes}</ul>
                <pre class="hex__letters" aria-hidden="true">{letters}</pre>
            </div>
        </div>
    }
}

/// What each part of the bytes means.
#[component]
fn Legend(frame: Frame, content: PartKind, m: &'static Messages, language: Language) -> impl IntoView {
    let [flag, length @ ..] = frame.prefix();
    let compression = if frame.is_compressed() { m.calls_compressed } else { m.calls_not_compressed };
    let holds = if content == PartKind::Trailers { m.calls_flag_trailers } else { m.calls_flag_message };
    let flag_text = fill(m.calls_flag, &[("content", holds), ("compression", compression)]);
    let (length_in_bytes, kept) = (frame.length as u64, frame.content.len() as u64);
    let length_text = bytes_text(m, language, length_in_bytes);
    let content_text = match frame.is_whole() {
        true => length_text.clone(),
        false => {
            let number = |value| intl::number(language, value);
            fill(m.calls_first_bytes, &[("kept", &number(kept)), ("count", &number(length_in_bytes))])
        }
    };
    let rows = [
        (PartKind::Flag, hex::hex(&[flag]), flag_text),
        (PartKind::Length, hex::hex(&length), length_text),
        (content, String::new(), content_text),
    ];
    let rows: Vec<_> = rows
        .into_iter()
        .map(|(kind, bytes, meaning)| {
            view! {
                <div>
                    <dt><span class="hex__part" data-part=kind.slug()>{part_name(m, kind)}</span></dt>
                    <dd><code>{bytes}</code>" "{meaning}</dd>
                </div>
            }
        })
        .collect();
    view! { <dl class="hex__legend">{rows}</dl> }
}

fn part_name(m: &Messages, kind: PartKind) -> &'static str {
    match kind {
        PartKind::Flag => m.calls_part_flag,
        PartKind::Length => m.calls_part_length,
        PartKind::Message => m.message,
        PartKind::Trailers => m.calls_trailers,
    }
}

fn bytes_text(m: &Messages, language: Language, bytes: u64) -> String {
    fill(m.calls_bytes, &[("count", &intl::number(language, bytes))])
}

/// Undoes a frame's compression. Where that fails, what is shown stays as it is on the wire.
fn unpack(frame: Frame, readable: RwSignal<Frame>) {
    spawn_local(async move {
        if let Ok(content) = tonic_web_channel::observe::gunzip(frame.content.clone(), UNPACKED_BYTES).await {
            // The row may be gone meanwhile.
            readable.try_set(frame.unpacked(content));
        }
    });
}

/// The start of a frame for its line.
fn one_line(frame: &Frame, kind: FrameKind, method: Option<&Method>) -> String {
    match kind {
        FrameKind::Trailers => String::from_utf8_lossy(&frame.content).trim_end().replace("\r\n", " · "),
        FrameKind::Message(direction) => match content(method, direction, frame, Style::OneLine) {
            Content::Decoded(decoded) => decoded.json,
            _ => String::new(),
        },
    }
}
