//! The page's texts in English and Chinese, and the choice between them.
//!
//! A text is a field of [`Messages`]. A text with arguments is a template, filled in by [`fill`]; where a count changes the sentence, there
//! are two keys, `..._one` and `..._other`, for [`plural`].

mod chinese;
mod en;
mod messages;
mod template;
mod zh;

use leptos::{prelude::*, task::spawn_local};

pub(crate) use self::{
    messages::{Messages, messages},
    template::{fill, plural},
};
use crate::{chunk::NotLoaded, preference::preference, scoped::scoped, storage};

const STORAGE_KEY: &str = "chinwag.language";

/// A language of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Language {
    /// English.
    English,
    /// Simplified Chinese.
    Chinese,
}

impl Language {
    /// All languages, in the order of the menu.
    pub(crate) const ALL: [Language; 2] = [Language::English, Language::Chinese];

    /// Its name in the language itself.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Language::English => "English",
            Language::Chinese => "中文",
        }
    }

    /// The BCP 47 tag for `<html lang>` and for `Intl`.
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Language::English => "en",
            Language::Chinese => "zh-CN",
        }
    }

    /// The characters between two sentences. Chinese ends a sentence with a full-width mark, which has its own space.
    pub(crate) fn space_between_sentences(self) -> &'static str {
        match self {
            Language::English => " ",
            Language::Chinese => "",
        }
    }

    /// The texts; English ones until those of the language are loaded.
    pub(crate) fn messages(self) -> &'static Messages {
        let own = match self {
            Language::English => None,
            Language::Chinese => chinese::messages(),
        };
        own.unwrap_or(&en::MESSAGES)
    }

    fn is_loaded(self) -> bool {
        self == Language::English || chinese::messages().is_some()
    }

    /// Loads the texts.
    async fn load(self) -> Result<(), NotLoaded> {
        match self {
            Language::English => Ok(()),
            Language::Chinese => chinese::load().await,
        }
    }

    /// The language of a BCP 47 tag, when the page has it.
    pub(crate) fn from_tag(tag: &str) -> Option<Language> {
        let primary = tag.split(['-', '_']).next().unwrap_or_default();
        match primary.to_ascii_lowercase().as_str() {
            "en" => Some(Language::English),
            "zh" => Some(Language::Chinese),
            _ => None,
        }
    }

    /// The language of the first tag that the page has; English without one.
    fn choose<'a>(tags: impl IntoIterator<Item = &'a str>) -> Language {
        tags.into_iter().find_map(Language::from_tag).unwrap_or(Language::English)
    }
}

/// Loads the texts of the reader's language, with which the page begins.
pub(crate) async fn load_texts() -> Result<(), NotLoaded> {
    initial_language().load().await
}

/// Provides the language as a context: the stored choice, or else the browser's. Call once, in the application's root.
pub(crate) fn provide_language() {
    let initial = initial_language();
    let is_missing = RwSignal::new(false);
    // English in the place of texts that are missing is nobody's choice: the next start tries the stored one again.
    let is_chosen = move |language| language != Language::English || !is_missing.get_untracked();
    let choice = preference(STORAGE_KEY, "lang", initial, Language::tag, Language::from_tag, is_chosen);
    let of_page = follow(move || choice.get());
    provide_context(LanguageContext { choice, of_page, language: of_page, is_missing });
    Effect::new(move |_| {
        let chosen = choice.get();
        if !chosen.is_loaded() {
            spawn_local(async move {
                is_missing.set(false);
                match chosen.load().await {
                    // The texts are read again.
                    Ok(()) => choice.notify(),
                    Err(NotLoaded) => {
                        is_missing.set(true);
                        choice.set(Language::English);
                    }
                }
            });
        }
    });
}

/// The stored choice, or else the browser's language.
fn initial_language() -> Language {
    let stored = storage::get(STORAGE_KEY);
    stored.as_deref().and_then(Language::from_tag).unwrap_or_else(browser_language)
}

/// Lets the part of the page that is being made, a row of a list for example, read the language without a trace once it is gone.
pub(crate) fn provide_scoped_language() {
    // An effect that runs again finds the context of its last run, whose language is gone.
    let context = expect_context::<LanguageContext>();
    provide_context(LanguageContext { language: follow(move || context.of_page.get()), ..context });
}

/// The language that `read` reads. Its texts may be others although it stays the same: those that were loaded meanwhile.
fn follow(read: impl Fn() -> Language + Send + Sync + 'static) -> Memo<Language> {
    scoped(read, |_, _| true)
}

/// The language.
pub(crate) fn use_language() -> Memo<Language> {
    expect_context::<LanguageContext>().language
}

/// The choice of the language. Setting it changes the page and is remembered.
pub(crate) fn use_language_choice() -> RwSignal<Language> {
    expect_context::<LanguageContext>().choice
}

/// Whether the texts of the language that was chosen last could not be loaded, and English ones are in their place.
pub(crate) fn use_missing_texts() -> RwSignal<bool> {
    expect_context::<LanguageContext>().is_missing
}

/// All texts in the page's language.
pub(crate) fn use_messages() -> Signal<&'static Messages> {
    let language = use_language();
    Signal::derive(move || language.get().messages())
}

/// A text in the page's language, for a view: `{text(|m| m.close)}`.
pub(crate) fn text(pick: Text) -> Signal<&'static str> {
    let language = use_language();
    Signal::derive(move || pick(language.get().messages()))
}

/// Picks a text.
pub(crate) type Text = fn(&'static Messages) -> &'static str;

#[derive(Clone, Copy)]
struct LanguageContext {
    choice: RwSignal<Language>,
    /// The language, for as long as the page is open.
    of_page: Memo<Language>,
    /// The language, for as long as the part of the page.
    language: Memo<Language>,
    is_missing: RwSignal<bool>,
}

fn browser_language() -> Language {
    let tags: Vec<String> =
        window().navigator().languages().iter().filter_map(|tag| tag.as_string()).collect();
    Language::choose(tags.iter().map(String::as_str))
}

/// Checks of texts, for every type of texts.
#[cfg(test)]
pub(crate) mod checks {
    /// Keys and texts.
    type Entries = [(&'static str, &'static str)];

    fn placeholders(template: &str) -> Vec<&str> {
        let mut names: Vec<&str> = template
            .split('{')
            .skip(1)
            .filter_map(|part| part.split_once('}').map(|(name, _)| name))
            .collect();
        names.sort_unstable();
        names
    }

    pub(crate) fn no_text_is_empty_or_padded(texts: &Entries) {
        for (key, text) in texts {
            assert!(!text.is_empty(), "{key} is empty");
            assert_eq!(text.trim(), *text, "{key} is padded");
        }
    }

    pub(crate) fn placeholders_are_the_same(english: &Entries, chinese: &Entries) {
        for (english, chinese) in english.iter().zip(chinese) {
            assert_eq!(placeholders(english.1), placeholders(chinese.1), "{}", english.0);
        }
    }

    /// `international` are keys of names that are the same in every language.
    pub(crate) fn texts_are_chinese(texts: &Entries, international: &[&str]) {
        for (key, text) in texts {
            let words: String =
                text.split('{').map(|part| part.split_once('}').map_or(part, |(_, rest)| rest)).collect();
            if !words.contains(char::is_alphabetic) {
                continue;
            }
            let has_han = text.chars().any(|letter| ('\u{4e00}'..='\u{9fff}').contains(&letter));
            assert!(has_han || international.contains(key), "{key} is not translated: {text}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_empty_or_padded() {
        for language in Language::ALL {
            checks::no_text_is_empty_or_padded(&language.messages().entries());
        }
    }

    #[test]
    fn both_languages_have_the_same_placeholders() {
        let [english, chinese] = Language::ALL.map(|language| language.messages().entries());
        checks::placeholders_are_the_same(&english, &chinese);
    }

    #[test]
    fn chinese_texts_are_translated() {
        // Names that are the same in every language.
        checks::texts_are_chinese(&Language::Chinese.messages().entries(), &["product"]);
    }

    #[test]
    fn the_first_known_language_of_the_browser_is_chosen() {
        assert_eq!(Language::choose(["fr-FR", "zh-TW", "en"]), Language::Chinese);
        assert_eq!(Language::choose(["en-GB", "zh"]), Language::English);
        assert_eq!(Language::choose(["fr", "de"]), Language::English);
        assert_eq!(Language::choose([]), Language::English);
        assert_eq!(Language::from_tag("zho"), None);
    }

    #[test]
    fn languages_survive_their_tags() {
        for language in Language::ALL {
            assert_eq!(Language::from_tag(language.tag()), Some(language));
        }
    }
}
