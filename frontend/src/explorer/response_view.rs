//! The response: status and facts, messages in both directions, metadata.

use leptos::{html, prelude::*};

use super::{
    failure_view::FailureView,
    message_row::MessageRow,
    state::Explorer,
    texts::{say, use_texts},
};
use crate::{
    calls::MetadataList,
    i18n::{fill, use_language},
    intl,
    row_list::RowList,
    run::Facts,
};

/// Distance from the end within which a reader counts as being there, in pixels.
const AT_END: i32 = 24;

/// The response.
#[component]
pub(super) fn ResponseView() -> impl IntoView {
    let explorer = expect_context::<Explorer>();
    let exchange = explorer.exchange;
    let is_empty = move || !exchange.run.is_running() && exchange.run.outcome.with(Option::is_none);
    let sent = Signal::derive(move || exchange.drawn.with(|drawn| drawn.sent));
    let received = Signal::derive(move || exchange.drawn.with(|drawn| drawn.received));
    view! {
        <section class="explorer-response" aria-label=say(|t| t.response)>
            <h3 class="explorer__title">{say(|t| t.response)}</h3>
            <Show when=is_empty fallback=|| ()>
                <p class="explorer-response__none">{say(|t| t.response_none)}</p>
            </Show>
            // Its duration changes all the time, so it is no status for screen readers.
            <Facts run=exchange.run sent received />
            <div role="status">
                <FailureView />
            </div>
            <Messages />
            <div class="explorer-response__metadata">
                <MetadataList title=|m| m.calls_response_metadata entries=exchange.headers />
                <MetadataList title=|m| m.calls_trailers entries=exchange.trailers />
            </div>
        </section>
    }
}

/// The messages that are kept. While the reader is at the end, the newest one stays in view.
#[component]
fn Messages() -> impl IntoView {
    let explorer = expect_context::<Explorer>();
    let drawn = explorer.exchange.drawn;
    let t = use_texts();
    let language = use_language();
    let list = NodeRef::<html::Div>::new();
    let at_end = StoredValue::new(true);
    Effect::new(move || {
        drawn.track();
        if let Some(list) = list.get().filter(|_| at_end.get_value()) {
            // After the rows are drawn.
            request_animation_frame(move || list.set_scroll_top(list.scroll_height()));
        }
    });
    let note_position = move |_| {
        if let Some(list) = list.get_untracked() {
            at_end.set_value(list.scroll_height() - list.scroll_top() - list.client_height() < AT_END);
        }
    };
    let dropped = move || {
        let (kept, dropped) = drawn.with(|drawn| (drawn.messages.len() as u64, drawn.dropped));
        let number = |value| intl::number(language.get(), value);
        (dropped > 0).then(|| {
            let text =
                fill(t.get().newest_of, &[("kept", &number(kept)), ("count", &number(kept + dropped))]);
            view! { <p class="call-frames__dropped">{text}</p> }
        })
    };
    view! {
        <Show when=move || drawn.with(|drawn| !drawn.messages.is_empty()) fallback=|| ()>
            {dropped}
            <div
                class="explorer-messages"
                role="log"
                tabindex="0"
                aria-label=say(|t| t.messages_of_call)
                node_ref=list
                on:scroll=note_position
            >
                <RowList
                    each=move || drawn.with(|drawn| drawn.messages.clone())
                    key=|message| (message.direction == grpc_inspect::frame::Direction::Sent, message.number)
                    let:message
                >
                    <MessageRow message />
                </RowList>
            </div>
        </Show>
    }
}
