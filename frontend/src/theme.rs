//! Light, dark, or as the system has it: an attribute on the root element that `tokens.css` reads.
//! The script in `index.html` sets the same attribute from the same key before the first paint.

use leptos::prelude::*;

const STORAGE_KEY: &str = "chinwag.theme";

/// The person's choice of colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// As the system has it, and changing with it.
    #[default]
    System,
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl Theme {
    /// The order in which the choices are offered.
    pub const ALL: [Theme; 3] = [Theme::Light, Theme::Dark, Theme::System];

    /// The word for storage and the `data-theme` attribute.
    pub fn word(self) -> &'static str {
        match self {
            Theme::System => "system",
            Theme::Light => "light",
            Theme::Dark => "dark",
        }
    }

    /// The choice that a word names; any other word is the system's.
    pub fn from_word(word: &str) -> Theme {
        match word {
            "light" => Theme::Light,
            "dark" => Theme::Dark,
            _ => Theme::System,
        }
    }
}

/// Puts the theme into the page: reads the stored choice, applies it and every later one. Call once,
/// in the application's root.
pub(crate) fn provide_theme() {
    let initial = Theme::from_word(&crate::storage::get(STORAGE_KEY).unwrap_or_default());
    let theme = RwSignal::new(initial);
    provide_context(ThemeContext(theme));
    Effect::new(move |previous: Option<Theme>| {
        let theme = theme.get();
        if let Some(root) = document().document_element() {
            // Setting an attribute with a valid name does not fail.
            root.set_attribute("data-theme", theme.word()).ok();
        }
        if previous.unwrap_or(initial) != theme {
            crate::storage::set(STORAGE_KEY, theme.word());
        }
        theme
    });
}

/// The theme's signal; setting it changes the page and is remembered.
pub fn use_theme() -> RwSignal<Theme> {
    expect_context::<ThemeContext>().0
}

#[derive(Clone, Copy)]
struct ThemeContext(RwSignal<Theme>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_theme_is_read_back_from_its_word() {
        for theme in Theme::ALL {
            assert_eq!(Theme::from_word(theme.word()), theme);
        }
    }

    #[test]
    fn an_unknown_word_follows_the_system() {
        assert_eq!(Theme::from_word("sepia"), Theme::System);
        assert_eq!(Theme::from_word(""), Theme::System);
    }
}
