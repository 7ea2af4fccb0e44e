//! The settings page: the person, language and theme, the recovery code and the sessions, the keys, and the program.

use leptos::prelude::*;

use crate::{
    account::{RecoverySettings, SessionList},
    choices::Choices,
    face::Face,
    i18n::{Text, fill, text, use_messages},
    keys::KeyList,
    session_context::SessionContext,
    sign_out::SignOut,
};

/// The settings.
#[component]
pub(crate) fn SettingsPage() -> impl IntoView {
    let m = use_messages();
    let session = expect_context::<SessionContext>();
    let version = move || fill(m.get().about_version, &[("version", env!("CARGO_PKG_VERSION"))]);
    view! {
        <article class="page page--narrow settings">
            <h1>{text(|m| m.settings)}</h1>
            {move || session.user.get().map(|user| view! {
                <div class="settings__person">
                    <Face id=user.id name=user.name />
                    <SignOut />
                </div>
            })}
            <section class="settings__part">
                {heading(|m| m.appearance)}
                <Choices place="settings" />
            </section>
            <Show when=move || session.user.get().is_some() fallback=|| ()>
                <RecoverySettings />
                <SessionList />
            </Show>
            <section class="settings__part">
                {heading(|m| m.keys_help)}
                <KeyList />
            </section>
            <section class="settings__part">
                {heading(|m| m.about)}
                <p>{text(|m| m.about_text)}</p>
                <p class="settings__text">{version}</p>
            </section>
        </article>
    }
}

fn heading(title: Text) -> impl IntoView {
    view! { <h2>{text(title)}</h2> }
}
