//! Everything known of a call, while its line is open. Frames are decoded only here, so a closed call costs nothing but its bytes.

mod command;
mod message_list;
mod metadata_list;
mod notes;

use std::sync::Arc;

use grpc_inspect::frame::{Direction, FrameBuffer};
use grpc_wire::method::MethodKind;
use leptos::prelude::*;

pub(crate) use self::metadata_list::MetadataList;
use self::{command::Command, message_list::MessageList, notes::Notes};
use super::{
    context::use_calls,
    frame_view::{FrameKind, FrameRow},
    log::{CallRecord, CallState},
    metadata::Entry,
};

/// The details.
#[component]
pub(super) fn Details(
    /// The call's id.
    id: u64,
    /// The call; `None` when it was dropped.
    record: Memo<Option<CallRecord>>,
) -> impl IntoView {
    let calls = use_calls();
    let frames = Memo::new(move |_| calls.frames(id));
    let path = record.with_untracked(|record| record.as_ref().map(|record| record.path.clone()));
    let path = path.unwrap_or_default();
    let types = calls.types(&path);
    let status_message = Memo::new(move |_| match &record.get()?.state {
        CallState::Ended { message, .. } if !message.is_empty() => Some(message.to_string()),
        _ => None,
    });
    let entries = move |pick: fn(CallRecord) -> Arc<[Entry]>| {
        Memo::new(move |_| record.get().map(pick).unwrap_or_default())
    };
    let trailers = Memo::new(move |_| frames.with(|frames: &FrameBuffer| frames.trailers().cloned()));
    // The three frames of a unary call fit on the screen.
    let starts_open = types.kind() == Some(MethodKind::Unary);
    let trailers_types = types.clone();
    let trailers_row = move || {
        trailers.get().map(|frame| {
            let types = trailers_types.clone();
            view! {
                <ol class="call-frames">
                    <FrameRow frame kind=FrameKind::Trailers types starts_open />
                </ol>
            }
        })
    };
    view! {
        {move || status_message.get().map(|message| view! { <p class="call__message">{message}</p> })}
        <Notes id />
        <MetadataList title=|m| m.calls_request_metadata entries=entries(|record| record.request_metadata) />
        <MessageList direction=Direction::Sent types=types.clone() record frames />
        <MetadataList title=|m| m.calls_response_metadata entries=entries(|record| record.response_metadata) />
        <MessageList direction=Direction::Received types=types.clone() record frames />
        <MetadataList title=|m| m.calls_trailers entries=entries(|record| record.trailers) />
        {trailers_row}
        <Command path types record frames />
    }
}
