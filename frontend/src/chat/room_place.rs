//! The room of an address, or that there is none.

use leptos::prelude::*;

use super::{conversation::Conversation, outline::RoomOutline, store::use_chat, unknown_room::UnknownRoom};

/// The room of an address, once the rooms are known.
#[component]
pub(crate) fn RoomPlace(
    /// The id in the address.
    id: String,
    /// The message in the address.
    target: Signal<Option<u64>>,
) -> impl IntoView {
    let chat = use_chat();
    let room_id = id.clone();
    let room_name = Memo::new(move |_| {
        chat.rooms.with(|rooms| rooms.iter().find(|room| room.id == room_id).map(|room| room.name.clone()))
    });
    let name = Signal::derive(move || room_name.get().unwrap_or_default());
    // A memo, so that the conversation is not drawn anew when the rooms become known.
    let place = Memo::new(move |_| match room_name.with(Option::is_some) {
        true => Place::Room,
        // A room that the browser's copy lacks may exist.
        false if chat.is_ready.get() && chat.kept_at_ms.get().is_none() => Place::Unknown,
        false => Place::Loading,
    });
    move || match place.get() {
        Place::Room => view! { <Conversation room_id=id.clone() name target /> }.into_any(),
        Place::Unknown => view! { <UnknownRoom /> }.into_any(),
        Place::Loading => view! { <RoomOutline /> }.into_any(),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Room,
    Unknown,
    Loading,
}
