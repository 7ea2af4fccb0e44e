//! A message of the call: a line with its start, which opens to its content and its bytes.

use std::sync::Arc;

use grpc_inspect::{
    decode::{DecodedMessage, to_json},
    frame::{Direction, Frame, MAX_PAYLOAD_BYTES},
    json::JsonOptions,
};
use leptos::prelude::*;

use super::{
    state::Explorer,
    texts::{Texts, use_texts},
    transcript::Message,
};
use crate::{
    calls::{COMPACT, FrameKind, FrameLine, HexView, PRETTY, problem_text},
    copy_button::CopyButton,
    i18n::{Messages, fill, provide_scoped_language, use_language, use_messages},
    intl,
};

/// Longest text of a message that is shown, bytes. Its copy is whole.
const MAX_SHOWN_BYTES: usize = 256 * 1024;

/// The line, and the content when it is open. The reply of a call with one reply is open at first.
#[component]
pub(super) fn MessageRow(
    /// The message.
    message: Arc<Message>,
) -> impl IntoView {
    let explorer = expect_context::<Explorer>();
    provide_scoped_language();
    let t = use_texts();
    let language = use_language();
    let direction = message.direction;
    let is_reply =
        untrack(|| explorer.with_method(|method| !method.kind().server_streaming())).unwrap_or_default();
    let is_open = RwSignal::new(is_reply && direction == Direction::Received);
    let number = message.number;
    let name = move || {
        let direction = direction_text(t.get(), direction);
        [direction, " ", &intl::number(language.get(), number)].concat()
    };
    let length = message.bytes.len() as u64;
    let preview = {
        let message = message.clone();
        move || decoded(explorer, &message, &COMPACT).map(|decoded| decoded.json).unwrap_or_default()
    };
    view! {
        <div class="explorer-message" data-direction=if direction == Direction::Sent { "sent" } else { "received" }>
            <FrameLine is_open name elapsed=message.elapsed length preview />
            {move || is_open.get().then(|| view! { <MessageBody message=message.clone() /> })}
        </div>
    }
}

/// The message as JSON with remarks, and its bytes.
#[component]
fn MessageBody(
    /// The message.
    message: Arc<Message>,
) -> impl IntoView {
    let explorer = expect_context::<Explorer>();
    let t = use_texts();
    let m = use_messages();
    let language = use_language();
    let frame = frame(&message);
    let direction = message.direction;
    let says = {
        let message = message.clone();
        move || match decoded(explorer, &message, &PRETTY) {
            None => view! { <p class="call-frame__remark">{t.get().bytes_only}</p> }.into_any(),
            Some(decoded) => {
                let remarks = remarks(t.get(), m.get(), &decoded);
                let remarks =
                    remarks.into_iter().map(|text| view! { <p class="call-frame__remark">{text}</p> });
                let remarks = remarks.collect_view();
                let shown = shortened(&decoded.json);
                view! {
                    <pre class="code call-frame__json" tabindex="0">{shown}</pre>
                    {remarks}
                    <div><CopyButton text=decoded.json /></div>
                }
                .into_any()
            }
        }
    };
    view! {
        <div class="call-frame__body">
            <div class="call-frame__columns">
                <div class="call-frame__says">{says}</div>
                {move || {
                    let kind = FrameKind::Message(direction);
                    view! { <HexView frame=frame.clone() kind m=m.get() language=language.get() /> }
                }}
            </div>
        </div>
    }
}

fn direction_text(t: &Texts, direction: Direction) -> &'static str {
    match direction {
        Direction::Sent => t.direction_sent,
        Direction::Received => t.direction_received,
    }
}

/// The message by the descriptors of the method that is shown.
fn decoded(explorer: Explorer, message: &Message, options: &JsonOptions) -> Option<DecodedMessage> {
    explorer.with_method(|method| {
        let descriptor = match message.direction {
            Direction::Sent => method.request(),
            Direction::Received => method.response(),
        };
        to_json(descriptor, &message.bytes, options)
    })
}

fn remarks(t: &Texts, m: &Messages, decoded: &DecodedMessage) -> Vec<String> {
    let problem = decoded.problem.map(|problem| problem_text(m, problem));
    let unknown = (decoded.unknown_field_count > 0)
        .then(|| fill(t.more_unknown, &[("count", &decoded.unknown_field_count.to_string())]));
    problem.into_iter().chain(unknown).collect()
}

/// The start of a long text.
fn shortened(text: &str) -> String {
    if text.len() <= MAX_SHOWN_BYTES {
        return text.to_owned();
    }
    let end = (0..=MAX_SHOWN_BYTES).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    [&text[..end], "…"].concat()
}

/// The message as a frame that came without compression.
fn frame(message: &Message) -> Frame {
    Frame {
        number: message.number,
        elapsed: message.elapsed,
        flags: 0,
        length: message.bytes.len(),
        payload: message.bytes.slice(..message.bytes.len().min(MAX_PAYLOAD_BYTES)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(shortened("世界"), "世界");
        let long = "世".repeat(MAX_SHOWN_BYTES);
        let shown = shortened(&long);
        assert!(shown.len() <= MAX_SHOWN_BYTES + "…".len() && shown.ends_with("世…"));
    }

    #[test]
    fn a_frame_has_the_start_of_a_long_message() {
        let bytes = bytes::Bytes::from(vec![7; MAX_PAYLOAD_BYTES + 1]);
        let elapsed = std::time::Duration::ZERO;
        let frame = frame(&Message { number: 1, direction: Direction::Received, elapsed, bytes });
        assert_eq!((frame.length, frame.payload.len()), (MAX_PAYLOAD_BYTES + 1, MAX_PAYLOAD_BYTES));
    }
}
