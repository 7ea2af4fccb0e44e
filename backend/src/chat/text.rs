//! Rules for the characters of names and messages, and the equality of names.
//!
//! Pure functions over strings; `types` applies them.

use unicode_normalization::UnicodeNormalization as _;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory as _};
use unicode_security::mixed_script::AugmentedScriptSet;

/// Zero width non-joiner: required inside words by Persian and Indic spelling.
const ZWNJ: char = '\u{200C}';

/// Zero width joiner: required by Indic spelling and by emoji such as 👩‍💻.
const ZWJ: char = '\u{200D}';

/// Version of [`name_key`] and of the Unicode tables behind it. Stored keys of another version are computed again when the
/// database is opened.
pub(super) fn key_version() -> String {
    /// Increased with every change of [`name_key`].
    const RULES: u32 = 1;
    let ((major, minor, patch), (normal, ..)) =
        (unicode_security::UNICODE_VERSION, unicode_normalization::UNICODE_VERSION);
    format!("{RULES}, Unicode {major}.{minor}.{patch}, normalisation {normal}")
}

/// Why a name is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NameFault {
    /// It has no visible character, or only combining marks.
    Empty,
    /// It has more characters than the limit.
    TooLong,
    /// It has a control, format, line-breaking or default-ignorable character, or a joiner that joins nothing.
    Invisible,
    /// A word has letters of scripts that are not written together.
    MixesScripts,
}

/// Normalises a name as it is stored: normalisation form C, no white space at the ends, every run of white space inside
/// replaced by one space.
pub(super) fn normalise_name(raw: &str, max_chars: usize) -> Result<String, NameFault> {
    let trimmed = raw.trim();
    if trimmed.chars().any(|c| is_control(c) || is_format(c) || is_line_break(c)) {
        return Err(NameFault::Invisible);
    }
    let mut name = String::with_capacity(trimmed.len());
    for word in trimmed.split(char::is_whitespace).filter(|word| !word.is_empty()) {
        if !name.is_empty() {
            name.push(' ');
        }
        name.extend(word.nfc());
    }
    // Composition across two words is impossible: a space never composes.
    if !name.chars().any(|c| is_visible(c) && !is_mark(c)) {
        return Err(NameFault::Empty);
    }
    if !invisible_characters_have_a_use(&name) {
        return Err(NameFault::Invisible);
    }
    if name.chars().count() > max_chars {
        return Err(NameFault::TooLong);
    }
    if name.split(|c: char| !c.is_alphanumeric() && !is_mark(c)).any(mixes_scripts) {
        return Err(NameFault::MixesScripts);
    }
    Ok(name)
}

/// Names with equal keys look alike: the skeleton of UTS 39, section 4, of the compatibility form (NFKC) without case.
pub(super) fn name_key(name: &str) -> String {
    let visible: String = name.chars().filter(|&c| c == ' ' || is_visible(c)).collect();
    let prototypes: String = fold(&visible).nfd().map(prototype).collect();
    // Again, because a prototype can have one in another case: 0 looks like O, M is m, and m looks like rn.
    let skeleton: String = unicode_security::skeleton(&fold(&prototypes)).collect();
    fold(&skeleton)
}

/// The text that a letter without case looks like: in lower case, or else in upper case. Cyrillic т looks like no Latin
/// letter, and Т does.
fn prototype(c: char) -> String {
    let lower: String = unicode_security::skeleton(c.encode_utf8(&mut [0; 4])).collect();
    if lower.is_ascii() {
        return lower;
    }
    let upper: String = c.to_uppercase().collect();
    let upper: String = unicode_security::skeleton(&upper).collect();
    if upper.is_ascii() { upper } else { lower }
}

/// The compatibility form without case.
fn fold(text: &str) -> String {
    // Upper case first: it unifies letters that lower case alone keeps apart (ß and ss, ς and σ).
    text.nfkc().flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfkc().collect()
}

/// Whether a word has a higher level than "highly restrictive" of UTS 39, section 5.2: letters of one script, or Latin ones
/// with those of Chinese, Japanese or Korean. It is checked by word, because names such as "Новости IT" are usual.
fn mixes_scripts(word: &str) -> bool {
    let latin = AugmentedScriptSet::from('a');
    let (mut all, mut without_latin) = (AugmentedScriptSet::default(), AugmentedScriptSet::default());
    for c in word.chars() {
        let scripts = AugmentedScriptSet::from(c);
        all.intersect_with(scripts);
        if scripts != latin {
            without_latin.intersect_with(scripts);
        }
    }
    all.is_empty() && !(without_latin.hanb || without_latin.jpan || without_latin.kore)
}

/// Whether `c` is a control character that is not allowed in a message.
pub(super) fn is_refused_in_message(c: char) -> bool {
    is_control(c) && c != '\n' && c != '\t'
}

/// Whether every joiner stands between two visible characters, and every variation selector after one. Elsewhere they, and
/// all other default-ignorable characters, would only make two names look alike.
fn invisible_characters_have_a_use(name: &str) -> bool {
    let chars: Vec<char> = name.chars().collect();
    let shows = |at: Option<usize>| at.and_then(|at| chars.get(at)).is_some_and(|&c| is_visible(c));
    chars.iter().enumerate().all(|(at, &c)| {
        let before = at.checked_sub(1);
        if is_joiner(c) {
            let after_selector = before.is_some_and(|at| is_variation_selector(chars[at]));
            (shows(before) || after_selector) && shows(Some(at + 1))
        } else if is_variation_selector(c) {
            shows(before)
        } else {
            !is_default_ignorable(c)
        }
    })
}

fn is_visible(c: char) -> bool {
    // A blank Braille pattern and a null note head: not ignorable, and yet nothing is drawn.
    let blank = matches!(c, '\u{2800}' | '\u{1D159}');
    !(c.is_whitespace() || is_default_ignorable(c) || blank)
}

/// Whether `c` has the property Default_Ignorable_Code_Point: the skeleton leaves these out, and nothing else.
fn is_default_ignorable(c: char) -> bool {
    !c.is_ascii() && unicode_security::skeleton(c.encode_utf8(&mut [0; 4])).next().is_none()
}

fn is_mark(c: char) -> bool {
    c.general_category_group() == GeneralCategoryGroup::Mark
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

/// Format characters. [`invisible_characters_have_a_use`] decides on the joiners.
fn is_format(c: char) -> bool {
    !is_joiner(c) && c.general_category() == GeneralCategory::Format
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
            ("Ada\u{200D}", Err(Invisible)),
            ("\u{200C}Ada", Err(Invisible)),
            ("A\u{200D}\u{200D}da", Err(Invisible)),
            ("Ada \u{200D}Lovelace", Err(Invisible)),
            ("A\u{0000}da", Err(Invisible)),
            ("A\tda", Err(Invisible)),
            ("A\nda", Err(Invisible)),
            ("A\u{0085}da", Err(Invisible)),
            ("A\u{2028}da", Err(Invisible)),
            ("A\u{200B}da", Err(Invisible)),
            ("A\u{202E}da", Err(Invisible)),
            ("A\u{FEFF}da", Err(Invisible)),
            // Unassigned code points that are reserved for format characters.
            ("A\u{2065}da", Err(Invisible)),
            ("A\u{E0000}da", Err(Invisible)),
            ("A\u{E007F}da", Err(Invisible)),
            // Default-ignorable characters that are no format characters.
            ("Ada\u{17B4}", Err(Invisible)),
            ("Ada\u{FFF0}", Err(Invisible)),
            ("Ada\u{E0080}", Err(Invisible)),
            ("Ada\u{034F}", Err(Invisible)),
            ("Ada\u{3164}", Err(Invisible)),
            ("\u{FE0F}Ada", Err(Invisible)),
            ("葛\u{E0100}", Ok("葛\u{E0100}")),
            // Nothing but marks, or blank.
            ("\u{17B5}", Err(Empty)),
            ("\u{1D159}", Err(Empty)),
            ("\u{2800}", Err(Empty)),
            ("\u{0301}", Err(Empty)),
            ("\u{0301}\u{0323} \u{0301}", Err(Empty)),
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
    fn words_that_mix_scripts_are_refused() {
        let latin_with_cjk = ["Ada小明", "小明Ada", "ソフトウェアABC開発", "한국어ABC", "ㄅㄆ漢字A"];
        let one_script =
            ["Ada", "Иван", "Αδα", "小明", "ひらカタ漢字", "עדה", "نام", "अदा", "Ada2", "Ada-Мария"];
        let by_word = ["Новости IT", "проект-API", "Ada (Ада)", "Ада 👩\u{200D}💻"];
        for name in latin_with_cjk.iter().chain(&one_script).chain(&by_word) {
            assert_eq!(normalise_name(name, 40).as_deref(), Ok(*name));
        }
        for name in ["Аda", "Adа Lovelace", "Αda", "Иван小明", "αда", "Ada\u{5D0}", "เada"] {
            assert_eq!(normalise_name(name, 40), Err(NameFault::MixesScripts), "{name}");
        }
    }

    #[test]
    fn names_that_look_alike_have_one_key() {
        let table = [
            ("Ada", "Ａda"),
            ("Ada", "𝐀da"),
            ("Ada", "\u{0410}\u{0501}\u{0430}"),
            ("Tea", "\u{422}\u{435}\u{430}"),
            ("\u{422}\u{435}\u{430}", "\u{442}\u{435}\u{430}"),
            ("Bob", "B0b"),
            ("Burn", "Bum"),
            ("Élodie", "E\u{301}LODIE"),
            ("ﬁn", "FIN"),
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
        for (a, b) in [("Ada", "Àda"), ("Ian", "Lan"), ("小明", "小月"), ("Иван", "Иман")] {
            assert_ne!(name_key(a), name_key(b), "{a:?} and {b:?}");
        }
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
