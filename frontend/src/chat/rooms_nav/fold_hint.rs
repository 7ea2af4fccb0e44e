//! Unread rooms that are scrolled out of the list.

use leptos::{html, prelude::*, task::spawn_local};
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement};

use super::super::store::set_if_changed;
use crate::{
    i18n::{Text, text},
    icon::{Icon, IconKind},
};

/// Distance from the edge to a room that is scrolled into view, in pixels.
const MARGIN: f64 = 40.0;

/// An edge of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fold {
    Above,
    Below,
}

/// Whether there are unread rooms beyond the edges of the list.
#[derive(Clone, Copy)]
pub(super) struct FoldHints {
    nav: NodeRef<html::Nav>,
    above: RwSignal<bool>,
    below: RwSignal<bool>,
    /// Whether the room that is shown was in view of the list at the last look.
    shows_current: StoredValue<bool>,
}

impl FoldHints {
    pub(super) fn new(nav: NodeRef<html::Nav>) -> FoldHints {
        let (above, below) = (RwSignal::new(false), RwSignal::new(false));
        let hints = FoldHints { nav, above, below, shows_current: StoredValue::new(true) };
        let resized = window_event_listener(leptos::ev::resize, move |_| hints.measure());
        on_cleanup(move || resized.remove());
        hints
    }

    /// Looks for unread rooms beyond the edges.
    pub(super) fn measure(self) {
        if let Some(nav) = self.nav.try_get_untracked().flatten() {
            let is_shown = current(&nav).is_none_or(|link| beyond(&nav, &link).is_none());
            self.shows_current.set_value(is_shown);
            set_if_changed(self.above, self.hidden(Fold::Above).is_some());
            set_if_changed(self.below, self.hidden(Fold::Below).is_some());
        }
    }

    /// After the rooms are drawn: keeps the room that is shown in view when it was, or in any case with `reveals`, and looks for unread rooms
    /// beyond the edges.
    pub(super) fn follow(self, reveals: bool) {
        let reveals = reveals || self.shows_current.get_value();
        spawn_local(async move {
            // The effects that draw the rooms, and those that they set off.
            leptos::task::tick().await;
            leptos::task::tick().await;
            let Some(nav) = self.nav.try_get_untracked().flatten() else { return };
            if let Some(link) = current(&nav).filter(|_| reveals) {
                reveal(&nav, &link);
            }
            self.measure();
        });
    }

    /// The nearest unread room beyond an edge.
    fn hidden(self, fold: Fold) -> Option<HtmlElement> {
        let nav = self.nav.try_get_untracked().flatten()?;
        // The room that is shown may become read or unread at any time, and its reader needs no hint.
        let links = nav.query_selector_all("[data-unread]:not([aria-current])").ok()?;
        let mut hidden = (0..links.length())
            .filter_map(|at| links.item(at)?.dyn_into::<HtmlElement>().ok())
            .filter(|link| beyond(&nav, link) == Some(fold));
        match fold {
            Fold::Above => hidden.next_back(),
            Fold::Below => hidden.next(),
        }
    }
}

/// A button that scrolls to the nearest unread room beyond an edge; shown while there is one.
#[component]
pub(super) fn FoldHint(
    /// Whether there are such rooms.
    hints: FoldHints,
    /// The edge.
    fold: Fold,
) -> impl IntoView {
    let (is_shown, icon, label): (_, _, Text) = match fold {
        Fold::Above => (hints.above, IconKind::Up, |m| m.unread_rooms_above),
        Fold::Below => (hints.below, IconKind::Down, |m| m.unread_rooms_below),
    };
    let go = move |_| {
        if let (Some(nav), Some(link)) = (hints.nav.get_untracked(), hints.hidden(fold)) {
            reveal(&nav, &link);
            // A link in the document takes the focus.
            link.focus().ok();
        }
    };
    view! {
        <Show when=move || is_shown.get() fallback=|| ()>
            <div class="chat-rooms__fold" data-fold=if fold == Fold::Above { "above" } else { "below" }>
                <button type="button" class="button" on:click=go>
                    <Icon kind=icon />
                    {text(label)}
                </button>
            </div>
        </Show>
    }
}

/// The link of the room that is shown.
fn current(nav: &Element) -> Option<Element> {
    nav.query_selector("[aria-current]").ok().flatten()
}

/// The edge beyond which a room is; `None` in view.
fn beyond(nav: &Element, link: &Element) -> Option<Fold> {
    let (edges, place) = (nav.get_bounding_client_rect(), link.get_bounding_client_rect());
    if place.bottom() <= edges.top() {
        Some(Fold::Above)
    } else if place.top() >= edges.bottom() {
        Some(Fold::Below)
    } else {
        None
    }
}

/// Scrolls the list as little as shows the room.
fn reveal(nav: &Element, link: &Element) {
    let (edges, place) = (nav.get_bounding_client_rect(), link.get_bounding_client_rect());
    let above = place.top() - MARGIN - edges.top();
    let below = place.bottom() + MARGIN - edges.bottom();
    if above < 0.0 {
        nav.scroll_by_with_x_and_y(0.0, above);
    } else if below > 0.0 {
        nav.scroll_by_with_x_and_y(0.0, below);
    }
}
