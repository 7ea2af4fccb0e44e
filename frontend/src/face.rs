//! A person's initials in a circle, coloured by the person's id. The name stands beside it, so the style sheet draws the initials: they
//! are neither read out nor copied.

use chat_model::face::{colour, initials};
use leptos::prelude::*;

/// The face of a person.
#[component]
pub(crate) fn Face(
    /// The person's id.
    id: String,
    /// The person's name.
    name: String,
) -> impl IntoView {
    view! {
        <span class="face" data-colour=colour(&id).to_string() data-initials=initials(&name) aria-hidden="true"></span>
    }
}
