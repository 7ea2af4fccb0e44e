//! The header of a room: its name, and who created it.

use leptos::prelude::*;

use super::super::store::use_chat;
use crate::{
    i18n::{fill, use_language, use_messages},
    icon::{Icon, IconKind},
    intl::{self, Moment},
    scoped::{differs, scoped},
};

/// The header. On a narrow page the page's header shows the name, and this one is for screen readers.
#[component]
pub(super) fn RoomHeader(
    /// The room's id.
    room_id: String,
    /// The room's name.
    name: Signal<String>,
) -> impl IntoView {
    let m = use_messages();
    let language = use_language();
    let chat = use_chat();
    let read = move || {
        chat.version.track();
        chat.read_room(&room_id, |room| {
            (room.creator().map(|creator| creator.name.clone()), room.created_at_ms())
        })
    };
    let creation = scoped(read, differs);
    let sentence = move || {
        let (creator, at_ms) = creation.get()?;
        let day = intl::moment(language.get(), Moment::DayWithYear, at_ms);
        Some(match creator {
            Some(name) => fill(m.get().room_created_by, &[("name", &name), ("day", &day)]),
            None => fill(m.get().room_created_on, &[("day", &day)]),
        })
    };
    view! {
        <header class="chat-room__head">
            <h1 title=name>
                <Icon kind=IconKind::Room />
                <span>{name}</span>
            </h1>
            <p class="chat-room__about">{sentence}</p>
        </header>
    }
}
