//! The way to unread messages above the view.

use leptos::prelude::*;

use super::super::list::ListView;
use crate::{
    i18n::{plural, text, use_messages},
    icon::{Icon, IconKind},
};

/// A button to the first unread message, and one that marks all messages as read; shown while unread messages were skipped.
#[component]
pub(super) fn UnreadBar(
    /// The list.
    list: ListView,
) -> impl IntoView {
    let m = use_messages();
    let label =
        move || plural(list.unread.get().into(), m.get().first_unread_one, m.get().first_unread_other);
    let go = move |_| {
        list.focus();
        list.go_to_first_unread();
    };
    let mark = move |_| {
        list.focus();
        list.mark_all_read();
    };
    view! {
        <Show when=move || list.has_unread_above.get() fallback=|| ()>
            <div class="chat-unread-bar">
                <button type="button" class="button" on:click=go>
                    <Icon kind=IconKind::Up />
                    {label}
                </button>
                <button type="button" class="button" on:click=mark>
                    {text(|m| m.mark_read)}
                </button>
            </div>
        </Show>
    }
}
