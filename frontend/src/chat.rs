//! The chat's page: joining, or the rooms.

mod calendar;
mod composer;
mod conversation;
mod effects;
mod join;
mod list;
mod message;
mod name_form;
mod new_room;
mod outline;
mod room_place;
mod rooms_nav;
mod rooms_view;
mod runtime;
mod start;
mod store;
mod strip;
mod switcher;
mod text_view;
mod unknown_room;

use chat_model::model::Phase;
use leptos::prelude::*;

pub(crate) use self::{join::JOIN, rooms_view::back_to_rooms, strip::ConnectionStrip, switcher::Switcher};
use self::{outline::ChatOutline, rooms_view::RoomsView, start::page_chat, store::use_chat};
use crate::{
    api::Api,
    chunk::ShowPart,
    session_context::{PageTitle, SessionContext},
};

/// Starts the chat, whichever view is open, and provides it as a context. Call once, in the application's root.
pub(crate) fn provide_chat(api: Api) {
    join::preload_for_newcomers();
    let chat = page_chat(api, expect_context::<SessionContext>());
    provide_context(chat);
    let title = expect_context::<PageTitle>();
    Effect::new(move |_| {
        let unread: u64 = chat.rooms.with(|rooms| rooms.iter().map(|room| u64::from(room.unread)).sum());
        if title.unread.get_untracked() != unread {
            title.unread.set(unread);
        }
    });
}

/// The chat: the form "Join" while nobody is signed in, otherwise the rooms.
#[component]
pub(crate) fn ChatPage() -> impl IntoView {
    let chat = use_chat();
    let title = expect_context::<PageTitle>();
    on_cleanup(move || {
        chat.set_view(None);
        title.room.set(None);
    });
    move || match chat.phase.get() {
        // The strip says so when this takes long.
        Phase::Starting => view! { <ChatOutline /> }.into_any(),
        Phase::SignedOut { .. } => {
            title.room.set(None);
            view! { <ShowPart part=JOIN /> }.into_any()
        }
        Phase::SignedIn => view! { <RoomsView /> }.into_any(),
    }
}
