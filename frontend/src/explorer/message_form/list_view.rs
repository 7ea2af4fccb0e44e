//! A field with any number of values.

use grpc_inspect::{
    form::FormField,
    json_text::{Content, Step},
};
use leptos::prelude::*;

use super::{place::Place, value_view::ValueView};
use crate::{
    explorer::{comment::paragraphs, texts::use_texts},
    i18n::fill,
    icon::{Icon, IconKind},
};

/// Items that are drawn. Others can be changed in the JSON text.
const MAX_ITEMS: usize = 200;

/// The items, each with a button that removes it, and the button for another one.
#[component]
pub(super) fn ListView(
    /// The field.
    field: FormField,
    /// Its place.
    place: Place,
) -> impl IntoView {
    let t = use_texts();
    let name = field.json_name.clone();
    let comment = paragraphs(&field.comment);
    let content = place.content();
    let error = place.error(false);
    let count = Memo::new(move |_| match content.get() {
        Some(Content::Items(count)) => count,
        _ => 0,
    });
    let add = {
        let (place, default_json) = (place.clone(), field.default_json.clone());
        move |_| place.then(Step::Item(count.get_untracked())).set(&default_json)
    };
    let item = {
        let (field, place) = (field.clone(), place.clone());
        move |index: usize| view! { <Item field=field.clone() place=place.then(Step::Item(index)) index /> }
    };
    view! {
        <fieldset class="explorer-form__group">
            <legend>{name.clone()}</legend>
            {(!comment.is_empty()).then(|| view! { <p class="field__hint explorer-form__comment" dir="auto">{comment}</p> })}
            <p class="field__error">{move || error.get()}</p>
            <For each=move || 0..count.get().min(MAX_ITEMS) key=|index| *index let:index>
                {item(index)}
            </For>
            <div>
                <button type="button" class="button button--quiet explorer-form__add" on:click=add>
                    <Icon kind=IconKind::Add />
                    {move || fill(t.get().add_item, &[("name", &name)])}
                </button>
            </div>
        </fieldset>
    }
}

/// An item.
#[component]
fn Item(
    field: FormField,
    place: Place,
    /// Its position, from 0.
    index: usize,
) -> impl IntoView {
    let t = use_texts();
    let name = field.json_name;
    let number = (index + 1).to_string();
    let label = {
        let (name, number) = (name.clone(), number.clone());
        Signal::derive(move || fill(t.get().item, &[("name", &name), ("number", &number)]))
    };
    let remove = place.clone();
    view! {
        <div class="explorer-form__item">
            <ValueView control=field.control place label can_be_absent=false default_json=field.default_json />
            <button
                type="button"
                class="button button--icon explorer-form__remove"
                aria-label=move || fill(t.get().remove_item, &[("name", &name), ("number", &number)])
                on:click=move |_| remove.remove()
            >
                <Icon kind=IconKind::Close />
            </button>
        </div>
    }
}
