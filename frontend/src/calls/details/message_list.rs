//! The messages of one direction of a call.

use grpc_inspect::frame::{Direction, FrameBuffer};
use leptos::prelude::*;

use super::super::{
    frame_view::{FrameKind, FrameRow},
    log::CallRecord,
    types::Types,
};
use crate::{
    i18n::{Text, fill, text, use_language, use_messages},
    intl,
    row_list::RowList,
};

/// The newest messages, and how many there were.
#[component]
pub(super) fn MessageList(
    /// The direction.
    direction: Direction,
    /// The types of the call's messages.
    types: Types,
    /// The call; `None` when it was dropped.
    record: Memo<Option<CallRecord>>,
    /// Its frames.
    frames: Memo<FrameBuffer>,
) -> impl IntoView {
    let language = use_language();
    let m = use_messages();
    let kept = Memo::new(move |_| frames.with(|frames| frames.messages(direction).clone()));
    let title: Text = match direction {
        Direction::Sent => |m| m.calls_request_messages,
        Direction::Received => |m| m.calls_response_messages,
    };
    // A single message is what the reader looks for.
    let starts_open = types.kind().is_some_and(|kind| match direction {
        Direction::Sent => !kind.client_streaming(),
        Direction::Received => !kind.server_streaming(),
    });
    let dropped = Memo::new(move |_| {
        let all = record.with(|record| {
            record.as_ref().map_or(0, |record| match direction {
                Direction::Sent => record.sent.messages,
                Direction::Received => record.received.messages,
            })
        });
        let kept = kept.with(|kept| kept.len() as u64);
        let number = |value| intl::number(language.get(), value);
        let kept_of_all = || {
            let (kept, all) = (number(kept), number(all));
            fill(m.get().calls_newest_kept, &[("kept", &kept), ("count", &all)])
        };
        (kept < all).then(kept_of_all)
    });
    let types = StoredValue::new(types);
    view! {
        <Show when=move || kept.with(|kept| !kept.is_empty()) || dropped.with(Option::is_some) fallback=|| ()>
            <h3>{text(title)}</h3>
            {move || dropped.get().map(|dropped| view! { <p class="call-frames__dropped">{dropped}</p> })}
            <ol class="call-frames">
                <RowList each=move || kept.get() key=|frame| frame.number let:frame>
                    <FrameRow frame kind=FrameKind::Message(direction) types=types.get_value() starts_open />
                </RowList>
            </ol>
        </Show>
    }
}
