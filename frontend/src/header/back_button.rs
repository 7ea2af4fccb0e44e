//! The button to the list of rooms, which a narrow page shows instead of the room.

use leptos::prelude::*;

use crate::{
    chat::back_to_rooms,
    i18n::{fill, use_messages},
    icon::{Icon, IconKind},
    session_context::PageTitle,
};

/// The button "Back to rooms", with the number of unread messages there.
#[component]
pub(super) fn BackButton() -> impl IntoView {
    let m = use_messages();
    let title = expect_context::<PageTitle>();
    let label = move || match title.unread_elsewhere.get() {
        0 => m.get().back_to_rooms.to_owned(),
        unread => fill(m.get().back_to_rooms_unread, &[("count", &unread.to_string())]),
    };
    let badge = move || match title.unread_elsewhere.get() {
        0 => None,
        unread @ 1..=99 => Some(unread.to_string()),
        _ => Some("99+".to_owned()),
    };
    view! {
        <button
            type="button"
            class="button button--icon header__back"
            aria-label=label
            on:click=move |_| back_to_rooms()
        >
            <Icon kind=IconKind::Back />
            <span class="chat-rooms__unread" data-count=badge></span>
        </button>
    }
}
