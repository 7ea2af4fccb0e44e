//! The button "New room" and its dialog.

mod form;

use leptos::prelude::*;

use self::form::NewRoomForm;
use crate::{
    chunk::{ShowPart, part},
    dialog::{Dialog, DialogHandle},
    i18n::text,
    icon::{Icon, IconKind},
};

part!(NEW_ROOM, dialogs: view! { <NewRoomForm /> });

/// The button, and the dialog that it opens.
#[component]
pub(crate) fn NewRoom() -> impl IntoView {
    let dialog = DialogHandle::with_part(NEW_ROOM);
    view! {
        <button
            type="button"
            class="button button--icon"
            aria-label=text(|m| m.new_room)
            title=text(|m| m.new_room)
            on:click=move |_| dialog.open()
        >
            <Icon kind=IconKind::Add />
        </button>
        <Dialog handle=dialog label=text(|m| m.new_room)>
            <ShowPart part=NEW_ROOM />
        </Dialog>
    }
}
