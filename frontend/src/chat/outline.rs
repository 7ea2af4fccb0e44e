//! The outlines of the chat's parts while it starts, in the places of the shell in `index.html`.

use leptos::prelude::*;

use super::rooms_view::has_last_room;

/// The outlines of rooms and room; nothing where the form to join comes next.
#[component]
pub(super) fn ChatOutline() -> impl IntoView {
    has_last_room().then(|| {
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
