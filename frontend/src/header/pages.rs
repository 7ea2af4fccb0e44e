//! Links to the pages.

use leptos::{prelude::*, task::spawn_local};

use crate::{
    greeter::GREETER,
    i18n::text,
    route::{Route, use_route},
};

/// The links, of which the current page's is marked.
#[component]
pub(super) fn Pages() -> impl IntoView {
    let route = use_route();
    let in_chat = Signal::derive(move || route.get().is_chat().then_some("page"));
    let in_greeter = Signal::derive(move || (route.get() == Route::Greeter).then_some("page"));
    view! {
        <nav class="header__pages" aria-label=text(|m| m.pages)>
            <a href=Route::Home.address() aria-current=in_chat>
                {text(|m| m.chat)}
            </a>
            <a
                href=Route::Greeter.address()
                aria-current=in_greeter
                on:pointerenter=move |_| load_greeter()
                on:focus=move |_| load_greeter()
            >
                {text(|m| m.greeter)}
            </a>
        </nav>
    }
}

/// Loads the Greeter for somebody who is about to go there.
fn load_greeter() {
    spawn_local(async {
        // It is tried again when the page is shown.
        GREETER.load().await.ok();
    });
}
