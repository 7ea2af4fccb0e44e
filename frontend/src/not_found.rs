//! The page of an address that leads nowhere.

use leptos::prelude::*;

use crate::{i18n::text, route::Route};

/// "Page not found", with a link to the chat.
#[component]
pub(crate) fn NotFoundPage() -> impl IntoView {
    view! {
        <article class="page page--narrow">
            <h1>{text(|m| m.not_found_title)}</h1>
            <p>{text(|m| m.not_found_text)}</p>
            <p><a href=Route::Home.address()>{text(|m| m.to_chat)}</a></p>
        </article>
    }
}
