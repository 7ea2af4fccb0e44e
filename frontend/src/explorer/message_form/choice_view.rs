//! Values that are chosen: truth values and enums.

use std::sync::Arc;

use grpc_inspect::{form::EnumChoice, json_text::Content};
use leptos::prelude::*;

use super::{
    frame::FieldFrame,
    input_text::{quoted, text_of},
    place::Place,
};
use crate::explorer::{state::Explorer, texts::use_texts};

/// `true` or `false`, or neither where the value may be absent.
#[component]
pub(super) fn BoolInput(
    place: Place,
    label: Signal<String>,
    comment: String,
    can_be_absent: bool,
    is_deprecated: bool,
) -> impl IntoView {
    let t = use_texts();
    let id = expect_context::<Explorer>().unique_id();
    let content = place.content();
    let error = place.error(true);
    let chosen = Memo::new(move |_| match content.get() {
        Some(Content::Bool(true)) => "true".to_owned(),
        None if can_be_absent => String::new(),
        _ => "false".to_owned(),
    });
    let write = {
        let place = place.clone();
        move |value: String| if value.is_empty() { place.remove() } else { place.set(&value) }
    };
    view! {
        <FieldFrame id=id.clone() label comment can_be_absent=false is_deprecated place error>
            <select
                class="field__input"
                id=id.clone()
                aria-describedby=[&id, "-error ", &id, "-hint"].concat()
                on:change:target=move |event| write(event.target().value())
            >
                {can_be_absent.then(|| choice(String::new(), move || t.get().value_unset, chosen))}
                {choice("false".to_owned(), move || t.get().value_false, chosen)}
                {choice("true".to_owned(), move || t.get().value_true, chosen)}
            </select>
        </FieldFrame>
    }
}

/// A choice of a list. The choice is marked and not the list's value set, because a list has its choices later than its value.
pub(super) fn choice(value: String, label: impl IntoView, chosen: Memo<String>) -> impl IntoView {
    let own = value.clone();
    view! { <option value=value prop:selected=move || chosen.with(|chosen| *chosen == own)>{label}</option> }
}

/// A value of an enum by its name. A number that has none stays a choice, as long as it is chosen.
#[component]
pub(super) fn EnumInput(
    values: Arc<[EnumChoice]>,
    place: Place,
    label: Signal<String>,
    comment: String,
    can_be_absent: bool,
    is_deprecated: bool,
) -> impl IntoView {
    let t = use_texts();
    let id = expect_context::<Explorer>().unique_id();
    let content = place.content();
    let error = place.error(true);
    let first = values.first().map(|value| value.name.clone()).unwrap_or_default();
    let names: Vec<String> = values.iter().map(|value| value.name.clone()).collect();
    let chosen = Memo::new(move |_| match content.with(|content| text_of(content.as_ref())) {
        text if text.is_empty() && !can_be_absent => first.clone(),
        text => text,
    });
    let other = move || {
        let chosen = chosen.get();
        let is_other = !chosen.is_empty() && !names.contains(&chosen);
        is_other.then(|| view! { <option value=chosen.clone() prop:selected=true>{chosen.clone()}</option> })
    };
    let options = values.iter().map(|value| {
        let label = [&value.name, " = ", &value.number.to_string()].concat();
        choice(value.name.clone(), label, chosen)
    });
    let options = options.collect_view();
    let write = {
        let place = place.clone();
        move |value: String| if value.is_empty() { place.remove() } else { place.set(&quoted(&value)) }
    };
    view! {
        <FieldFrame id=id.clone() label comment can_be_absent=false is_deprecated place error>
            <select
                class="field__input"
                id=id.clone()
                aria-invalid=move || error.get().is_some().then_some("true")
                aria-describedby=[&id, "-error ", &id, "-hint"].concat()
                on:change:target=move |event| write(event.target().value())
            >
                {can_be_absent.then(|| choice(String::new(), move || t.get().value_unset, chosen))}
                {other}
                {options}
            </select>
        </FieldFrame>
    }
}
