//! The characters that are left, and that a file was refused.

use chat_model::length::LengthBudget;
use leptos::prelude::*;

use crate::i18n::{plural, use_messages};

/// The characters that are left, near the limit, or that a file was refused. Its height is reserved, so that nothing jumps.
#[component]
pub(super) fn LengthLine(
    /// The budget of the text.
    budget: RwSignal<LengthBudget>,
    /// Whether a file was refused.
    has_refused_file: RwSignal<bool>,
) -> impl IntoView {
    let m = use_messages();
    let sentence = move || {
        let m = m.get();
        match budget.get() {
            LengthBudget::Plenty if has_refused_file.get() => m.files_refused.to_owned(),
            LengthBudget::Plenty => String::new(),
            LengthBudget::Left(left) => plural(left as u64, m.characters_left_one, m.characters_left_other),
            LengthBudget::Over(over) => plural(over as u64, m.too_long_one, m.too_long_other),
        }
    };
    let is_over = move || matches!(budget.get(), LengthBudget::Over(_)).then_some("");
    view! {
        <p class="chat-composer__limit" id="composer-limit" aria-live="polite" data-over=is_over>
            {sentence}
        </p>
    }
}
