//! The parts around an input: label, error, documentation, and the button that removes its value.

use leptos::prelude::*;

use super::place::Place;
use crate::{
    explorer::{service_list::Deprecated, texts::use_texts},
    i18n::fill,
    icon::{Icon, IconKind},
};

/// The label before an input, and behind it its error and its documentation.
#[component]
pub(super) fn FieldFrame(
    /// The id of the input.
    id: String,
    label: Signal<String>,
    comment: String,
    can_be_absent: bool,
    is_deprecated: bool,
    place: Place,
    /// The error.
    error: Memo<Option<String>>,
    children: Children,
) -> impl IntoView {
    view! {
        <div class="field explorer-form__field">
            <div class="explorer-form__label">
                <label class="field__label" for=id.clone()>{label}</label>
                {is_deprecated.then(|| view! { <Deprecated /> })}
                {can_be_absent.then(|| view! { <RemoveButton place label /> })}
            </div>
            {children()}
            <p class="field__error" id=[&id, "-error"].concat()>{move || error.get()}</p>
            <p class="field__hint explorer-form__comment" id=[&id, "-hint"].concat() dir="auto">{comment}</p>
        </div>
    }
}

/// The button that removes a value.
#[component]
pub(super) fn RemoveButton(
    /// The place of the value.
    place: Place,
    /// The label of the value.
    label: Signal<String>,
) -> impl IntoView {
    let t = use_texts();
    view! {
        <button
            type="button"
            class="button button--icon explorer-form__remove"
            aria-label=move || fill(t.get().remove_field, &[("name", &label.get())])
            on:click=move |_| place.remove()
        >
            <Icon kind=IconKind::Close />
        </button>
    }
}
