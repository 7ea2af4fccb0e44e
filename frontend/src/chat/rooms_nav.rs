//! The list of rooms.

use std::collections::HashMap;

use leptos::prelude::*;

use super::{
    new_room::NewRoom,
    store::{RoomSummary, use_chat},
};
use crate::{
    i18n::{fill, text, use_messages},
    icon::{Icon, IconKind},
    route::Route,
};

/// The rooms, each a link named by the room and its unread messages.
#[component]
pub(crate) fn RoomsNav(
    /// The room that is shown.
    current: Signal<Option<String>>,
    /// Called when a room was chosen, also the one that is shown.
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

#[component]
fn RoomLink(
    room: RoomSummary,
    current: Signal<Option<String>>,
    by_id: Memo<HashMap<String, RoomSummary>>,
) -> impl IntoView {
    let m = use_messages();
    let id = room.id.clone();
    let now = Memo::new(move |_| by_id.with(|rooms| rooms.get(&id).unwrap_or(&room).clone()));
    let id = now.with_untracked(|room| room.id.clone());
    let href = Route::Room { id: id.clone(), seq: None }.path();
    let is_current = move || current.with(|current| current.as_deref() == Some(id.as_str()));
    let unread = move || now.with(|room| room.unread);
    let label = move || {
        now.with(|room| match room.unread {
            0 => room.name.clone(),
            unread => fill(m.get().room_unread, &[("room", &room.name), ("count", &unread.to_string())]),
        })
    };
    view! {
        <li>
            <a
                class="chat-rooms__link"
                href=href
                aria-label=label
                aria-current=move || is_current().then_some("page")
                data-unread=move || (unread() > 0).then_some("")
            >
                <Icon kind=IconKind::Room />
                <span class="chat-rooms__name">{move || now.with(|room| room.name.clone())}</span>
                <UnreadBadge unread=Signal::derive(unread) />
            </a>
        </li>
    }
}

/// The number beside a room's name. Drawn by the style sheet: the link's name says it in words.
#[component]
pub(crate) fn UnreadBadge(unread: Signal<u32>) -> impl IntoView {
    let badge = move || match unread.get() {
        0 => None,
        unread @ 1..=999 => Some(unread.to_string()),
        _ => Some("999+".to_owned()),
    };
    view! { <span class="chat-rooms__unread" data-count=badge aria-hidden="true"></span> }
}
