//! The content of the person's menu.

use leptos::prelude::*;

use crate::{
    calls::use_calls,
    choices::Choices,
    i18n::text,
    keys::{KeysContext, keys as key_names},
    route::Route,
    session_context::SessionContext,
    sign_out::SignOut,
};

/// Language, theme, settings, calls, keys, and the button "Sign out".
#[component]
pub(super) fn MenuContent() -> impl IntoView {
    let session = expect_context::<SessionContext>();
    let keys = expect_context::<KeysContext>();
    let calls = use_calls();
    let names = key_names();
    view! {
        <Choices place="menu" />
        <div class="menu__end">
            <a class="button button--quiet" href=Route::Explorer { method: None }.address()>{text(|m| m.explorer)}</a>
            <a class="button button--quiet" href=Route::Settings.address()>{text(|m| m.settings)}</a>
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
    }
}
