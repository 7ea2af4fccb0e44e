//! The list of rooms.

mod room_link;
mod unread_badge;

use std::collections::HashMap;

use chat_model::rooms::RoomSummary;
use leptos::prelude::*;

use self::room_link::RoomLink;
pub(crate) use self::unread_badge::UnreadBadge;
use super::{new_room::NewRoom, store::use_chat};
use crate::i18n::text;

/// The rooms, each a link named by the room and its unread messages.
#[component]
pub(crate) fn RoomsNav(
    /// The id of the room that is shown.
    current: Signal<Option<String>>,
    /// Called when a room is chosen, also the one that is shown.
    chosen: Callback<()>,
) -> impl IntoView {
    let chat = use_chat();
    let by_id = Memo::new(move |_| {
        chat.rooms.with(|rooms| -> HashMap<String, RoomSummary> {
            rooms.iter().map(|room| (room.id.clone(), room.clone())).collect()
        })
    });
    view! {
        <div class="chat-rooms">
            <div class="chat-rooms__head">
                <h2 aria-hidden="true">{text(|m| m.rooms)}</h2>
                <NewRoom />
            </div>
            <nav class="chat-rooms__nav" aria-label=text(|m| m.rooms) on:click=move |_| chosen.run(())>
                <ul>
                    <For
                        each=move || chat.rooms.get()
                        key=|room| room.id.clone()
                        children=move |room| view! { <RoomLink room current by_id /> }
                    />
                </ul>
            </nav>
        </div>
    }
}
