//! The list of keyboard shortcuts.

use leptos::prelude::*;

use super::{KeysContext, keys};
use crate::{
    chunk::{ShowPart, part},
    dialog::Dialog,
    i18n::{Text, text},
    icon::{Icon, IconKind},
};

part!(KEYS, keys: view! { <KeysList /> });

/// The dialog, closed until it is opened by its key or the menu.
#[component]
pub(crate) fn KeysDialog() -> impl IntoView {
    let dialog = expect_context::<KeysContext>().dialog;
    view! {
        <Dialog handle=dialog label=text(|m| m.keys_help)>
            <ShowPart part=KEYS />
        </Dialog>
    }
}

/// Its content.
#[component]
fn KeysList() -> impl IntoView {
    let dialog = expect_context::<KeysContext>().dialog;
    let names = keys();
    view! {
            <header class="dialog__header">
                <h2>{text(|m| m.keys_help)}</h2>
                <button
                    type="button"
                    class="button button--icon"
                    aria-label=text(|m| m.close)
                    on:click=move |_| dialog.close()
                >
                    <Icon kind=IconKind::Close />
                </button>
            </header>
            <dl class="keys">
                {row(names.room, |m| m.key_room)}
                {row(names.calls, |m| m.key_calls)}
                {row("?", |m| m.key_help)}
                {row("Esc", |m| m.key_escape)}
                {row("Enter", |m| m.key_send)}
                {row("Shift+Enter", |m| m.key_newline)}
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
