//! Links to the pages.

use leptos::{prelude::*, task::spawn_local};

use crate::{
    chunk::Part,
    explorer::EXPLORER,
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
    let in_explorer = Signal::derive(move || matches!(route.get(), Route::Explorer { .. }).then_some("page"));
    view! {
        <nav class="header__pages" aria-label=text(|m| m.pages)>
            <a href=Route::Home.address() aria-current=in_chat>
                {text(|m| m.chat)}
            </a>
            <a
                href=Route::Greeter.address()
                aria-current=in_greeter
                on:pointerenter=move |_| load(GREETER)
                on:focus=move |_| load(GREETER)
            >
                {text(|m| m.greeter)}
            </a>
            <a
                href=Route::Explorer { method: None }.address()
                aria-current=in_explorer
                on:pointerenter=move |_| load(EXPLORER)
                on:focus=move |_| load(EXPLORER)
            >
                {text(|m| m.explorer)}
            </a>
        </nav>
    }
}

/// Loads a part for somebody who is about to go there.
fn load(part: Part) {
    spawn_local(async move {
        // It is tried again when the page is shown.
        part.load().await.ok();
    });
}
