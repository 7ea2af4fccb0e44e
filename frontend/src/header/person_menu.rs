//! The button of the person's menu, and the menu. Its content is drawn when it is first opened.

use leptos::{ev, html, prelude::*};
use wasm_bindgen::JsCast as _;

use super::menu_content::MenuContent;
use crate::{
    chunk::{ShowPart, part},
    face::Face,
    i18n::{text, use_messages},
    icon::{Icon, IconKind},
    route::use_route,
    session_context::SessionContext,
};

part!(MENU, dialogs: view! { <MenuContent /> });

/// The menu: the browser's own popover, which closes by Escape or a click elsewhere and gives the focus back.
#[component]
pub(super) fn PersonMenu() -> impl IntoView {
    let m = use_messages();
    let session = expect_context::<SessionContext>();
    // Most visits never open it.
    let was_opened = RwSignal::new(false);
    let menu = NodeRef::<html::Div>::new();
    let route = use_route();
    Effect::new(move || {
        route.track();
        // Signing out leads to another view.
        session.user.track();
        if let Some(menu) = menu.get_untracked() {
            // It fails only for a popover that is hidden.
            menu.hide_popover().ok();
        }
    });
    let name = move || session.user.get().map(|user| user.name);
    let label = Signal::derive(move || match name() {
        Some(name) => [m.get().menu, ": ", &name].concat(),
        None => m.get().menu.to_owned(),
    });
    let shown = Signal::derive(move || name().unwrap_or_else(|| m.get().menu.to_owned()));
    view! {
        <button
            type="button"
            class="button button--quiet header__button"
            id="person-button"
            popovertarget="person-menu"
            aria-label=label
            on:click=move |_| was_opened.set(true)
        >
            {move || match session.user.get() {
                Some(user) => view! { <Face id=user.id name=user.name /> }.into_any(),
                None => view! { <Icon kind=IconKind::Person /> }.into_any(),
            }}
            <span class="header__label">{shown}</span>
        </button>
        <div
            class="menu"
            id="person-menu"
            node_ref=menu
            popover="auto"
            role="group"
            aria-label=text(|m| m.menu)
            on:focusout=move |event| close_when_left(&event)
        >
            <Show when=move || was_opened.get() fallback=|| ()>
                <ShowPart part=MENU />
            </Show>
        </div>
    }
}

/// Closes the menu when Tab leads out of it: it would cover what has the focus then.
fn close_when_left(event: &ev::FocusEvent) {
    let menu = event.current_target().and_then(|menu| menu.dyn_into::<web_sys::HtmlElement>().ok());
    let to = event.related_target().and_then(|to| to.dyn_into::<web_sys::Node>().ok());
    // Without a target the focus left the window.
    if let (Some(menu), Some(to)) = (menu, to)
        && !menu.contains(Some(&to))
    {
        // It fails only for a popover that is hidden.
        menu.hide_popover().ok();
    }
}
