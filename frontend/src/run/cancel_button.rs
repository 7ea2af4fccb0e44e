//! The button that cancels a running call.

use leptos::prelude::*;

use super::Run;
use crate::i18n::text;

/// The button, while a call is running.
#[component]
pub(crate) fn CancelButton(
    /// The call.
    run: Run,
) -> impl IntoView {
    view! {
        <Show when=move || run.is_running() fallback=|| ()>
            <button type="button" class="button" on:click=move |_| run.cancel()>
                {text(|m| m.cancel)}
            </button>
        </Show>
    }
}
