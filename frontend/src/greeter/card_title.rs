//! The title of a card.

use leptos::prelude::*;

use crate::i18n::{Text, text as localized};

/// Kind of call, method and description.
#[component]
pub(super) fn CardTitle(
    /// The method's name.
    method: &'static str,
    /// The kind of call.
    mode: Text,
    /// The description.
    text: Text,
) -> impl IntoView {
    view! {
        <h2 class="card__title">{localized(mode)}</h2>
        <p class="card__method">{method}</p>
        <p class="card__text">{localized(text)}</p>
    }
}
