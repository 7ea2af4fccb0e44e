//! The message as a form. It has no state of its own: it reads and changes the JSON text, so both are always in step.

mod choice_view;
mod field_view;
mod frame;
mod input_text;
mod list_view;
mod map_view;
mod oneof_view;
mod place;
mod text_input;
mod value_view;

use grpc_inspect::{
    form::{FormField, fields},
    json_text::{Path, content_at},
};
use leptos::prelude::*;

use self::{field_view::FieldView, oneof_view::OneofView};
use super::{state::Explorer, texts::say};

/// The form, while the JSON text is well-formed.
#[component]
pub(super) fn MessageForm(
    /// Full name of the message.
    message: String,
) -> impl IntoView {
    let explorer = expect_context::<Explorer>();
    let is_readable = Memo::new(move |_| {
        explorer.json.with(|json| json.trim().is_empty() || content_at(json, &Path::root()).is_ok())
    });
    view! {
        <div class="explorer-form">
            {move || match is_readable.get() {
                true => view! { <FieldList type_name=message.clone() path=Path::root() /> }.into_any(),
                false => view! { <p class="error" role="status">{say(|t| t.form_needs_json)}</p> }.into_any(),
            }}
        </div>
    }
}

/// One field, or those of a oneof.
enum Part {
    Field(FormField),
    Oneof(String, Vec<FormField>),
}

/// The fields.
#[component]
fn FieldList(
    /// Full name of the message.
    type_name: String,
    /// Its place.
    path: Path,
) -> impl IntoView {
    let explorer = expect_context::<Explorer>();
    let fields = untrack(|| explorer.schema())
        .and_then(|schema| schema.pool.message(&type_name).map(fields))
        .unwrap_or_default();
    if fields.is_empty() {
        return view! { <p class="field__hint">{say(|t| t.form_empty)}</p> }.into_any();
    }
    let parts = parts(fields).into_iter().map(|part| match part {
        Part::Field(field) => view! { <FieldView field path=path.clone() /> }.into_any(),
        Part::Oneof(name, members) => view! { <OneofView name members path=path.clone() /> }.into_any(),
    });
    view! { <div class="explorer-form__fields">{parts.collect_view()}</div> }.into_any()
}

/// The fields in their order; a oneof stands where its first member does.
fn parts(fields: Vec<FormField>) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for field in fields {
        let Some(oneof) = field.oneof.clone() else {
            parts.push(Part::Field(field));
            continue;
        };
        let known = parts.iter_mut().find_map(|part| match part {
            Part::Oneof(name, members) if *name == oneof => Some(members),
            _ => None,
        });
        match known {
            Some(members) => members.push(field),
            None => parts.push(Part::Oneof(oneof, vec![field])),
        }
    }
    parts
}
