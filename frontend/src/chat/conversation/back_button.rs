//! The button to the list of rooms, which a narrow page shows instead of the room.

use leptos::prelude::*;

use crate::{
    i18n::text,
    icon::{Icon, IconKind},
};

/// The button "Back to rooms".
#[component]
pub(crate) fn BackButton(
    /// Called by a click.
    back: Callback<()>,
) -> impl IntoView {
    view! {
        <button
            type="button"
            class="button button--icon"
            aria-label=text(|m| m.back_to_rooms)
            on:click=move |_| back.run(())
        >
            <Icon kind=IconKind::Back />
        </button>
    }
}
