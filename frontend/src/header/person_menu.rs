//! The person's menu: language, theme, settings, calls, keys and signing out.

use leptos::{html, prelude::*};

use crate::{
    calls::use_calls,
    choices::Choices,
    face::Face,
    i18n::{text, use_messages},
    icon::{Icon, IconKind},
    keys::{KeysContext, keys as key_names},
    route::use_route,
    session_context::SessionContext,
    sign_out::SignOut,
};

/// The menu: the browser's own popover, which closes by Escape or a click elsewhere and gives the focus back.
#[component]
pub(super) fn PersonMenu() -> impl IntoView {
    let m = use_messages();
    let session = expect_context::<SessionContext>();
    let keys = expect_context::<KeysContext>();
    let calls = use_calls();
    let names = key_names();
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
        >
            {move || match session.user.get() {
                Some(user) => view! { <Face id=user.id name=user.name /> }.into_any(),
                None => view! { <Icon kind=IconKind::Person /> }.into_any(),
            }}
            <span class="header__label">{shown}</span>
        </button>
        <div class="menu" id="person-menu" node_ref=menu popover="auto" role="group" aria-label=text(|m| m.menu)>
            <Choices place="menu" />
            <div class="menu__end">
                <a class="button button--quiet" href="/settings">{text(|m| m.settings)}</a>
                <button
                    type="button"
                    class="button button--quiet"
                    popovertarget="person-menu"
                    popovertargetaction="hide"
                    aria-expanded=move || calls.is_open().to_string()
                    aria-controls="calls"
                    aria-keyshortcuts=names.calls_aria
                    on:click=move |_| calls.toggle_with_focus()
                >
                    {text(|m| m.calls)}
                    <kbd aria-hidden="true">{names.calls}</kbd>
                </button>
                <button
                    type="button"
                    class="button button--quiet"
                    popovertarget="person-menu"
                    popovertargetaction="hide"
                    on:click=move |_| keys.open()
                >
                    {text(|m| m.keys_help)}
                    <kbd aria-hidden="true">"?"</kbd>
                </button>
                <Show when=move || session.user.get().is_some() fallback=|| ()>
                    <SignOut />
                </Show>
            </div>
        </div>
    }
}
