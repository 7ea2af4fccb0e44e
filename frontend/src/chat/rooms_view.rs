//! The list of rooms and the room of the address: side by side, or one at a time on a narrow page.

use leptos::prelude::*;
use proto::limits::chat::GENERAL_ROOM;

use super::{
    room_place::RoomPlace,
    rooms_nav::RoomsNav,
    store::{Chat, use_chat},
    switcher::Switcher,
};
use crate::{
    route::{Route, navigate, use_route},
    session_context::PageTitle,
    storage,
};

/// Storage key of the last room that was shown.
const LAST_ROOM_KEY: &str = "chinwag.room";

/// The rooms.
#[component]
pub(crate) fn RoomsView() -> impl IntoView {
    let chat = use_chat();
    let route = use_route();
    let room_id = Memo::new(move |_| match route.get() {
        Route::Room { id, .. } => Some(id),
        _ => None,
    });
    let target = Signal::derive(move || match route.get() {
        Route::Room { seq, .. } => seq,
        _ => None,
    });
    // The one that a narrow page shows.
    let shows_rooms = RwSignal::new(false);
    let chosen = Callback::new(move |()| shows_rooms.set(false));
    let back = Callback::new(move |()| shows_rooms.set(true));
    redirect_home(chat, room_id);
    show_room_in_title(chat, room_id);
    let current = Signal::derive(move || room_id.get());
    view! {
        <div class="chat" data-view=move || if shows_rooms.get() { "rooms" } else { "room" }>
            <RoomsNav current chosen />
            {move || room_id.get().map(|id| view! { <RoomPlace id target back /> })}
            <Switcher chosen />
        </div>
    }
}

/// Redirects `/` to the last room that was shown, or to the first one, and remembers the room that is shown.
fn redirect_home(chat: Chat, room_id: Memo<Option<String>>) {
    let route = use_route();
    Effect::new(move |_| {
        if let Some(id) = room_id.get() {
            if chat.rooms.with(|rooms| rooms.iter().any(|room| room.id == id)) {
                storage::set(LAST_ROOM_KEY, &id);
            }
            return;
        }
        // Just before another page is shown there is no room either.
        if !chat.is_ready.get() || route.get_untracked() != Route::Home {
            return;
        }
        let last = storage::get(LAST_ROOM_KEY);
        let exists = |id: &String| chat.rooms.with_untracked(|rooms| rooms.iter().any(|room| room.id == *id));
        let id = last.filter(exists).unwrap_or_else(|| GENERAL_ROOM.to_owned());
        navigate(&Route::Room { id, seq: None }, true);
    });
}

fn show_room_in_title(chat: Chat, room_id: Memo<Option<String>>) {
    let title = expect_context::<PageTitle>();
    Effect::new(move |_| {
        let id = room_id.get();
        let name = chat.rooms.with(|rooms| {
            let room = rooms.iter().find(|room| Some(&room.id) == id.as_ref());
            room.map(|room| room.name.clone())
        });
        if title.room.with_untracked(|shown| *shown != name) {
            title.room.set(name);
        }
    });
}
