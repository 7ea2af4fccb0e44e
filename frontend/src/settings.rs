//! The settings page: the choices of the person's menu as a place of their own.

use leptos::prelude::*;

use crate::{app::SessionContext, choices::Choices, header::SignOut, i18n::use_messages};

/// The settings.
#[component]
pub(crate) fn SettingsPage() -> impl IntoView {
    let m = use_messages();
    let session = expect_context::<SessionContext>();
    view! {
        <article class="page page--narrow settings">
            <h1>{move || m.get().settings}</h1>
            <Choices place="settings" />
            <Show when=move || session.user.get().is_some() fallback=|| ()>
                <SignOut />
            </Show>
        </article>
    }
}

/// What an address shows that leads nowhere.
#[component]
pub(crate) fn NotFoundPage() -> impl IntoView {
    let m = use_messages();
    view! {
        <article class="page page--narrow">
            <h1>{move || m.get().not_found_title}</h1>
            <p>{move || m.get().not_found_text}</p>
            <p><a href="/">{move || m.get().to_chat}</a></p>
        </article>
    }
}
