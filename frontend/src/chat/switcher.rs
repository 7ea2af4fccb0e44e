//! Ctrl+K or ⌘K: a small dialog that jumps to a room by the letters of its name.

use leptos::{ev, html, prelude::*};

use super::{
    rooms_nav::UnreadBadge,
    store::{RoomSummary, use_chat},
};
use crate::{
    i18n::{text, use_messages},
    icon::{Icon, IconKind},
    lean::lower_case,
    route::{Route, navigate},
};

/// Rooms offered at most.
const OFFERED_MAX: usize = 8;

/// The rooms whose name has the letters, those that begin with them first.
fn matching(rooms: &[RoomSummary], letters: &str) -> Vec<RoomSummary> {
    let letters = lower_case(letters.trim());
    let found = |room: &&RoomSummary| lower_case(&room.name).contains(&letters);
    let mut offered: Vec<RoomSummary> = rooms.iter().filter(found).cloned().collect();
    // Stable: otherwise the rooms stay in their order, and where nothing is typed unread ones come first.
    offered.sort_by_key(|room| {
        let begins = lower_case(&room.name).starts_with(&letters);
        (!begins, letters.is_empty() && room.unread == 0)
    });
    offered.truncate(OFFERED_MAX);
    offered
}

/// The dialog, closed until the keys are pressed.
#[component]
pub(crate) fn Switcher(
    /// Called when a room was chosen.
    chosen: Callback<()>,
) -> impl IntoView {
    let dialog = NodeRef::<html::Dialog>::new();
    let open = RwSignal::new(false);
    let listener = window_event_listener(ev::keydown, move |event| {
        let wanted = (event.ctrl_key() || event.meta_key())
            && !event.alt_key()
            && !event.shift_key()
            && event.key().eq_ignore_ascii_case("k");
        if !wanted || event.is_composing() {
            return;
        }
        event.prevent_default();
        let Some(dialog) = dialog.get_untracked() else { return };
        if dialog.open() {
            dialog.close();
        } else {
            open.set(true);
            // It fails only for a dialog that is open or not in the page.
            dialog.show_modal().ok();
        }
    });
    on_cleanup(move || listener.remove());
    let close = Callback::new(move |()| {
        if let Some(dialog) = dialog.get_untracked() {
            dialog.close();
        }
    });
    view! {
        <dialog
            class="dialog chat-switcher"
            aria-label=text(|m| m.jump_title)
            node_ref=dialog
            on:close=move |_| open.set(false)
        >
            <Show when=move || open.get() fallback=|| ()>
                <SwitcherForm close chosen />
            </Show>
        </dialog>
    }
}

#[component]
fn SwitcherForm(close: Callback<()>, chosen: Callback<()>) -> impl IntoView {
    let m = use_messages();
    let chat = use_chat();
    let letters = RwSignal::new(String::new());
    let selected = RwSignal::new(0_usize);
    let offered =
        Memo::new(move |_| chat.rooms.with(|rooms| letters.with(|letters| matching(rooms, letters))));
    let field = NodeRef::<html::Input>::new();
    field.on_load(|field| {
        // A field in the page takes the focus.
        field.focus().ok();
    });
    let go = move |room_id: String| {
        close.run(());
        navigate(&Route::Room { id: room_id, seq: None }, false);
        chosen.run(());
    };
    let keydown = move |event: ev::KeyboardEvent| {
        let count = offered.with_untracked(Vec::len).max(1);
        match event.key().as_str() {
            "ArrowDown" => selected.update(|at| *at = (*at + 1) % count),
            "ArrowUp" => selected.update(|at| *at = (*at + count - 1) % count),
            _ => return,
        }
        event.prevent_default();
    };
    let submit = move |event: ev::SubmitEvent| {
        event.prevent_default();
        let room = offered.with_untracked(|rooms| rooms.get(selected.get_untracked()).cloned());
        if let Some(room) = room {
            go(room.id);
        }
    };
    let option_id = |room_id: &str| ["jump-to-", room_id].concat();
    let active = move || {
        offered.with(|rooms| rooms.get(selected.get()).map(|room| option_id(&room.id))).unwrap_or_default()
    };
    let is_selected = move |room_id: &str| {
        offered.with(|rooms| rooms.get(selected.get()).is_some_and(|room| room.id == room_id))
    };
    view! {
        <form class="chat-switcher__form" on:submit=submit>
            <input
                class="field__input"
                role="combobox"
                aria-label=text(|m| m.jump_filter)
                aria-expanded="true"
                aria-controls="jump-rooms"
                aria-activedescendant=active
                aria-autocomplete="list"
                placeholder=text(|m| m.jump_title)
                autocomplete="off"
                spellcheck="false"
                node_ref=field
                on:keydown=keydown
                on:input=move |event| {
                    letters.set(event_target_value(&event));
                    selected.set(0);
                }
            />
            <ul id="jump-rooms" role="listbox" aria-label=text(|m| m.rooms)>
                <For
                    each=move || offered.get()
                    key=|room| room.clone()
                    children=move |room| {
                        let id = room.id.clone();
                        let chosen_id = room.id.clone();
                        view! {
                            <li
                                class="chat-switcher__room"
                                role="option"
                                id=option_id(&room.id)
                                aria-selected=move || is_selected(&id).to_string()
                                on:click=move |_| go(chosen_id.clone())
                            >
                                <Icon kind=IconKind::Room />
                                <span class="chat-rooms__name">{room.name}</span>
                                <UnreadBadge unread=Signal::stored(room.unread) />
                            </li>
                        }
                    }
                />
            </ul>
            <p class="chat-switcher__none" role="status">
                {move || offered.with(Vec::is_empty).then(|| m.get().jump_none)}
            </p>
        </form>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rooms() -> Vec<RoomSummary> {
        [("general", 0), ("Rust", 2), ("trust", 0), ("设计", 1)]
            .map(|(name, unread)| RoomSummary { id: name.to_owned(), name: name.to_owned(), unread })
            .to_vec()
    }

    fn names(letters: &str) -> Vec<String> {
        matching(&rooms(), letters).into_iter().map(|room| room.name).collect()
    }

    #[test]
    fn names_that_begin_with_the_letters_come_first() {
        assert_eq!(names("rust"), ["Rust", "trust"]);
        assert_eq!(names("设"), ["设计"]);
        assert_eq!(names("xyz"), Vec::<String>::new());
    }

    #[test]
    fn unread_rooms_come_first_until_something_is_typed() {
        assert_eq!(names(" "), ["Rust", "设计", "general", "trust"]);
        assert_eq!(names("e"), ["general"]);
    }
}
