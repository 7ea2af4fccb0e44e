//! The settings page: the choices of the menu at an address of their own, the recovery code and the sessions.

use leptos::prelude::*;

use crate::{
    account::{RecoverySettings, SessionList},
    choices::Choices,
    i18n::text,
    session_context::SessionContext,
    sign_out::SignOut,
};

/// The settings.
#[component]
pub(crate) fn SettingsPage() -> impl IntoView {
    let session = expect_context::<SessionContext>();
    view! {
        <article class="page page--narrow settings">
            <h1>{text(|m| m.settings)}</h1>
            <Choices place="settings" />
            <Show when=move || session.user.get().is_some() fallback=|| ()>
                <RecoverySettings />
                <SessionList />
                <SignOut />
            </Show>
        </article>
    }
}
