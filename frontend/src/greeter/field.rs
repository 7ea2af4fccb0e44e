//! An input of the Greeter's cards.

use leptos::{html, prelude::*};

use super::input::InvalidInput;
use crate::i18n::{Text, text, use_messages};

/// The value of an input, and why it is refused.
#[derive(Clone, Copy)]
pub(super) struct Field {
    text: RwSignal<String>,
    invalid: RwSignal<Option<InvalidInput>>,
    input: NodeRef<html::Input>,
}

impl Field {
    pub(super) fn new(text: &str) -> Field {
        Field { text: RwSignal::new(text.to_owned()), invalid: RwSignal::new(None), input: NodeRef::new() }
    }

    /// Parses the value. A refused one is marked and takes the focus.
    pub(super) fn read<T>(self, parse: impl FnOnce(&str) -> Result<T, InvalidInput>) -> Option<T> {
        let result = self.text.with_untracked(|text| parse(text));
        self.invalid.set(result.as_ref().err().copied());
        if result.is_err() {
            self.focus();
        }
        result.ok()
    }

    /// Empties the input for the next value.
    pub(super) fn clear(self) {
        self.text.set(String::new());
        self.focus();
    }

    /// Refuses the value for a reason that depends on other inputs.
    pub(super) fn refuse(self, reason: InvalidInput) {
        self.invalid.set(Some(reason));
        self.focus();
    }

    fn focus(self) {
        if let Some(input) = self.input.get_untracked() {
            // An input in the document takes the focus.
            input.focus().ok();
        }
    }
}

/// A labelled input with its hint and error.
#[component]
pub(super) fn TextField(
    /// The input's id, unique in the page.
    id: &'static str,
    /// The field.
    field: Field,
    /// The label.
    label: Text,
    /// The valid values.
    #[prop(optional)]
    hint: Option<Text>,
    /// Whether it takes numbers.
    #[prop(optional)]
    numeric: bool,
) -> impl IntoView {
    let m = use_messages();
    let hint_id = [id, "-hint"].concat();
    let error_id = [id, "-error"].concat();
    let described_by = match hint {
        Some(_) => [&error_id, " ", &hint_id].concat(),
        None => error_id.clone(),
    };
    let error = Signal::derive(move || field.invalid.get().map(|reason| reason.sentence(m.get())));
    view! {
        <div class="field">
            <label class="field__label" for=id>{text(label)}</label>
            <input
                class="field__input"
                type="text"
                id=id
                inputmode=numeric.then_some("numeric")
                autocomplete="off"
                spellcheck="false"
                node_ref=field.input
                aria-invalid=Signal::derive(move || field.invalid.get().is_some().then_some("true"))
                aria-describedby=described_by
                prop:value=field.text
                on:input:target=move |event| {
                    field.text.set(event.target().value());
                    field.invalid.set(None);
                }
            />
            <p class="field__error" id=error_id>{error}</p>
            {hint.map(|hint| view! { <p class="field__hint" id=hint_id>{text(hint)}</p> })}
        </div>
    }
}
