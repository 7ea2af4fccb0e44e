//! The options of a call: metadata, deadline and token.

use leptos::prelude::*;

use super::{
    metadata::{bearer, metadata},
    metadata_rows::MetadataRows,
    state::Explorer,
    texts::{say, use_texts},
};
use crate::{
    greeter::deadline,
    i18n::{text, use_messages},
};

/// The options, closed at first. They open when a call is refused because one of them is wrong.
#[component]
pub(super) fn CallOptions() -> impl IntoView {
    let explorer = expect_context::<Explorer>();
    let count = move || {
        let rows = explorer.typed_rows().iter().filter(|row| !row.is_blank()).count();
        let others = [explorer.deadline, explorer.token];
        rows + others.iter().filter(|text| text.with(|text| !text.trim().is_empty())).count()
    };
    let counted = move || match count() {
        0 => String::new(),
        count => [" (", &count.to_string(), ")"].concat(),
    };
    view! {
        <details
            class="explorer-options"
            prop:open=explorer.shows_options
            on:toggle:target=move |event| explorer.shows_options.set(event.target().open())
        >
            <summary>{say(|t| t.options)}{counted}</summary>
            <div class="explorer-options__content">
                <MetadataRows />
                <div class="explorer-options__fields">
                    <DeadlineField />
                    <TokenField />
                </div>
            </div>
        </details>
    }
}

#[component]
fn DeadlineField() -> impl IntoView {
    let explorer = expect_context::<Explorer>();
    let m = use_messages();
    let error = Memo::new(move |_| explorer.deadline.with(|text| deadline(text).err()));
    view! {
        <div class="field">
            <label class="field__label" for="explorer-deadline">{text(|m| m.deadline)}</label>
            <input
                class="field__input"
                id="explorer-deadline"
                type="text"
                inputmode="numeric"
                autocomplete="off"
                aria-invalid=move || error.get().is_some().then_some("true")
                aria-describedby="explorer-deadline-error explorer-deadline-hint"
                prop:value=explorer.deadline
                on:input:target=move |event| explorer.deadline.set(event.target().value())
            />
            <p class="field__error" id="explorer-deadline-error">
                {move || error.get().map(|error| error.sentence(m.get()))}
            </p>
            <p class="field__hint" id="explorer-deadline-hint">{say(|t| t.deadline_hint)}</p>
        </div>
    }
}

/// The token is stored nowhere, and browsers are told to offer nothing for it.
#[component]
fn TokenField() -> impl IntoView {
    let explorer = expect_context::<Explorer>();
    let t = use_texts();
    let error = move || {
        let token = explorer.token.with(|token| bearer(token));
        let has_other =
            || metadata(&explorer.typed_rows()).is_ok_and(|map| map.contains_key("authorization"));
        match token {
            Err(_) => Some(t.get().token_invalid),
            Ok(Some(_)) if has_other() => Some(t.get().token_twice),
            Ok(_) => None,
        }
    };
    view! {
        <div class="field">
            <label class="field__label" for="explorer-token">{say(|t| t.token)}</label>
            <input
                class="field__input"
                id="explorer-token"
                type="password"
                autocomplete="off"
                spellcheck="false"
                data-1p-ignore=""
                aria-invalid=move || error().is_some().then_some("true")
                aria-describedby="explorer-token-error explorer-token-hint"
                prop:value=explorer.token
                on:input:target=move |event| explorer.token.set(event.target().value())
            />
            <p class="field__error" id="explorer-token-error">{error}</p>
            <p class="field__hint" id="explorer-token-hint">{say(|t| t.token_hint)}</p>
        </div>
    }
}
