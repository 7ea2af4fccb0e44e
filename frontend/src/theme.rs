//! Light, dark, or the system's colours: an attribute of the root element that `tokens.css` reads.
//!
//! The script in `index.html` sets the same attribute from the same key before the first paint.

use leptos::prelude::*;

use crate::{preference::preference, storage};

const STORAGE_KEY: &str = "chinwag.theme";

/// The choice of colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Theme {
    /// The system's choice, followed as it changes.
    #[default]
    System,
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl Theme {
    /// All choices, in the order of the menu.
    pub(crate) const ALL: [Theme; 3] = [Theme::Light, Theme::Dark, Theme::System];

    /// The word in storage and in the `data-theme` attribute.
    fn word(self) -> &'static str {
        match self {
            Theme::System => "system",
            Theme::Light => "light",
            Theme::Dark => "dark",
        }
    }

    /// The choice that a word names; the system's for other words.
    fn from_word(word: &str) -> Theme {
        match word {
            "light" => Theme::Light,
            "dark" => Theme::Dark,
            _ => Theme::System,
        }
    }
}

/// Provides the theme as a context. Call once, in the application's root.
pub(crate) fn provide_theme() {
    let stored = Theme::from_word(&storage::get(STORAGE_KEY).unwrap_or_default());
    let read = |word: &str| Some(Theme::from_word(word));
    let theme = preference(STORAGE_KEY, "data-theme", stored, Theme::word, read, |_| true);
    provide_context(ThemeContext(theme));
}

/// The theme. Setting it changes the page and is remembered.
pub(crate) fn use_theme() -> RwSignal<Theme> {
    expect_context::<ThemeContext>().0
}

#[derive(Clone, Copy)]
struct ThemeContext(RwSignal<Theme>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn themes_survive_their_words() {
        for theme in Theme::ALL {
            assert_eq!(Theme::from_word(theme.word()), theme);
        }
    }

    #[test]
    fn an_unknown_word_is_the_systems_theme() {
        assert_eq!(Theme::from_word("sepia"), Theme::System);
        assert_eq!(Theme::from_word(""), Theme::System);
    }
}
