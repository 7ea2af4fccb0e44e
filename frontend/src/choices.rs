//! The person's choices, language and theme, as radio buttons. The header's menu and the settings
//! page show the same.

use leptos::prelude::*;

use crate::{
    i18n::{Language, text, use_language},
    theme::{Theme, use_theme},
};

/// Language and theme.
#[component]
pub fn Choices(
    /// Where they stand; tells two sets of radio buttons on one page apart.
    place: &'static str,
) -> impl IntoView {
    let language = use_language();
    let theme = use_theme();
    let languages = Language::ALL.map(|choice| {
        let chosen = Signal::derive(move || language.get() == choice);
        let choose = Callback::new(move |()| language.set(choice));
        view! { <Choice group=[place, "-language"].concat() label=choice.name().into() lang=choice.tag() chosen choose /> }
    });
    let themes = Theme::ALL.map(|choice| {
        let label = match choice {
            Theme::Light => text(|m| m.theme_light),
            Theme::Dark => text(|m| m.theme_dark),
            Theme::System => text(|m| m.theme_system),
        };
        let chosen = Signal::derive(move || theme.get() == choice);
        let choose = Callback::new(move |()| theme.set(choice));
        view! { <Choice group=[place, "-theme"].concat() label chosen choose /> }
    });
    view! {
        <fieldset class="choices">
            <legend>{text(|m| m.language)}</legend>
            {languages}
        </fieldset>
        <fieldset class="choices">
            <legend>{text(|m| m.theme)}</legend>
            {themes}
        </fieldset>
    }
}

#[component]
fn Choice(
    /// Radio buttons of one group exclude each other.
    group: String,
    label: Signal<&'static str>,
    /// The language of the label where it is not the page's.
    #[prop(optional)]
    lang: Option<&'static str>,
    chosen: Signal<bool>,
    choose: Callback<()>,
) -> impl IntoView {
    view! {
        <label class="choice" lang=lang>
            <input type="radio" name=group prop:checked=chosen on:change=move |_| choose.run(()) />
            <span>{label}</span>
        </label>
    }
}
