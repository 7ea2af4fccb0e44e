//! The rows of the metadata.

use leptos::prelude::*;

use super::{
    metadata::{InvalidRow, KNOWN_KEYS, Row},
    state::{Explorer, RowState},
    texts::{Texts, say, use_texts},
};
use crate::{
    focus::focus,
    i18n::fill,
    icon::{Icon, IconKind},
};

/// The rows, and the button for another one.
#[component]
pub(super) fn MetadataRows() -> impl IntoView {
    let explorer = expect_context::<Explorer>();
    let add = move |_| {
        let state = explorer.add_row(Row::default());
        let selector = ["#", &key_id(state.number)].concat();
        leptos::task::spawn_local(async move {
            leptos::task::tick().await;
            focus(&selector);
        });
    };
    // Keys of earlier calls are offered, too.
    let keys = move || {
        let past = explorer.past.get();
        let mut keys: Vec<&str> =
            past.iter().flat_map(|call| &call.metadata).map(|row| row.key.as_str()).collect();
        keys.extend(KNOWN_KEYS);
        keys.sort_unstable();
        keys.dedup();
        keys.into_iter().map(|key| view! { <option value=key.to_owned()></option> }).collect_view()
    };
    view! {
        <fieldset class="explorer-metadata">
            <legend class="field__label">{say(|t| t.metadata)}</legend>
            <For each=move || explorer.rows.get() key=|state| state.number let:state>
                <MetadataRow state />
            </For>
            <div class="explorer-metadata__end">
                <button type="button" class="button" on:click=add>
                    <Icon kind=IconKind::Add />
                    {say(|t| t.metadata_add)}
                </button>
                <p class="field__hint">{say(|t| t.metadata_hint)}</p>
            </div>
            <datalist id="explorer-keys">{keys}</datalist>
        </fieldset>
    }
}

fn key_id(number: u64) -> String {
    ["explorer-key-", &number.to_string()].concat()
}

/// A key, its value, and the button that removes both.
#[component]
fn MetadataRow(
    /// The row.
    state: RowState,
) -> impl IntoView {
    let explorer = expect_context::<Explorer>();
    let t = use_texts();
    let RowState { number, row } = state;
    let row = RwSignal::from(row);
    // People count from one; a row that goes renumbers those behind it.
    let position = move || {
        let index = explorer.rows.with(|rows| rows.iter().position(|state| state.number == number));
        index.map_or(0, |index| index + 1).to_string()
    };
    let error = Memo::new(move |_| row.with(|row| row.add_to(&mut Default::default()).err()));
    let is_of_value = move || matches!(error.get(), Some(InvalidRow::Value | InvalidRow::Base64));
    let error_id = ["explorer-row-error-", &number.to_string()].concat();
    let label = move |template: fn(&'static Texts) -> &'static str| {
        move || fill(template(t.get()), &[("number", &position())])
    };
    view! {
        <div class="explorer-metadata__row">
            <input
                class="field__input"
                id=key_id(number)
                type="text"
                list="explorer-keys"
                autocomplete="off"
                autocapitalize="off"
                spellcheck="false"
                aria-label=label(|t| t.metadata_key)
                aria-describedby=error_id.clone()
                aria-invalid=move || (error.get().is_some() && !is_of_value()).then_some("true")
                prop:value=move || row.with(|row| row.key.clone())
                on:input:target=move |event| row.update(|row| row.key = event.target().value())
            />
            <input
                class="field__input"
                type="text"
                autocomplete="off"
                spellcheck="false"
                aria-label=label(|t| t.metadata_value)
                aria-describedby=error_id.clone()
                aria-invalid=move || is_of_value().then_some("true")
                prop:value=move || row.with(|row| row.value.clone())
                on:input:target=move |event| row.update(|row| row.value = event.target().value())
            />
            <button
                type="button"
                class="button button--icon"
                aria-label=label(|t| t.metadata_remove)
                on:click=move |_| explorer.rows.update(|rows| rows.retain(|state| state.number != number))
            >
                <Icon kind=IconKind::Close />
            </button>
            <p class="field__error" id=error_id>{move || error.get().map(|reason| row_text(t.get(), reason))}</p>
        </div>
    }
}

fn row_text(t: &Texts, reason: InvalidRow) -> &'static str {
    match reason {
        InvalidRow::NoKey => t.row_no_key,
        InvalidRow::Key => t.row_key,
        InvalidRow::OfTheProtocol => t.row_protocol,
        InvalidRow::OfTheBrowser => t.row_browser,
        InvalidRow::Value => t.row_value,
        InvalidRow::Base64 => t.row_base64,
    }
}
