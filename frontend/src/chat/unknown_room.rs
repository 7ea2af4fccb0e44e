//! An address whose room does not exist.

use leptos::prelude::*;

use super::store::use_chat;
use crate::{
    i18n::{fill, text, use_messages},
    route::Route,
};

/// The message that there is no such room, and a link to one.
#[component]
pub(crate) fn UnknownRoom() -> impl IntoView {
    let m = use_messages();
    let chat = use_chat();
    let first = move || chat.rooms.with(|rooms| rooms.first().cloned());
    view! {
        <section class="chat-room">
            <div class="chat-unknown">
                <h1>{text(|m| m.room_unknown_title)}</h1>
                <p>{text(|m| m.room_unknown_text)}</p>
                {move || first().map(|room| view! {
                    <a class="button" href=Route::Room { id: room.id, seq: None }.address()>
                        {move || fill(m.get().to_first_room, &[("room", &room.name)])}
                    </a>
                })}
            </div>
        </section>
    }
}
