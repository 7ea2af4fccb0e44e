//! The names of the panel's columns.

use leptos::prelude::*;

use crate::i18n::text;

/// The names, for the eye: each row has them for screen readers.
#[component]
pub(super) fn Columns() -> impl IntoView {
    view! {
        <div class="calls__columns" aria-hidden="true">
            <span>{text(|m| m.calls_started)}</span>
            <span>{text(|m| m.calls_method)}</span>
            <span>{text(|m| m.calls_state)}</span>
            <span>{text(|m| m.calls_duration)}</span>
            <span>{text(|m| m.calls_sent)}</span>
            <span>{text(|m| m.calls_received)}</span>
        </div>
    }
}
