//! Language and theme as radio buttons, for the menu and the settings page.

mod choice;

use leptos::prelude::*;

use self::choice::Choice;
use crate::{
    i18n::{Language, text, use_language},
    theme::{Theme, use_theme},
};

/// Language and theme.
#[component]
pub(crate) fn Choices(
    /// Distinguishes two sets of radio buttons in one document.
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
