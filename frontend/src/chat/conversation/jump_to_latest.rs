//! The button to the newest message.

use leptos::prelude::*;

use super::super::list::ListView;
use crate::{
    i18n::{fill, use_messages},
    icon::{Icon, IconKind},
};

/// The button "Jump to latest", with the number of unread messages; hidden at the end.
#[component]
pub(super) fn JumpToLatest(
    /// The list.
    list: ListView,
    /// Called by a click.
    to_end: Callback<()>,
) -> impl IntoView {
    let m = use_messages();
    let label = move || {
        let m = m.get();
        match list.unread_below.get() {
            0 => m.jump_to_latest.to_owned(),
            count => {
                let count = count.to_string();
                fill(m.jump_to_latest_count, &[("label", m.jump_to_latest), ("count", &count)])
            }
        }
    };
    let jump = move |_| {
        // The button goes.
        list.focus();
        to_end.run(());
    };
    view! {
        <Show when=move || !list.at_end.get() fallback=|| ()>
            <button type="button" class="button chat-jump" on:click=jump>
                <Icon kind=IconKind::Down />
                {label}
            </button>
        </Show>
    }
}
