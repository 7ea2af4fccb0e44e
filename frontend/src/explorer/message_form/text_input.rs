//! Inputs for texts, numbers, bytes and times, and for values that are JSON themselves.

use grpc_inspect::{
    form::{Control, WellKnown},
    json_text::{Path, content_at},
};
use leptos::prelude::*;

use super::{
    frame::FieldFrame,
    input_text::{json_of, text_of},
    place::Place,
};
use crate::{
    explorer::{
        state::Explorer,
        texts::{Texts, use_texts},
    },
    i18n::fill,
};

/// An input of one line; of several for a text that has them.
#[component]
pub(super) fn TextInput(
    control: Control,
    place: Place,
    label: Signal<String>,
    comment: String,
    can_be_absent: bool,
    is_deprecated: bool,
) -> impl IntoView {
    let t = use_texts();
    let id = expect_context::<Explorer>().unique_id();
    let content = place.content();
    let text = Memo::new(move |_| content.with(|content| text_of(content.as_ref())));
    let error = place.error(true);
    let is_text = control == Control::Text;
    let is_number = matches!(control, Control::Integer { .. } | Control::Float);
    let lines = Memo::new(move |_| text.with(|text| text.split('\n').count()).clamp(1, 8));
    let hint = control.clone();
    let write = {
        let place = place.clone();
        move |text: String| match json_of(&control, &text) {
            Some(json) => place.set(&json),
            None => place.remove(),
        }
    };
    view! {
        <FieldFrame id=id.clone() label comment can_be_absent is_deprecated place error>
            {match is_text {
                true => view! {
                    <textarea
                        class="field__input"
                        id=id.clone()
                        rows=move || lines.get().to_string()
                        autocomplete="off"
                        dir="auto"
                        aria-invalid=move || error.get().is_some().then_some("true")
                        aria-describedby=[&id, "-error ", &id, "-hint"].concat()
                        prop:value=text
                        on:input:target=move |event| write(event.target().value())
                    ></textarea>
                }
                .into_any(),
                false => view! {
                    <input
                        class="field__input"
                        id=id.clone()
                        type="text"
                        inputmode=is_number.then_some("decimal")
                        autocomplete="off"
                        spellcheck="false"
                        aria-invalid=move || error.get().is_some().then_some("true")
                        aria-describedby=[&id, "-error ", &id, "-hint"].concat()
                        prop:value=text
                        on:input:target=move |event| write(event.target().value())
                    />
                }
                .into_any(),
            }}
            {move || hint_text(t.get(), &hint).map(|hint| view! { <p class="field__hint">{hint}</p> })}
        </FieldFrame>
    }
}

/// A text area for any JSON. A text that is not well-formed stays in it alone, because the message could not have it.
#[component]
pub(super) fn JsonInput(
    kind: WellKnown,
    place: Place,
    label: Signal<String>,
    comment: String,
    can_be_absent: bool,
) -> impl IntoView {
    let t = use_texts();
    let id = expect_context::<Explorer>().unique_id();
    let in_message = place.text();
    // The text while it is not well-formed.
    let unfinished = RwSignal::new(None::<String>);
    let text = move || unfinished.get().or_else(|| in_message.get()).unwrap_or_default();
    let of_message = place.error(true);
    let error = Memo::new(move |_| match unfinished.get() {
        Some(text) => content_at(&text, &Path::root())
            .err()
            .map(|error| crate::explorer::json_error_text::json_error_text(t.get(), &error.kind)),
        None => of_message.get(),
    });
    let write = {
        let place = place.clone();
        move |text: String| match content_at(&text, &Path::root()) {
            Ok(_) => {
                unfinished.set(None);
                place.set(&text);
            }
            Err(_) => unfinished.set(Some(text)),
        }
    };
    let hint = move || if kind == WellKnown::Any { t.get().hint_any } else { t.get().hint_json };
    view! {
        <FieldFrame id=id.clone() label comment can_be_absent is_deprecated=false place error>
            <textarea
                class="field__input explorer-form__json"
                id=id.clone()
                rows="3"
                autocomplete="off"
                spellcheck="false"
                dir="ltr"
                aria-invalid=move || error.get().is_some().then_some("true")
                aria-describedby=[&id, "-error ", &id, "-hint"].concat()
                prop:value=text
                on:input:target=move |event| write(event.target().value())
            ></textarea>
            <p class="field__hint">{hint}</p>
        </FieldFrame>
    }
}

fn hint_text(t: &Texts, control: &Control) -> Option<String> {
    match control {
        Control::Integer { min, max, .. } => {
            Some(fill(t.hint_range, &[("min", &min.to_string()), ("max", &max.to_string())]))
        }
        Control::Bytes => Some(t.hint_bytes.to_owned()),
        Control::WellKnown(WellKnown::Timestamp) => Some(t.hint_timestamp.to_owned()),
        Control::WellKnown(WellKnown::Duration) => Some(t.hint_duration.to_owned()),
        Control::WellKnown(WellKnown::FieldMask) => Some(t.hint_field_mask.to_owned()),
        _ => None,
    }
}
