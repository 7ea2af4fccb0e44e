//! A room in the list of rooms.

use std::collections::HashMap;

use chat_model::rooms::RoomSummary;
use leptos::prelude::*;

use super::unread_badge::UnreadBadge;
use crate::{
    i18n::{fill, provide_scoped_language, use_messages},
    icon::{Icon, IconKind},
    route::Route,
    scoped::{differs, scoped},
};

/// A link to a room.
#[component]
pub(super) fn RoomLink(
    /// The room's id.
    id: String,
    /// The id of the room that is shown.
    current: Signal<Option<String>>,
    /// All rooms, as they are.
    by_id: Memo<HashMap<String, RoomSummary>>,
) -> impl IntoView {
    // A link is made anew whenever its room changes to the other section.
    provide_scoped_language();
    let m = use_messages();
    let href = Route::Room { id: id.clone(), seq: None }.address();
    let wanted = id.clone();
    // A room that is gone loses its link in the same step.
    let room = scoped(move || by_id.with(|rooms| rooms.get(&wanted).cloned()).unwrap_or_default(), differs);
    let is_current = scoped(move || current.with(|current| current.as_deref() == Some(id.as_str())), differs);
    let unread = move || room.with(|room| room.unread);
    let label = move || {
        room.with(|room| match room.unread {
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
                aria-current=move || is_current.get().then_some("page")
                data-unread=move || (unread() > 0).then_some("")
            >
                <Icon kind=IconKind::Room />
                <span class="chat-rooms__name"><bdi>{move || room.with(|room| room.name.clone())}</bdi></span>
                <UnreadBadge unread=Signal::derive(unread) />
            </a>
        </li>
    }
}
