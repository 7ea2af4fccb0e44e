//! A radio button with its label.

use leptos::prelude::*;

/// The radio button.
#[component]
pub(super) fn Choice(
    /// The group, of which one button is chosen.
    group: String,
    /// The label.
    label: Signal<&'static str>,
    /// The language of the label, when it differs from the page's.
    #[prop(optional)]
    lang: Option<&'static str>,
    /// Whether it is chosen.
    chosen: Signal<bool>,
    /// Called when it is chosen.
    choose: Callback<()>,
) -> impl IntoView {
    view! {
        <label class="choice" lang=lang>
            <input type="radio" name=group prop:checked=chosen on:change=move |_| choose.run(()) />
            <span>{label}</span>
        </label>
    }
}
