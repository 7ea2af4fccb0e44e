//! Links to the pages.

use leptos::prelude::*;

use crate::{
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
            <a href="/" aria-current=in_chat>
                {text(|m| m.chat)}
            </a>
            <a href="/greeter" aria-current=in_greeter>
                {text(|m| m.greeter)}
            </a>
        </nav>
    }
}
