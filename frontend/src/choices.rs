//! Language and theme as radio buttons, for the menu and the settings page.

mod choice;

use leptos::prelude::*;

use self::choice::Choice;
use crate::{
    i18n::{Language, text, use_language_choice, use_missing_texts},
    theme::{Theme, use_theme},
};

/// The sentence that the Chinese texts could not be loaded, in English, which is shown in their place, and in Chinese.
const NOT_LOADED: (&str, &str) = (
    "The Chinese texts could not be loaded. Check the network, then choose 中文 again.",
    "中文文本没有加载成功。请检查网络，然后再次选择“中文”。",
);

/// Language and theme.
#[component]
pub(crate) fn Choices(
    /// Distinguishes two sets of radio buttons in one document.
    place: &'static str,
) -> impl IntoView {
    let language = use_language_choice();
    let theme = use_theme();
    let is_missing = use_missing_texts();
    let (english, chinese) = NOT_LOADED;
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
            <p class="error" role="alert">
                {move || is_missing.get().then(|| view! { {english} " " <span lang="zh-CN">{chinese}</span> })}
            </p>
        </fieldset>
        <fieldset class="choices">
            <legend>{text(|m| m.theme)}</legend>
            {themes}
        </fieldset>
    }
}
