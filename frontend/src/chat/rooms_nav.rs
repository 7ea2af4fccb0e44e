//! The list of rooms.

mod fold_hint;
mod room_link;
mod unread_badge;

use std::collections::HashMap;

use chat_model::rooms::{RoomSummary, ShownRoom, sections};
use leptos::{ev, html, prelude::*};
use wasm_bindgen::JsCast;

pub(crate) use self::unread_badge::UnreadBadge;
use self::{
    fold_hint::{Fold, FoldHint, FoldHints},
    room_link::RoomLink,
};
use super::{new_room::NewRoom, store::use_chat};
use crate::{i18n::text, row_list::RowList};

/// The rooms, each a link named by the room and its unread messages.
#[component]
pub(crate) fn RoomsNav(
    /// The id of the room that is shown.
    current: Signal<Option<String>>,
) -> impl IntoView {
    let chat = use_chat();
    let by_id = Memo::new(move |_| {
        chat.rooms.with(|rooms| -> HashMap<String, RoomSummary> {
            rooms.iter().map(|room| (room.id.clone(), room.clone())).collect()
        })
    });
    let shown = shown_room(current, by_id);
    // The ids alone: a message that changes nobody's place draws and measures nothing here.
    let in_sections = Memo::new(move |_| {
        let sections = chat.rooms.with(|rooms| shown.with(|shown| sections(rooms, shown)));
        sections.map(|rooms| rooms.into_iter().map(|room| room.id).collect::<Vec<_>>())
    });
    let has_unread = Memo::new(move |_| in_sections.with(|[unread, _]| !unread.is_empty()));
    let nav = NodeRef::<html::Nav>::new();
    let hints = FoldHints::new(nav);
    Effect::new(move |_| {
        in_sections.track();
        hints.follow(false);
    });
    let has_current =
        Memo::new(move |_| current.get().filter(|id| by_id.with(|rooms| rooms.contains_key(id))));
    Effect::new(move |_| {
        if has_current.get().is_some() {
            hints.follow(true);
        }
    });
    let list = move |section: usize| {
        view! {
            <ul>
                <RowList
                    each=move || in_sections.with(|sections| sections[section].clone())
                    key=|id| id.clone()
                    children=move |id| view! { <RoomLink id current by_id /> }
                />
            </ul>
        }
    };
    view! {
        <div class="chat-rooms">
            <div class="chat-rooms__head">
                <h2 aria-hidden="true">{text(|m| m.rooms)}</h2>
                <NewRoom />
            </div>
            <nav
                class="chat-rooms__nav"
                aria-label=text(|m| m.rooms)
                node_ref=nav
                on:keydown=|event| move_focus(&event)
                on:scroll=move |_| hints.measure()
            >
                <FoldHint hints fold=Fold::Above />
                <Show when=move || has_unread.get() fallback=|| ()>
                    <h3 class="chat-rooms__section">{text(|m| m.rooms_unread)}</h3>
                    {list(0)}
                    <hr class="chat-rooms__divider" />
                </Show>
                {list(1)}
                <FoldHint hints fold=Fold::Below />
            </nav>
        </div>
    }
}

/// The room that is shown, and whether it was unread when it was opened.
fn shown_room(
    current: Signal<Option<String>>,
    by_id: Memo<HashMap<String, RoomSummary>>,
) -> Memo<Option<ShownRoom>> {
    Memo::new(move |previous: Option<&Option<ShownRoom>>| {
        let id = current.get()?;
        if let Some(Some(previous)) = previous
            && previous.id == id
        {
            return Some(previous.clone());
        }
        let was_unread = by_id.with(|rooms| rooms.get(&id).map(|room| room.unread > 0))?;
        Some(ShownRoom { id, was_unread })
    })
}

/// Arrow keys, Home and End move the focus between the rooms.
fn move_focus(event: &ev::KeyboardEvent) {
    let Some(nav) = event.current_target().and_then(|nav| nav.dyn_into::<web_sys::Element>().ok()) else {
        return;
    };
    let Ok(links) = nav.query_selector_all("a") else { return };
    let focused = document().active_element();
    let at = (0..links.length()).find(|at| links.item(*at).as_ref() == focused.as_deref());
    let last = links.length().saturating_sub(1);
    let to = match (event.key().as_str(), at) {
        ("ArrowDown", Some(at)) => (at + 1).min(last),
        ("ArrowUp", Some(at)) => at.saturating_sub(1),
        ("Home", _) => 0,
        ("End", _) => last,
        _ => return,
    };
    event.prevent_default();
    if let Some(link) = links.item(to).and_then(|link| link.dyn_into::<web_sys::HtmlElement>().ok()) {
        // A link in the document takes the focus.
        link.focus().ok();
    }
}
