//! The number of unread messages beside a room's name.

use leptos::prelude::*;

/// The number, drawn by the style sheet: the link's name has it in words.
#[component]
pub(crate) fn UnreadBadge(
    /// Unread messages.
    unread: Signal<u32>,
) -> impl IntoView {
    let badge = move || match unread.get() {
        0 => None,
        unread @ 1..=999 => Some(unread.to_string()),
        _ => Some("999+".to_owned()),
    };
    view! { <span class="chat-rooms__unread" data-count=badge aria-hidden="true"></span> }
}
