//! The chat's page: signing in, the rooms, and the one that is shown.

mod calendar;
mod composer;
mod connection;
mod conversation;
mod drafts;
mod join;
mod list;
mod message;
mod naming;
mod new_room;
mod outbox;
mod outbox_store;
mod rooms_nav;
mod rows;
mod sending;
mod session;
mod state;
mod store;
mod strip;
mod switcher;
mod text;
mod text_view;
mod window;

use leptos::prelude::*;

use self::{
    conversation::Conversation,
    join::JoinForm,
    rooms_nav::RoomsNav,
    store::{Chat, Phase, use_chat},
    strip::ConnectionStrip,
    switcher::Switcher,
};
use crate::{
    api::use_api,
    app::{PageTitle, SessionContext},
    i18n::{fill, text, use_messages},
    icon::{Icon, IconKind},
    route::{Route, navigate, use_route},
    storage,
};

/// The room that was shown last.
const LAST_ROOM_KEY: &str = "chinwag.room";

/// Made with the first database; see chat.proto.
const FIRST_ROOM: &str = proto::limits::chat::GENERAL_ROOM;

/// The chat: the form "Join" for who is not signed in, otherwise the rooms.
#[component]
pub fn ChatPage() -> impl IntoView {
    let chat = Chat::get(use_api(), expect_context::<SessionContext>());
    provide_context(chat);
    let title = expect_context::<PageTitle>();
    on_cleanup(move || {
        chat.set_view(None);
        title.room.set(None);
    });
    Effect::new(move |_| {
        let unread: u64 = chat.rooms.with(|rooms| rooms.iter().map(|room| u64::from(room.unread)).sum());
        if title.unread.get_untracked() != unread {
            title.unread.set(unread);
        }
    });
    move || match chat.phase.get() {
        // The strip speaks up when this takes long.
        Phase::Starting => view! { <div class="chat-starting"><ConnectionStrip /></div> }.into_any(),
        Phase::Joining { ended } => {
            title.room.set(None);
            view! { <JoinForm ended /> }.into_any()
        }
        Phase::In => view! { <Rooms /> }.into_any(),
    }
}

/// The rooms and the one that is shown: side by side, or one at a time on a narrow page.
#[component]
fn Rooms() -> impl IntoView {
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
    // Which of the two a narrow page shows.
    let shows_rooms = RwSignal::new(false);
    let chosen = Callback::new(move |()| shows_rooms.set(false));
    let back = Callback::new(move |()| shows_rooms.set(true));
    go_home_to_a_room(chat, room_id);
    name_the_tab(chat, room_id);
    let current = Signal::derive(move || room_id.get());
    view! {
        <div class="chat" data-view=move || if shows_rooms.get() { "rooms" } else { "room" }>
            <RoomsNav current chosen />
            {move || room_id.get().map(|id| view! { <RoomPlace id target back /> })}
            <Switcher chosen />
        </div>
    }
}

/// The room of an address, once it is known whether there is one.
#[component]
fn RoomPlace(id: String, target: Signal<Option<u64>>, back: Callback<()>) -> impl IntoView {
    let chat = use_chat();
    let known_as = id.clone();
    let known = Memo::new(move |_| {
        let ready = chat.ready.get();
        chat.rooms.with(|rooms| match rooms.iter().find(|room| room.id == known_as) {
            Some(room) => Ok(room.name.clone()),
            None => Err(ready),
        })
    });
    let name = Signal::derive(move || known.get().unwrap_or_default());
    let presence = Memo::new(move |_| known.with(|known| known.as_ref().map(drop).map_err(|ready| *ready)));
    move || match presence.get() {
        Ok(()) => view! { <Conversation room_id=id.clone() name target back /> }.into_any(),
        Err(true) => view! { <UnknownRoom back /> }.into_any(),
        Err(false) => view! { <div class="chat-starting"><ConnectionStrip /></div> }.into_any(),
    }
}

#[component]
fn UnknownRoom(back: Callback<()>) -> impl IntoView {
    let m = use_messages();
    let chat = use_chat();
    let first = move || chat.rooms.with(|rooms| rooms.first().cloned());
    view! {
        <section class="chat-room">
            <header class="chat-room__head">
                <button
                    type="button"
                    class="button button--icon"
                    aria-label=text(|m| m.back_to_rooms)
                    on:click=move |_| back.run(())
                >
                    <Icon kind=IconKind::Back />
                </button>
            </header>
            <ConnectionStrip />
            <div class="chat-unknown">
                <h1>{text(|m| m.room_unknown_title)}</h1>
                <p>{text(|m| m.room_unknown_text)}</p>
                {move || first().map(|room| view! {
                    <a class="button" href=Route::Room { id: room.id, seq: None }.path()>
                        {move || fill(m.get().to_first_room, &[("room", &room.name)])}
                    </a>
                })}
            </div>
        </section>
    }
}

/// `/` leads to the room that was shown last, as long as there is one of that id.
fn go_home_to_a_room(chat: Chat, room_id: Memo<Option<String>>) {
    let route = use_route();
    Effect::new(move |_| {
        if let Some(id) = room_id.get() {
            if chat.rooms.with(|rooms| rooms.iter().any(|room| room.id == id)) {
                storage::set(LAST_ROOM_KEY, &id);
            }
            return;
        }
        // On the way to another page there is no room either, for the moment until the chat is gone.
        if !chat.ready.get() || route.get_untracked() != Route::Home {
            return;
        }
        let last = storage::get(LAST_ROOM_KEY);
        let there_is = |id: &str| chat.rooms.with_untracked(|rooms| rooms.iter().any(|room| room.id == id));
        let id = last.filter(|id| there_is(id)).unwrap_or_else(|| FIRST_ROOM.to_owned());
        navigate(&Route::Room { id, seq: None }, true);
    });
}

fn name_the_tab(chat: Chat, room_id: Memo<Option<String>>) {
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
