//! The dialog with the keyboard shortcuts.

use leptos::prelude::*;

use super::{KeyList, KeysContext};
use crate::{
    chunk::{ShowPart, part},
    dialog::{Dialog, DialogHandle},
    i18n::text,
    icon::{Icon, IconKind},
};

part!(KEYS, dialogs: view! { <KeysList /> });

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
    let dialog = expect_context::<DialogHandle>();
    view! {
            <div class="dialog__header">
                <h2>{text(|m| m.keys_help)}</h2>
                <button
                    type="button"
                    class="button button--icon"
                    aria-label=text(|m| m.close)
                    on:click=move |_| dialog.close()
                >
                    <Icon kind=IconKind::Close />
                </button>
            </div>
            <KeyList />
    }
}
