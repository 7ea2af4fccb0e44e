//! The list of rooms and the room of the address: side by side, or one at a time on a narrow page.

use chat_model::rooms::RoomSummary;
use leptos::{prelude::*, task::spawn_local};
use proto::limits::chat::GENERAL_ROOM;

use super::{
    outline::LAST_ROOM_KEY,
    room_place::RoomPlace,
    rooms_nav::RoomsNav,
    store::{Chat, set_if_changed, use_chat},
};
use crate::{
    focus,
    i18n::text,
    route::{Route, navigate, use_route},
    session_context::PageTitle,
    storage,
};

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
    let shows_rooms = Memo::new(move |_| route.get() == Route::Rooms);
    keep_focus(room_id);
    redirect_home(chat, room_id);
    show_room_in_title(chat, room_id);
    let current = Signal::derive(move || room_id.get());
    view! {
        <div class="chat" data-view=move || if shows_rooms.get() { "rooms" } else { "room" }>
            <RoomsNav current />
            {move || room_id.get().map(|id| view! { <RoomPlace id target /> })}
            <Show when=move || shows_rooms.get() fallback=|| ()>
                // A wide page has a place beside the list.
                <p class="chat-unknown">{text(|m| m.choose_room)}</p>
            </Show>
        </div>
    }
}

/// Shows the list of rooms, with the focus on the room that was shown.
pub(crate) fn back_to_rooms() {
    let room = use_route().get_untracked();
    navigate(&Route::Rooms, false);
    spawn_local(async move {
        leptos::task::tick().await;
        focus::focus(&[".chat-rooms a[href=\"", &room.address(), "\"]"].concat());
    });
}

/// Focuses the messages of a room that was chosen from a list that is hidden then. On a wide page the list keeps the focus, or the composer
/// takes it.
fn keep_focus(room_id: Memo<Option<String>>) {
    Effect::new(move |before: Option<Option<String>>| {
        let id = room_id.get();
        if id.is_some() && before.is_some_and(|before| before != id) {
            spawn_local(async move {
                leptos::task::tick().await;
                if focus::is_lost() {
                    focus::focus(".chat-log");
                }
            });
        }
        id
    });
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
        let (name, elsewhere) = chat.rooms.with(|rooms| {
            let is_shown = |room: &&RoomSummary| Some(&room.id) == id.as_ref();
            let name = rooms.iter().find(is_shown).map(|room| room.name.clone());
            let others = rooms.iter().filter(|room| !is_shown(room));
            (name, others.map(|room| u64::from(room.unread)).sum())
        });
        set_if_changed(title.unread_elsewhere, elsewhere);
        set_if_changed(title.room, name);
    });
}
