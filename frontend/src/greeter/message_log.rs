//! The list of a card's messages.

use leptos::{html, prelude::*};

use crate::i18n::{Text, text};

/// Distance from the end within which a reader counts as being there, in pixels.
const AT_END: i32 = 24;

/// The messages. While the reader is at the end, the newest one stays in view.
#[component]
pub(super) fn MessageLog(
    /// Its name.
    label: Text,
    /// The sentence while there are no messages.
    placeholder: Text,
    /// Whether it is lower than usual, and shows directions.
    #[prop(optional)]
    of_exchange: bool,
    /// Tracks the messages.
    #[prop(into)]
    changed: Signal<()>,
    children: Children,
) -> impl IntoView {
    let log = NodeRef::<html::Div>::new();
    let at_end = StoredValue::new(true);
    Effect::new(move || {
        changed.get();
        if let Some(log) = log.get().filter(|_| at_end.get_value()) {
            // After the rows are drawn.
            request_animation_frame(move || log.set_scroll_top(log.scroll_height()));
        }
    });
    let note_position = move |_| {
        if let Some(log) = log.get_untracked() {
            at_end.set_value(log.scroll_height() - log.scroll_top() - log.client_height() < AT_END);
        }
    };
    view! {
        <div
            class="greetings"
            class:greetings--exchange=of_exchange
            role="log"
            aria-label=text(label)
            tabindex="0"
            data-placeholder=text(placeholder)
            node_ref=log
            on:scroll=note_position
        >
            {children()}
        </div>
    }
}
