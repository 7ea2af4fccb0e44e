//! The line of a frame.

use grpc_inspect::frame::Frame;
use leptos::{prelude::*, task::spawn_local};

use super::{
    super::{
        message::{COMPACT, Content, content},
        types::Types,
    },
    frame_body::FrameBody,
    frame_line::FrameLine,
    part_text::FrameKind,
};
use crate::i18n::{provide_scoped_language, use_language, use_messages};

/// Largest decompressed message. A larger one is shown compressed.
const MAX_DECOMPRESSED_BYTES: usize = 128 * 1024;

/// The line, and the body when it is open.
#[component]
pub(crate) fn FrameRow(
    /// The frame.
    frame: Frame,
    /// Its content.
    kind: FrameKind,
    /// The types of the call's messages.
    types: Types,
    /// Whether it is open at first.
    starts_open: bool,
) -> impl IntoView {
    provide_scoped_language();
    let m = use_messages();
    let language = use_language();
    let is_open = RwSignal::new(starts_open);
    // The frame, decompressed when that is possible.
    let readable = RwSignal::new(frame.clone());
    if frame.is_compressed() && frame.is_complete() {
        decompress(frame.clone(), readable);
    }
    let preview = {
        let types = types.clone();
        move || readable.with(|frame| one_line(frame, kind, &types))
    };
    let number = frame.number.to_string();
    let length = frame.length as u64;
    let elapsed = frame.elapsed;
    let name = move || match kind {
        FrameKind::Message(_) => [m.get().message, " ", &number].concat(),
        FrameKind::Trailers => m.get().calls_trailers_frame.to_owned(),
    };
    let is_compressed = frame.is_compressed();
    let body = move || {
        let (frame, readable, types) = (frame.clone(), readable.get(), types.clone());
        view! { <FrameBody frame readable kind types m=m.get() language=language.get() /> }
    };
    view! {
        <li class="call-frame">
            <FrameLine is_open name elapsed length is_compressed preview />
            {move || is_open.get().then(&body)}
        </li>
    }
}

/// Decompresses a frame. When that fails, the compressed one stays.
fn decompress(frame: Frame, readable: RwSignal<Frame>) {
    spawn_local(async move {
        if let Ok(payload) =
            tonic_web_channel::observe::gunzip(frame.payload.clone(), MAX_DECOMPRESSED_BYTES).await
        {
            // The row may be gone.
            readable.try_set(frame.decompressed(payload));
        }
    });
}

/// A frame in one line.
fn one_line(frame: &Frame, kind: FrameKind, types: &Types) -> String {
    match kind {
        FrameKind::Trailers => String::from_utf8_lossy(&frame.payload).trim_end().replace("\r\n", " · "),
        FrameKind::Message(direction) => match content(types, direction, frame, &COMPACT) {
            Content::Decoded(decoded) => decoded.json,
            _ => String::new(),
        },
    }
}
