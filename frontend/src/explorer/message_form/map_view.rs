//! A map: entries with a key and a value.

use grpc_inspect::{
    form::FormField,
    json_text::{Content, Step},
};
use leptos::prelude::*;

use super::{frame::RemoveButton, place::Place, value_view::ValueView};
use crate::{
    explorer::{comment::paragraphs, state::Explorer, texts::use_texts},
    i18n::fill,
    icon::{Icon, IconKind},
};

/// Entries that are drawn. Others can be changed in the JSON text.
const MAX_ENTRIES: usize = 200;

/// The entries, and the field for another key.
#[component]
pub(super) fn MapView(
    /// The field.
    field: FormField,
    /// Its place.
    place: Place,
) -> impl IntoView {
    let name = field.json_name.clone();
    let comment = paragraphs(&field.comment);
    let content = place.content();
    let error = place.error(false);
    let keys = Memo::new(move |_| match content.get() {
        Some(Content::Keys(keys)) => keys,
        _ => Vec::new(),
    });
    let entry = {
        let (field, place) = (field.clone(), place.clone());
        move |key: String| {
            let place = place.then(Step::Key(key.clone()));
            let label = Signal::stored([&field.json_name, "[", &key, "]"].concat());
            let (control, default_json) = (field.control.clone(), field.default_json.clone());
            let remove = place.clone();
            view! {
                <div class="explorer-form__item">
                    <ValueView control place label can_be_absent=false default_json />
                    <RemoveButton place=remove label />
                </div>
            }
        }
    };
    view! {
        <fieldset class="explorer-form__group">
            <legend>{name.clone()}</legend>
            {(!comment.is_empty()).then(|| view! { <p class="field__hint explorer-form__comment" dir="auto">{comment}</p> })}
            <p class="field__error">{move || error.get()}</p>
            <For each=move || keys.get().into_iter().take(MAX_ENTRIES) key=Clone::clone let:key>
                {entry(key)}
            </For>
            <NewEntry name place keys default_json=field.default_json />
        </fieldset>
    }
}

/// The field for the key of a new entry, and its button.
#[component]
fn NewEntry(
    /// The map's name.
    name: String,
    place: Place,
    /// The keys that there are.
    keys: Memo<Vec<String>>,
    default_json: String,
) -> impl IntoView {
    let t = use_texts();
    let id = expect_context::<Explorer>().unique_id();
    let key = RwSignal::new(String::new());
    let is_known = Memo::new(move |_| keys.with(|keys| key.with(|key| keys.contains(key))));
    let add = move || {
        if !is_known.get_untracked() {
            place.then(Step::Key(key.get_untracked())).set(&default_json);
            key.set(String::new());
        }
    };
    let by_key = add.clone();
    let names = (name.clone(), name);
    view! {
        <div class="explorer-form__entry">
            <input
                class="field__input"
                id=id.clone()
                type="text"
                autocomplete="off"
                spellcheck="false"
                aria-label=move || fill(t.get().entry_new_key, &[("name", &names.0)])
                placeholder=move || t.get().entry_key
                aria-invalid=move || is_known.get().then_some("true")
                aria-describedby=[&id, "-error"].concat()
                prop:value=key
                on:input:target=move |event| key.set(event.target().value())
                on:keydown=move |event| {
                    // Enter alone would send the message.
                    if event.key() == "Enter" && !event.ctrl_key() && !event.meta_key() && !event.is_composing() {
                        event.prevent_default();
                        by_key();
                    }
                }
            />
            <button type="button" class="button button--quiet explorer-form__add" on:click=move |_| add()>
                <Icon kind=IconKind::Add />
                {move || fill(t.get().add_entry, &[("name", &names.1)])}
            </button>
            <p class="field__error" id=[&id, "-error"].concat()>
                {move || is_known.get().then(|| t.get().entry_exists)}
            </p>
        </div>
    }
}
