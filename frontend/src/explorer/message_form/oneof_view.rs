//! The members of a oneof.

use grpc_inspect::{form::FormField, json_text::Path};
use leptos::prelude::*;

use super::{choice_view::choice, field_view::FieldView, place::Place};
use crate::{
    explorer::{state::Explorer, texts::use_texts},
    i18n::fill,
};

/// The members of a oneof, of which one has a value.
#[component]
pub(super) fn OneofView(
    /// Its name.
    name: String,
    /// Its members.
    members: Vec<FormField>,
    /// The place of its message.
    path: Path,
) -> impl IntoView {
    let t = use_texts();
    let id = expect_context::<Explorer>().unique_id();
    let message = Place::new(path.clone());
    let contents: Vec<_> = members.iter().map(|member| message.then(member.step()).content()).collect();
    let chosen = Memo::new(move |_| contents.iter().position(|content| content.with(Option::is_some)));
    let value = Memo::new(move |_| chosen.get().map(|index| index.to_string()).unwrap_or_default());
    let options = members
        .iter()
        .enumerate()
        .map(|(index, member)| choice(index.to_string(), member.json_name.clone(), value));
    let options = options.collect_view();
    let choose = {
        let members = members.clone();
        move |value: String| {
            for member in &members {
                message.then(member.step()).remove();
            }
            if let Some(member) = value.parse().ok().and_then(|index: usize| members.get(index)) {
                message.then(member.step()).set(&member.default_json);
            }
        }
    };
    // The choice above says which one has a value, so the member itself is always there.
    let member = move || {
        let member = FormField { has_presence: false, ..members.get(chosen.get()?)?.clone() };
        Some(view! { <FieldView field=member path=path.clone() /> })
    };
    view! {
        <div class="explorer-form__oneof">
            <div class="field">
                <label class="field__label" for=id.clone()>
                    {move || fill(t.get().choose_one, &[("name", &name)])}
                </label>
                <select class="field__input" id=id on:change:target=move |event| choose(event.target().value())>
                    {choice(String::new(), move || t.get().choose_none, value)}
                    {options}
                </select>
            </div>
            {member}
        </div>
    }
}
