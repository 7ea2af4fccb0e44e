//! One room: its header, its messages, the ways to unread and to the newest ones, and the composer.

mod announcer;
mod history_edge;
mod jump_to_latest;
mod message_list;
mod missing_message;
mod room_header;
mod unread_bar;

use leptos::{ev, prelude::*};
use wasm_bindgen::JsCast;

use self::{
    announcer::Announcer, jump_to_latest::JumpToLatest, message_list::MessageList,
    missing_message::MissingMessage, room_header::RoomHeader, unread_bar::UnreadBar,
};
use super::{
    composer::{Composer, ComposerHandle, is_typing},
    list::ListView,
    store::use_chat,
};
use crate::{
    i18n::provide_scoped_language,
    route::{Route, navigate},
};

/// A room.
#[component]
pub(crate) fn Conversation(
    /// The room's id.
    room_id: String,
    /// The room's name.
    name: Signal<String>,
    /// The message in the address, which is shown and highlighted.
    target: Signal<Option<u64>>,
) -> impl IntoView {
    provide_scoped_language();
    let chat = use_chat();
    let list = ListView::new(chat, room_id.clone(), name, target.get_untracked());
    Effect::new(move |previous: Option<Option<u64>>| {
        let target = target.get();
        if let Some(seq) = target.filter(|_| previous.is_some_and(|previous| previous != target)) {
            list.go_to(seq);
        }
        target
    });
    let id = room_id.clone();
    let to_end = Callback::new(move |()| {
        // The message leaves the address.
        if target.get_untracked().is_some() {
            navigate(&Route::Room { id: id.clone(), seq: None }, true);
        }
        list.go_to_end();
    });
    // At the end, the list follows a message as soon as it is drawn.
    let written = Callback::new(move |()| {
        if target.get_untracked().is_some() || !list.is_at_end() {
            to_end.run(());
        }
    });
    let composer = ComposerHandle::new();
    provide_context(composer);
    let keydown = move |event: ev::KeyboardEvent| {
        if event.default_prevented() || !belongs_to_room(&event) {
            return;
        }
        if event.key() == "Escape" && !event.is_composing() {
            composer.focus();
            if !list.at_end.get_untracked() || list.is_target_missing.get_untracked() {
                to_end.run(());
            }
        } else if is_typing(&event) && !is_control(&event) {
            // The browser types into the field that has the focus after this event.
            composer.focus();
        }
    };
    view! {
        <section class="chat-room" aria-label=move || name.get() on:keydown=keydown>
            <RoomHeader room_id=room_id.clone() name />
            <div class="chat-room__list">
                <MissingMessage list to_end />
                <MessageList list />
                <UnreadBar list />
                <JumpToLatest list to_end />
            </div>
            <Composer handle=composer room_id room_name=name written />
            <Announcer list />
        </section>
    }
}

/// Whether a key is meant for the room rather than for something that floats above it.
fn belongs_to_room(event: &ev::KeyboardEvent) -> bool {
    let floats = document().query_selector(":popover-open, dialog[open]");
    // A browser that does not know popovers has none open.
    floats.is_ok_and(|floats| floats.is_none()) || event.key() != "Escape"
}

/// Whether a key goes to a field, a button or a link.
fn is_control(event: &ev::KeyboardEvent) -> bool {
    let element = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    element.is_none_or(|element| {
        // The selector is valid.
        element.closest("a, button, input, textarea, select, dialog").ok().flatten().is_some()
    })
}
