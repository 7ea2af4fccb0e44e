//! One room: its messages, the button to the newest one, and the composer.

mod announcer;
mod back_button;
mod history_edge;
mod jump_to_latest;
mod message_list;

use leptos::prelude::*;

pub(crate) use self::back_button::BackButton;
use self::{announcer::Announcer, jump_to_latest::JumpToLatest, message_list::MessageList};
use super::{composer::Composer, list::ListView, store::use_chat};
use crate::route::{Route, navigate};

/// A room.
#[component]
pub(crate) fn Conversation(
    /// The room's id.
    room_id: String,
    /// The room's name.
    name: Signal<String>,
    /// The message in the address, which is shown and highlighted.
    target: Signal<Option<u64>>,
    /// Called to show the list of rooms on a narrow page.
    back: Callback<()>,
) -> impl IntoView {
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
    view! {
        <section class="chat-room" aria-label=move || name.get()>
            <header class="chat-room__head">
                <BackButton back />
                <h1>{move || name.get()}</h1>
            </header>
            <div class="chat-room__list">
                <MessageList list />
                <JumpToLatest list to_end />
            </div>
            <Composer room_id room_name=name written=to_end />
            <Announcer list />
        </section>
    }
}
