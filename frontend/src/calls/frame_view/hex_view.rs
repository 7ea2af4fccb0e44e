//! The bytes of a frame.

use grpc_inspect::{
    frame::Frame,
    hex::{Part, PartKind, parts, row_offsets},
};
use leptos::prelude::*;

use super::{
    legend::Legend,
    part_text::{FrameKind, part_name, part_slug},
};
use crate::i18n::{Language, Messages};

/// The bytes on the wire. A screen reader reads each part with its name; offsets and characters beside them are for the eye.
#[component]
pub(crate) fn HexView(
    /// The frame.
    frame: Frame,
    /// Its content.
    kind: FrameKind,
    /// The page's texts.
    m: &'static Messages,
    /// The page's language.
    language: Language,
) -> impl IntoView {
    let payload = match kind {
        FrameKind::Message(_) => PartKind::Message,
        FrameKind::Trailers => PartKind::Trailers,
    };
    let parts = parts(&frame, payload);
    let bytes: Vec<_> = parts
        .iter()
        .map(|Part { kind, hex, .. }| {
            view! {
                <li class="hex__part" data-part=part_slug(*kind)>
                    <span class="visually-hidden">{part_name(m, *kind)} ": "</span>
                    {hex.clone()}
                </li>
                " "
            }
        })
        .collect();
    let characters: Vec<_> = parts
        .into_iter()
        .map(|Part { kind, ascii, .. }| {
            view! { <span class="hex__part" data-part=part_slug(kind)>{ascii}</span> }
        })
        .collect();
    view! {
        <div class="hex">
            <Legend frame=frame.clone() payload m language />
            <div class="hex__dump" role="group" aria-label=m.calls_bytes_of_frame tabindex="0">
                <pre class="hex__offsets hex__offsets--narrow" aria-hidden="true">{row_offsets(&frame, 8)}</pre>
                <pre class="hex__offsets hex__offsets--wide" aria-hidden="true">{row_offsets(&frame, 16)}</pre>
                <ul class="hex__bytes" role="list">{bytes}</ul>
                <pre class="hex__letters" aria-hidden="true">{characters}</pre>
            </div>
        </div>
    }
}
