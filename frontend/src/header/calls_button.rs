//! The button that shows and hides the calls panel.

use leptos::prelude::*;

use crate::{
    calls::use_calls,
    i18n::text,
    icon::{Icon, IconKind},
    keys::keys,
};

/// The button, with its keys.
#[component]
pub(super) fn CallsButton() -> impl IntoView {
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
