//! The content of an open frame.

use grpc_inspect::frame::Frame;
use leptos::prelude::*;

use super::{
    super::{
        message::{Content, PRETTY, content, remarks},
        types::Types,
    },
    hex_view::HexView,
    part_text::FrameKind,
};
use crate::i18n::{Language, Messages};

/// The message as JSON with remarks, and the bytes.
#[component]
pub(super) fn FrameBody(
    /// The frame on the wire.
    frame: Frame,
    /// The frame with its payload decompressed, when that is possible.
    readable: Frame,
    /// Its content.
    kind: FrameKind,
    /// The types of the call's messages.
    types: Types,
    /// The page's texts.
    m: &'static Messages,
    /// The page's language.
    language: Language,
) -> impl IntoView {
    let message = match kind {
        FrameKind::Trailers => None,
        FrameKind::Message(direction) => {
            let content = content(&types, direction, &readable, &PRETTY);
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
                {message}
                <HexView frame kind m language />
            </div>
        </div>
    }
}
