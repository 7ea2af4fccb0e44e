//! The strip at the top: the product, its pages, the room, the calls and the person's menu.

use leptos::{html, prelude::*};

use crate::{
    app::{PageTitle, SessionContext},
    calls::use_calls,
    choices::Choices,
    i18n::{fill, text, use_messages},
    icon::{Icon, IconKind},
    keys::{KeysContext, keys},
    route::{Route, use_route},
};

/// The header strip.
#[component]
pub(crate) fn Header() -> impl IntoView {
    let title = expect_context::<PageTitle>();
    view! {
        <header class="header">
            <a class="header__product" href="/">
                <Icon kind=IconKind::Mark />
                <span>{text(|m| m.product)}</span>
            </a>
            <Pages />
            <p class="header__room" title=title.room>{title.room}</p>
            <CallsButton />
            <PersonMenu />
        </header>
    }
}

#[component]
fn Pages() -> impl IntoView {
    let route = use_route();
    let in_chat = Signal::derive(move || route.get().is_chat().then_some("page"));
    let in_greeter = Signal::derive(move || (route.get() == Route::Greeter).then_some("page"));
    view! {
        <nav class="header__pages" aria-label=text(|m| m.pages)>
            <a href="/" aria-current=in_chat>
                {text(|m| m.chat)}
            </a>
            <a href="/greeter" aria-current=in_greeter>
                {text(|m| m.greeter)}
            </a>
        </nav>
    }
}

#[component]
fn CallsButton() -> impl IntoView {
    let calls = use_calls();
    let keys = keys();
    view! {
        <button
            type="button"
            class="button button--quiet header__button"
            id="calls-button"
            aria-expanded=move || calls.is_open().to_string()
            aria-controls="calls"
            aria-keyshortcuts=keys.calls_aria
            title=keys.calls
            on:click=move |_| calls.toggle()
        >
            <Icon kind=IconKind::Calls />
            <span class="header__label">{text(|m| m.calls)}</span>
            <kbd class="header__keys" aria-hidden="true">{keys.calls}</kbd>
        </button>
    }
}

/// Language, theme, keys and signing out. The browser's own popover: it closes by Escape and by a
/// click elsewhere, and gives the focus back.
#[component]
fn PersonMenu() -> impl IntoView {
    let m = use_messages();
    let session = expect_context::<SessionContext>();
    let menu = NodeRef::<html::Div>::new();
    let route = use_route();
    Effect::new(move || {
        route.track();
        if let Some(menu) = menu.get_untracked() {
            // One that is hidden already stays so.
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
            popovertarget="person-menu"
            aria-label=label
        >
            <Icon kind=IconKind::Person />
            <span class="header__label">{shown}</span>
        </button>
        <div class="menu" id="person-menu" node_ref=menu popover="auto" role="group" aria-label=text(|m| m.menu)>
            <Choices place="menu" />
            <MenuEnd />
        </div>
    }
}

#[component]
fn MenuEnd() -> impl IntoView {
    let session = expect_context::<SessionContext>();
    let keys = expect_context::<KeysContext>();
    let signed_in = move || session.user.get().is_some();
    view! {
        <div class="menu__end">
            <a class="button button--quiet" href="/settings">{text(|m| m.settings)}</a>
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
            <Show when=signed_in fallback=|| ()>
                <SignOut />
            </Show>
        </div>
    }
}

/// Who is signed in, and the way out.
#[component]
pub(crate) fn SignOut() -> impl IntoView {
    let m = use_messages();
    let session = expect_context::<SessionContext>();
    let signed_in = Signal::derive(move || {
        let name = session.user.get().map(|user| user.name).unwrap_or_default();
        fill(m.get().signed_in_as, &[("name", &name)])
    });
    let failed = Signal::derive(move || session.sign_out_failed.get().then(|| m.get().sign_out_failed));
    view! {
        <p class="menu__person">{signed_in}</p>
        <button type="button" class="button button--quiet" on:click=move |_| session.sign_out.run(())>
            {text(|m| m.sign_out)}
        </button>
        <p class="error" role="alert">{failed}</p>
    }
}
