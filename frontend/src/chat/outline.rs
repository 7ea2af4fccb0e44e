//! The outlines of the chat's parts while it starts, in the places of the shell in `index.html`.

use leptos::prelude::*;

use crate::storage;

/// Storage key of the last room that was shown. The shell in `index.html` reads the same key.
pub(super) const LAST_ROOM_KEY: &str = "chinwag.room";

/// The outlines of rooms and room; nothing where the form to join comes next.
#[component]
pub(super) fn ChatOutline() -> impl IntoView {
    storage::get(LAST_ROOM_KEY).is_some().then(|| {
        view! {
            <div class="chat" data-view="room" aria-hidden="true">
                <div class="chat-rooms"></div>
                <RoomOutline />
            </div>
        }
    })
}

/// The outlines of a room's header and composer.
#[component]
pub(super) fn RoomOutline() -> impl IntoView {
    view! {
        <div class="chat-room" aria-hidden="true">
            <div class="chat-room__head"></div>
            <div class="chat-composer">
                <p class="chat-composer__limit"></p>
                <div class="chat-composer__box">
                    <div class="chat-composer__field">"\u{a0}"</div>
                </div>
            </div>
        </div>
    }
}
