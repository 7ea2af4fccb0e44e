//! The meaning of a frame's parts.

use grpc_inspect::{
    frame::Frame,
    hex::{PartKind, bytes_text},
};
use leptos::prelude::*;

use super::part_text::{byte_count, part_name, part_slug};
use crate::{
    i18n::{Language, Messages, fill},
    intl,
};

/// Flags, length and payload, each with its bytes and their meaning.
#[component]
pub(super) fn Legend(
    /// The frame.
    frame: Frame,
    /// The kind of its payload.
    payload: PartKind,
    /// The page's texts.
    m: &'static Messages,
    /// The page's language.
    language: Language,
) -> impl IntoView {
    let [flags, length @ ..] = frame.prefix();
    let compression = if frame.is_compressed() { m.calls_compressed } else { m.calls_not_compressed };
    let content = if payload == PartKind::Trailers { m.calls_flags_trailers } else { m.calls_flags_message };
    let flags_text = fill(m.calls_flags, &[("content", content), ("compression", compression)]);
    let (length_in_bytes, kept) = (frame.length as u64, frame.payload.len() as u64);
    let length_text = byte_count(m, language, length_in_bytes);
    let payload_text = match frame.is_complete() {
        true => length_text.clone(),
        false => {
            let number = |value| intl::number(language, value);
            fill(m.calls_first_bytes, &[("kept", &number(kept)), ("count", &number(length_in_bytes))])
        }
    };
    let rows = [
        (PartKind::Flags, bytes_text(&[flags]), flags_text),
        (PartKind::Length, bytes_text(&length), length_text),
        (payload, String::new(), payload_text),
    ];
    let rows: Vec<_> = rows
        .into_iter()
        .map(|(kind, bytes, meaning)| {
            view! {
                <div>
                    <dt><span class="hex__part" data-part=part_slug(kind)>{part_name(m, kind)}</span></dt>
                    <dd><code>{bytes}</code>" "{meaning}</dd>
                </div>
            }
        })
        .collect();
    view! { <dl class="hex__legend">{rows}</dl> }
}
