//! The settings page: the choices of the person's menu as a place of their own.

use leptos::prelude::*;

use crate::{app::SessionContext, choices::Choices, header::SignOut, i18n::text};

/// The settings.
#[component]
pub(crate) fn SettingsPage() -> impl IntoView {
    let session = expect_context::<SessionContext>();
    view! {
        <article class="page page--narrow settings">
            <h1>{text(|m| m.settings)}</h1>
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
    view! {
        <article class="page page--narrow">
            <h1>{text(|m| m.not_found_title)}</h1>
            <p>{text(|m| m.not_found_text)}</p>
            <p><a href="/">{text(|m| m.to_chat)}</a></p>
        </article>
    }
}
