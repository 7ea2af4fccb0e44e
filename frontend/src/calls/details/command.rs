//! A call as a `grpcurl` command.

use grpc_inspect::frame::FrameBuffer;
use leptos::prelude::*;

use super::super::{code_to_copy::CodeToCopy, grpcurl, log::CallRecord, message::requests, types::Types};
use crate::{api::native_origin, base::base_path, i18n::use_messages};

/// The path prefix of the methods that need a session, but for [`WITHOUT_SESSION`].
const CHAT_SERVICE: &str = "/chat.v1.ChatService/";

const WITHOUT_SESSION: [&str; 2] = ["Join", "Recover"];

/// The command, and whether it sends less than the call did.
#[component]
pub(super) fn Command(
    /// `/package.Service/Method`.
    path: String,
    /// The types of the call's messages.
    types: Types,
    /// The call; `None` when it was dropped.
    record: Memo<Option<CallRecord>>,
    /// Its frames.
    frames: Memo<FrameBuffer>,
) -> impl IntoView {
    let m = use_messages();
    let needs_session =
        path.strip_prefix(CHAT_SERVICE).is_some_and(|method| !WITHOUT_SESSION.contains(&method));
    let requests = Memo::new(move |_| {
        let sent = record.with(|record| record.as_ref().map_or(0, |record| record.sent.messages));
        frames.with(|frames| requests(&types, frames, sent))
    });
    let command = Memo::new(move |_| {
        // grpcurl cannot call below a path.
        let record = record.get().filter(|_| base_path() == "/")?;
        let origin = native_origin();
        Some(requests.with(|requests| grpcurl::command(&record, &requests.json, &origin, needs_session)))
    });
    view! {
        <h3>"grpcurl"</h3>
        {move || command.get().map(|text| view! { <CodeToCopy text /> })}
        {move || {
            let is_complete = requests.with(|requests| requests.is_complete);
            (!is_complete).then(|| view! { <p class="call__note">{m.get().calls_command_incomplete}</p> })
        }}
    }
}
