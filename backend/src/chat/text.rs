//! Rules for the characters of names and messages, and the equality of names.
//!
//! Pure functions over strings; `types` applies them.

use unicode_normalization::UnicodeNormalization as _;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory as _};

/// Zero width non-joiner: required inside words by Persian and Indic spelling.
const ZWNJ: char = '\u{200C}';

/// Zero width joiner: required by Indic spelling and by emoji such as 👩‍💻.
const ZWJ: char = '\u{200D}';

/// Why a name is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NameFault {
    /// It has no visible character.
    Empty,
    /// It has more characters than the limit.
    TooLong,
    /// It has a control, format or line-breaking character, or a joiner that joins nothing.
    Character,
}

/// Normalises a name as it is stored: normalisation form C, no white space at the ends, every run of white space inside
/// replaced by one space.
pub(super) fn normalise_name(raw: &str, max_chars: usize) -> Result<String, NameFault> {
    let trimmed = raw.trim();
    if trimmed.chars().any(|c| is_control(c) || is_format(c) || is_line_break(c)) {
        return Err(NameFault::Character);
    }
    let mut name = String::with_capacity(trimmed.len());
    for word in trimmed.split(char::is_whitespace).filter(|word| !word.is_empty()) {
        if !name.is_empty() {
            name.push(' ');
        }
        name.extend(word.nfc());
    }
    // Composition across two words is impossible: a space never composes.
    if !name.chars().any(is_visible) {
        return Err(NameFault::Empty);
    }
    if !joiners_are_inside(&name) {
        return Err(NameFault::Character);
    }
    if name.chars().count() > max_chars {
        return Err(NameFault::TooLong);
    }
    Ok(name)
}

/// Names with equal keys are equal: case and invisible characters are ignored.
pub(super) fn name_key(name: &str) -> String {
    // Upper case first: it unifies letters that lower case alone keeps apart (ß and ss, ς and σ).
    name.chars()
        .filter(|&c| c == ' ' || is_visible(c))
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .nfc()
        .collect()
}

/// Whether `c` is a control character that is not allowed in a message.
pub(super) fn is_refused_in_message(c: char) -> bool {
    is_control(c) && c != '\n' && c != '\t'
}

/// Whether every joiner stands between two visible characters. Elsewhere it would only make two names look alike.
fn joiners_are_inside(name: &str) -> bool {
    let chars: Vec<char> = name.chars().collect();
    chars.iter().enumerate().all(|(at, &c)| {
        let joins = |other: Option<&char>| {
            other.is_some_and(|&other| is_visible(other) || is_variation_selector(other))
        };
        !is_joiner(c) || (at > 0 && joins(chars.get(at - 1)) && joins(chars.get(at + 1)))
    })
}

fn is_visible(c: char) -> bool {
    let blank_letter =
        matches!(c, '\u{034F}' | '\u{115F}' | '\u{1160}' | '\u{2800}' | '\u{3164}' | '\u{FFA0}');
    !(c.is_whitespace() || is_joiner(c) || is_variation_selector(c) || blank_letter)
}

fn is_joiner(c: char) -> bool {
    c == ZWNJ || c == ZWJ
}

fn is_variation_selector(c: char) -> bool {
    matches!(c, '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}' | '\u{180B}'..='\u{180D}' | '\u{180F}')
}

fn is_control(c: char) -> bool {
    c.is_control()
}

/// Format characters, and the code points that Unicode reserves for more of them. [`joiners_are_inside`] decides on the two
/// joiners.
fn is_format(c: char) -> bool {
    let reserved = matches!(c, '\u{2065}' | '\u{E0000}'..='\u{E007F}');
    !is_joiner(c) && (reserved || c.general_category() == GeneralCategory::Format)
}

fn is_line_break(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_normalised_or_refused() {
        use NameFault::*;
        let table: &[(&str, Result<&str, NameFault>)] = &[
            ("Ada", Ok("Ada")),
            ("  Ada \t\n", Ok("Ada")),
            ("Ada   Lovelace", Ok("Ada Lovelace")),
            ("Ada\u{3000}\u{00A0}Lovelace", Ok("Ada Lovelace")),
            ("Ame\u{0301}lie", Ok("Am\u{00E9}lie")),
            ("小明", Ok("小明")),
            ("می\u{200C}خواهم", Ok("می\u{200C}خواهم")),
            ("👩\u{200D}💻", Ok("👩\u{200D}💻")),
            ("🏳\u{FE0F}\u{200D}🌈", Ok("🏳\u{FE0F}\u{200D}🌈")),
            ("", Err(Empty)),
            (" \u{2003} ", Err(Empty)),
            ("\u{3164}", Err(Empty)),
            ("\u{200D}", Err(Empty)),
            ("Ada\u{200D}", Err(Character)),
            ("\u{200C}Ada", Err(Character)),
            ("A\u{200D}\u{200D}da", Err(Character)),
            ("Ada \u{200D}Lovelace", Err(Character)),
            ("A\u{0000}da", Err(Character)),
            ("A\tda", Err(Character)),
            ("A\nda", Err(Character)),
            ("A\u{0085}da", Err(Character)),
            ("A\u{2028}da", Err(Character)),
            ("A\u{200B}da", Err(Character)),
            ("A\u{202E}da", Err(Character)),
            ("A\u{FEFF}da", Err(Character)),
            // Unassigned code points that are reserved for format characters.
            ("A\u{2065}da", Err(Character)),
            ("A\u{E0000}da", Err(Character)),
            ("A\u{E007F}da", Err(Character)),
            ("abcdefghij", Ok("abcdefghij")),
            ("abcdefghijk", Err(TooLong)),
            ("一二三四五六七八九十", Ok("一二三四五六七八九十")),
        ];
        for (raw, expected) in table {
            let limit = if raw.is_ascii() && raw.starts_with("abc") { 10 } else { 20 };
            assert_eq!(normalise_name(raw, limit), expected.map(str::to_owned), "{raw:?}");
        }
    }

    #[test]
    fn names_that_look_alike_have_one_key() {
        let table = [
            ("Ada", "aDA"),
            ("STRASSE", "straße"),
            ("ΣΑΣ", "σας"),
            ("Élodie", "élodie"),
            ("B\u{200D}ob", "bob"),
            ("❤\u{FE0F}", "❤"),
        ];
        for (a, b) in table {
            assert_eq!(name_key(a), name_key(b), "{a:?} and {b:?}");
        }
        assert_ne!(name_key("Ada L"), name_key("AdaL"));
        assert_ne!(name_key("Ada"), name_key("Àda"));
    }

    #[test]
    fn messages_allow_newline_and_tab_but_no_other_control_character() {
        assert!(!is_refused_in_message('\n'));
        assert!(!is_refused_in_message('\t'));
        assert!(!is_refused_in_message('\u{202E}'));
        for c in ['\r', '\0', '\u{1b}', '\u{7f}', '\u{85}'] {
            assert!(is_refused_in_message(c), "{c:?}");
        }
    }
}
