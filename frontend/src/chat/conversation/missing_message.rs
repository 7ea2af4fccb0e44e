//! An address whose message does not exist.

use leptos::prelude::*;

use super::super::list::ListView;
use crate::i18n::text;

/// The sentence, and the button that leaves the address.
#[component]
pub(super) fn MissingMessage(
    /// The list.
    list: ListView,
    /// Called by a click.
    to_end: Callback<()>,
) -> impl IntoView {
    let leave = move |_| {
        list.focus();
        to_end.run(());
    };
    view! {
        <Show when=move || list.is_target_missing.get() fallback=|| ()>
            <div class="chat-missing">
                <p role="status">{text(|m| m.message_missing)}</p>
                <button type="button" class="button" on:click=leave>
                    {text(|m| m.jump_to_latest)}
                </button>
            </div>
        </Show>
    }
}
