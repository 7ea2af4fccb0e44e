//! The search field of the room switcher and the rooms that it finds.

use chat_model::rooms::{RoomSummary, search};
use leptos::{ev, html, prelude::*};

use super::super::{rooms_nav::UnreadBadge, store::use_chat};
use crate::{
    dialog::DialogHandle,
    i18n::{text, use_messages},
    icon::{Icon, IconKind},
    js_std::lower_case,
    route::{Route, navigate},
};

/// The rooms that match the query, and the selected one.
#[derive(Clone, Copy)]
struct Found {
    rooms: Memo<Vec<RoomSummary>>,
    selected: RwSignal<usize>,
}

impl Found {
    /// The id of the selected room.
    fn selected_id(self) -> Option<String> {
        self.rooms.with(|rooms| rooms.get(self.selected.get()).map(|room| room.id.clone()))
    }

    /// Moves the selection by the arrow keys, around both ends. Returns whether the key did so.
    fn moved_by(self, event: &ev::KeyboardEvent) -> bool {
        let count = self.rooms.with_untracked(Vec::len).max(1);
        match event.key().as_str() {
            "ArrowDown" => self.selected.update(|at| *at = (*at + 1) % count),
            "ArrowUp" => self.selected.update(|at| *at = (*at + count - 1) % count),
            _ => return false,
        }
        true
    }
}

/// The form.
#[component]
pub(super) fn SwitcherForm() -> impl IntoView {
    let dialog = expect_context::<DialogHandle>();
    let m = use_messages();
    let chat = use_chat();
    let query = RwSignal::new(String::new());
    let rooms =
        Memo::new(move |_| chat.rooms.with(|rooms| query.with(|query| search(rooms, query, lower_case))));
    let found = Found { rooms, selected: RwSignal::new(0) };
    let field = NodeRef::<html::Input>::new();
    field.on_load(|field| {
        // An input in the document takes the focus.
        field.focus().ok();
    });
    let go = Callback::new(move |id: String| {
        dialog.close();
        navigate(&Route::Room { id, seq: None }, false);
    });
    let submit = move |event: ev::SubmitEvent| {
        event.prevent_default();
        untrack(|| found.selected_id()).into_iter().for_each(|id| go.run(id));
    };
    view! {
        <form class="chat-switcher__form" on:submit=submit>
            <input
                class="field__input"
                role="combobox"
                aria-label=text(|m| m.jump_filter)
                aria-expanded="true"
                aria-controls="jump-rooms"
                aria-activedescendant=move || found.selected_id().map(|id| option_id(&id)).unwrap_or_default()
                aria-autocomplete="list"
                placeholder=text(|m| m.jump_title)
                autocomplete="off"
                spellcheck="false"
                node_ref=field
                on:keydown=move |event| {
                    if found.moved_by(&event) {
                        event.prevent_default();
                    }
                }
                on:input=move |event| {
                    query.set(event_target_value(&event));
                    found.selected.set(0);
                }
            />
            <ul id="jump-rooms" role="listbox" aria-label=text(|m| m.rooms)>
                <For
                    each=move || rooms.get()
                    key=|room| room.clone()
                    children=move |room| room_option(room, found, go)
                />
            </ul>
            <p class="chat-switcher__none" role="status">
                {move || rooms.with(Vec::is_empty).then(|| m.get().jump_none)}
            </p>
        </form>
    }
}

/// A room that was found.
fn room_option(room: RoomSummary, found: Found, go: Callback<String>) -> impl IntoView {
    let id = room.id.clone();
    let is_selected = move || found.selected_id().is_some_and(|selected| selected == id);
    let id = room.id.clone();
    view! {
        <li
            class="chat-switcher__room"
            role="option"
            id=option_id(&room.id)
            aria-selected=move || is_selected().to_string()
            on:click=move |_| go.run(id.clone())
        >
            <Icon kind=IconKind::Room />
            <span class="chat-rooms__name"><bdi>{room.name}</bdi></span>
            <UnreadBadge unread=Signal::stored(room.unread) />
        </li>
    }
}

/// The element id of a room's option.
fn option_id(room_id: &str) -> String {
    ["jump-to-", room_id].concat()
}
