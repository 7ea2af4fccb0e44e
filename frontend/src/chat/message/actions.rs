//! The actions of the active message: the one under the pointer, with the focus inside, or tapped last.

use chat_model::{length::quotation, rows::MessageRow};
use leptos::prelude::*;

use super::super::{composer::ComposerHandle, list::ListView, text_view::TabIndex};
use crate::{
    clipboard,
    i18n::{provide_scoped_language, text, use_messages},
    icon::{Icon, IconKind},
    route::room_link,
};

/// Buttons that copy a link to the message, quote it in the composer, and copy its text.
#[component]
pub(super) fn MessageActions(
    /// The message.
    message: MessageRow,
    /// Its list.
    list: ListView,
    /// The tab index of the buttons.
    tab_index: TabIndex,
) -> impl IntoView {
    provide_scoped_language();
    let m = use_messages();
    let composer = expect_context::<ComposerHandle>();
    let link_copied = RwSignal::new(false);
    let text_copied = RwSignal::new(false);
    let MessageRow { seq, text: written, .. } = message;
    let quoted = written.clone();
    let copy_link = move |_| clipboard::copy(&room_link(&list.room_id(), seq), link_copied);
    let copy_text = move |_| clipboard::copy(&written, text_copied);
    let quote = move |_| composer.edit(&quotation(&quoted));
    let copied = move || (link_copied.get() || text_copied.get()).then(|| m.get().copied);
    view! {
        <div
            class="chat-actions"
            role="group"
            aria-label=text(|m| m.message_actions)
            // The focus stays in the composer.
            on:mousedown=|event| event.prevent_default()
        >
            <button type="button" tabindex=tab_index.clone() aria-label=text(|m| m.copy_link) title=text(|m| m.copy_link) on:click=copy_link>
                {icon(IconKind::Link, link_copied)}
            </button>
            <button type="button" tabindex=tab_index.clone() aria-label=text(|m| m.quote) title=text(|m| m.quote) on:click=quote>
                <Icon kind=IconKind::Quote />
            </button>
            <button type="button" tabindex=tab_index aria-label=text(|m| m.copy_text) title=text(|m| m.copy_text) on:click=copy_text>
                {icon(IconKind::Copy, text_copied)}
            </button>
            <span class="visually-hidden" aria-live="polite">{copied}</span>
        </div>
    }
}

/// The icon of a button that copies.
fn icon(kind: IconKind, copied: RwSignal<bool>) -> impl IntoView {
    move || {
        let kind = if copied.get() { IconKind::Done } else { kind };
        view! { <Icon kind /> }
    }
}
