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
}

impl FoldHints {
    pub(super) fn new(nav: NodeRef<html::Nav>) -> FoldHints {
        let hints = FoldHints { nav, above: RwSignal::new(false), below: RwSignal::new(false) };
        let resized = window_event_listener(leptos::ev::resize, move |_| hints.measure());
        on_cleanup(move || resized.remove());
        hints
    }

    /// Looks for unread rooms beyond the edges.
    pub(super) fn measure(self) {
        if self.nav.try_get_untracked().flatten().is_some() {
            set_if_changed(self.above, self.hidden(Fold::Above).is_some());
            set_if_changed(self.below, self.hidden(Fold::Below).is_some());
        }
    }

    /// The same after the rooms are drawn.
    pub(super) fn measure_soon(self) {
        spawn_local(async move {
            leptos::task::tick().await;
            self.measure();
        });
    }

    /// Scrolls a room into view after the rooms are drawn.
    pub(super) fn reveal_soon(self, selector: &'static str) {
        spawn_local(async move {
            leptos::task::tick().await;
            let Some(nav) = self.nav.try_get_untracked().flatten() else { return };
            if let Some(link) = nav.query_selector(selector).ok().flatten() {
                reveal(&nav, &link);
            }
        });
    }

    /// The nearest unread room beyond an edge.
    fn hidden(self, fold: Fold) -> Option<HtmlElement> {
        let nav = self.nav.try_get_untracked().flatten()?;
        let edges = nav.get_bounding_client_rect();
        let links = nav.query_selector_all("[data-unread]").ok()?;
        let mut hidden = (0..links.length())
            .filter_map(|at| links.item(at)?.dyn_into::<HtmlElement>().ok())
            .filter(|link| {
                let place = link.get_bounding_client_rect();
                match fold {
                    Fold::Above => place.bottom() <= edges.top(),
                    Fold::Below => place.top() >= edges.bottom(),
                }
            });
        match fold {
            Fold::Above => hidden.last(),
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
