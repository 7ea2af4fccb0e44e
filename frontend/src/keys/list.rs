//! The keyboard shortcuts and their effects.

use leptos::prelude::*;

use super::keys;
use crate::i18n::{Text, text};

/// The list.
#[component]
pub(crate) fn KeyList() -> impl IntoView {
    let names = keys();
    view! {
        <dl class="keys">
            {row(names.room, |m| m.key_room)}
            {row("↑ ↓ Home End", |m| m.key_messages)}
            {row("Enter", |m| m.key_send)}
            {row("Shift+Enter", |m| m.key_newline)}
            {row(names.send, |m| m.key_send_always)}
            {row("Esc", |m| m.key_escape)}
            {row(names.calls, |m| m.key_calls)}
            {row("?", |m| m.key_help)}
        </dl>
    }
}

fn row(keys: &'static str, effect: Text) -> impl IntoView {
    view! {
        <div>
            <dt><kbd>{keys}</kbd></dt>
            <dd>{text(effect)}</dd>
        </div>
    }
}
