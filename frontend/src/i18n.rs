//! The page's words in English and Chinese, and the person's choice between them.
//!
//! A key is one field of [`Messages`], so that a language that lacks one does not compile. A message
//! with arguments is a template: `"{name}, {count} unread"`, filled by [`fill`]. Where a number
//! changes the sentence there are two keys, `..._one` and `..._other`; see [`plural`].

mod en;
mod zh;

use leptos::prelude::*;

const STORAGE_KEY: &str = "chinwag.language";

macro_rules! messages {
    ($($key:ident,)*) => {
        /// Every text of the page in one language.
        #[allow(missing_docs, reason = "the English text says what each key is")]
        #[derive(Debug)]
        pub struct Messages {
            $(pub $key: &'static str,)*
        }

        impl Messages {
            #[cfg(test)]
            fn entries(&self) -> Vec<(&'static str, &'static str)> {
                vec![$((stringify!($key), self.$key),)*]
            }
        }
    };
}

messages! {
    // Frame
    product,
    skip_to_content,
    pages,
    chat,
    greeter,
    settings,
    menu,
    language,
    theme,
    theme_light,
    theme_dark,
    theme_system,
    signed_in_as,
    sign_out,
    sign_out_failed,
    keys_help,
    keys_intro,
    key_room,
    key_calls,
    key_help,
    key_escape,
    key_send,
    key_newline,
    close,
    not_found_title,
    not_found_text,
    to_chat,
    status_ok,
    status_cancelled,
    status_deadline,
    status_invalid,
    status_not_found,
    status_exists,
    status_denied,
    status_exhausted,
    status_exhausted_wait,
    status_unauthenticated,
    status_unimplemented,
    status_unavailable,
    status_internal,
    error_offline,
    error_no_network,
    error_fetch,
    error_lost,
    error_http,
    error_content_type,
    error_no_content_type,
    error_truncated,
    error_protocol,
    error_too_large,
    error_too_many_calls,
    error_deadline,
    error_idle,
    details,
    copy,
    copied,

    // Chat: the names that hold
    join,
    your_name,
    rooms,
    room_unread,
    new_room,
    room_name,
    create,
    waiting,
    waiting_held,
    waiting_held_said,
    not_sent,
    message,
    send,
    jump_to_latest,

    // Greeter
    name,
    say_hello,
    start,
    cancel,
    greetings,
    greeter_intro,
    mode_unary,
    mode_unary_text,
    mode_server,
    mode_server_text,
    mode_client,
    mode_client_text,
    mode_bidi,
    mode_bidi_text,
    mode_needs,
    count,
    count_hint,
    interval,
    interval_hint,
    deadline,
    deadline_hint_unary,
    deadline_hint_stream,
    error_number,
    error_interval_needs_count,
    error_name_long,
    running,
    greetings_count_one,
    greetings_count_other,
    greetings_newest,
    status_code,
    duration,

    // Calls
    calls,
    calls_count_one,
    calls_count_other,
    calls_clear,
    calls_empty,
    calls_started,
    calls_method,
    calls_state,
    calls_duration,
    calls_sent,
    calls_received,
    calls_messages_one,
    calls_messages_other,
    calls_bytes,
    calls_waiting,
    calls_open,
    calls_request_messages,
    calls_response_messages,
    calls_newest,
    calls_trailers_frame,
    calls_compressed,
    calls_not_compressed,
    calls_compressed_text,
    calls_not_kept,
    calls_cut,
    calls_unknown_method,
    calls_unknown_fields,
    calls_problem_ends,
    calls_problem_no_field,
    calls_problem_no_text,
    calls_problem_too_deep,
    calls_bytes_of_frame,
    calls_part_flag,
    calls_flag,
    calls_flag_message,
    calls_flag_trailers,
    calls_part_length,
    calls_first_bytes,
    calls_retry,
    calls_command_cut,
    calls_request_metadata,
    calls_response_metadata,
    calls_trailers,
    calls_hidden,

    // Chat: everything else
    join_title,
    join_text,
    join_again,
    name_empty,
    name_too_long,
    name_taken,
    name_refused,
    room_name_hint,
    room_name_empty,
    room_name_too_long,
    room_name_taken,
    room_unknown_title,
    room_unknown_text,
    to_first_room,
    back_to_rooms,
    room_start,
    room_start_by,
    room_empty,
    message_to,
    characters_left_one,
    characters_left_other,
    too_long_one,
    too_long_other,
    try_again,
    discard,
    not_sent_refused,
    not_sent_too_old,
    not_sent_other_user,
    not_kept,
    connecting,
    offline,
    reconnecting,
    try_now,
    catching_up,
    today,
    yesterday,
    unread_line,
    older_loading,
    history_failed,
    jump_to_latest_count,
    arrived,
    arrived_many,
    jump_title,
    jump_filter,
    jump_none,
}

/// A language of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Language {
    /// English.
    English,
    /// Simplified Chinese.
    Chinese,
}

impl Language {
    /// The order in which the choices are offered.
    pub const ALL: [Language; 2] = [Language::English, Language::Chinese];

    /// Its own name for itself, the same in every language.
    pub fn name(self) -> &'static str {
        match self {
            Language::English => "English",
            Language::Chinese => "中文",
        }
    }

    /// The BCP 47 tag for `<html lang>` and for `Intl`.
    pub fn tag(self) -> &'static str {
        match self {
            Language::English => "en",
            Language::Chinese => "zh-CN",
        }
    }

    /// Its texts.
    pub fn messages(self) -> &'static Messages {
        match self {
            Language::English => &en::MESSAGES,
            Language::Chinese => &zh::MESSAGES,
        }
    }

    /// The language that a BCP 47 tag asks for, when the page speaks it.
    pub fn from_tag(tag: &str) -> Option<Language> {
        let primary = tag.split(['-', '_']).next().unwrap_or_default();
        match () {
            () if primary.eq_ignore_ascii_case("en") => Some(Language::English),
            () if primary.eq_ignore_ascii_case("zh") => Some(Language::Chinese),
            () => None,
        }
    }

    /// The first of the tags, best first, that the page speaks; English when it speaks none.
    pub fn choose<'a>(tags: impl IntoIterator<Item = &'a str>) -> Language {
        tags.into_iter().find_map(Language::from_tag).unwrap_or(Language::English)
    }
}

/// A template with its `{placeholders}` replaced. One that is not given stays as it is.
pub fn fill(template: &str, arguments: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(template.len() + 16);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let argument = after.split_once('}').and_then(|(name, after)| {
            let (_, value) = arguments.iter().find(|(known, _)| *known == name)?;
            Some((value, after))
        });
        match argument {
            Some((value, after)) => {
                filled.push_str(value);
                rest = after;
            }
            None => {
                filled.push('{');
                rest = after;
            }
        }
    }
    filled.push_str(rest);
    filled
}

/// The template for a number, with its `{count}` filled in.
pub fn plural(count: u64, one: &str, other: &str) -> String {
    fill(if count == 1 { one } else { other }, &[("count", &count.to_string())])
}

/// Puts the language into the page: the stored choice, otherwise the browser's. Call once, in the
/// application's root.
pub(crate) fn provide_language() {
    let stored = crate::storage::get(STORAGE_KEY);
    let initial = stored.as_deref().and_then(Language::from_tag).unwrap_or_else(browser_language);
    let language = RwSignal::new(initial);
    provide_context(LanguageContext(language));
    Effect::new(move |previous: Option<Language>| {
        let language = language.get();
        if let Some(root) = document().document_element() {
            // Setting an attribute with a valid name does not fail.
            root.set_attribute("lang", language.tag()).ok();
        }
        // What the browser asked for is not the person's choice and may change.
        if previous.unwrap_or(initial) != language {
            crate::storage::set(STORAGE_KEY, language.tag());
        }
        language
    });
}

/// The language's signal; setting it changes the page and is remembered.
pub fn use_language() -> RwSignal<Language> {
    expect_context::<LanguageContext>().0
}

/// The texts in the page's language.
pub fn use_messages() -> Signal<&'static Messages> {
    let language = use_language();
    Signal::derive(move || language.get().messages())
}

/// One text in the page's language, for a view: `{text(|m| m.close)}`.
pub fn text(pick: Text) -> Signal<&'static str> {
    let language = use_language();
    Signal::derive(move || pick(language.get().messages()))
}

/// Which text.
pub type Text = fn(&'static Messages) -> &'static str;

#[derive(Clone, Copy)]
struct LanguageContext(RwSignal<Language>);

fn browser_language() -> Language {
    let tags: Vec<String> =
        window().navigator().languages().iter().filter_map(|tag| tag.as_string()).collect();
    Language::choose(tags.iter().map(String::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placeholders(template: &str) -> Vec<&str> {
        let mut names: Vec<&str> = template
            .split('{')
            .skip(1)
            .filter_map(|part| part.split_once('}').map(|(name, _)| name))
            .collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn no_text_is_empty_or_padded_in_any_language() {
        for language in Language::ALL {
            for (key, text) in language.messages().entries() {
                assert!(!text.is_empty(), "{key} is empty in {language:?}");
                assert_eq!(text.trim(), text, "{key} is padded in {language:?}");
            }
        }
    }

    #[test]
    fn both_languages_fill_in_the_same_arguments() {
        let chinese = Language::Chinese.messages().entries();
        for (english, chinese) in Language::English.messages().entries().iter().zip(chinese) {
            assert_eq!(placeholders(english.1), placeholders(chinese.1), "{}", english.0);
        }
    }

    #[test]
    fn chinese_texts_are_chinese() {
        // Names of things that are called the same everywhere.
        let international = ["product"];
        for (key, text) in Language::Chinese.messages().entries() {
            let words: String =
                text.split('{').map(|part| part.split_once('}').map_or(part, |(_, rest)| rest)).collect();
            if !words.contains(char::is_alphabetic) {
                continue;
            }
            let has_han = text.chars().any(|letter| ('\u{4e00}'..='\u{9fff}').contains(&letter));
            assert!(has_han || international.contains(&key), "{key} is not translated: {text}");
        }
    }

    #[test]
    fn the_browsers_first_known_language_is_chosen() {
        assert_eq!(Language::choose(["fr-FR", "zh-TW", "en"]), Language::Chinese);
        assert_eq!(Language::choose(["en-GB", "zh"]), Language::English);
        assert_eq!(Language::choose(["fr", "de"]), Language::English);
        assert_eq!(Language::choose([]), Language::English);
        assert_eq!(Language::from_tag("zho"), None);
    }

    #[test]
    fn every_language_is_read_back_from_its_tag() {
        for language in Language::ALL {
            assert_eq!(Language::from_tag(language.tag()), Some(language));
        }
    }

    #[test]
    fn arguments_are_filled_in_once_and_braces_in_them_stay() {
        let filled = fill("{room}, {count} unread", &[("room", "{count}"), ("count", "3")]);
        assert_eq!(filled, "{count}, 3 unread");
        assert_eq!(fill("{a} {unknown} {", &[("a", "1")]), "1 {unknown} {");
    }

    #[test]
    fn one_and_many_differ_in_english() {
        assert_eq!(plural(1, "{count} call", "{count} calls"), "1 call");
        assert_eq!(plural(0, "{count} call", "{count} calls"), "0 calls");
    }
}
