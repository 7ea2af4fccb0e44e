//! The text of an input and the JSON value that it stands for. Knows no document.
//!
//! Any text becomes a JSON value, a wrong one too: the encoder then names what is wrong, and the form shows it at the field.

use grpc_inspect::{
    form::Control,
    json_text::{Content, Path, content_at},
};

/// The text that an input shows for a value.
pub(super) fn text_of(content: Option<&Content>) -> String {
    match content {
        Some(Content::String(text) | Content::Number(text)) => text.clone(),
        Some(Content::Bool(value)) => value.to_string(),
        _ => String::new(),
    }
}

/// The JSON value of an input's text; `None` where an empty text stands for no value.
pub(super) fn json_of(control: &Control, text: &str) -> Option<String> {
    match control {
        Control::Integer { .. } | Control::Float if text.trim().is_empty() => None,
        Control::Integer { is_string: false, .. } | Control::Float if is_number(text.trim()) => {
            Some(text.trim().to_owned())
        }
        Control::Integer { .. } | Control::Float => Some(quoted(text.trim())),
        _ => Some(quoted(text)),
    }
}

/// A text as a string of JSON.
pub(super) fn quoted(text: &str) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut json = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => json.extend(['\\', letter]),
            '\n' => json.push_str("\\n"),
            '\t' => json.push_str("\\t"),
            '\0'..' ' => {
                let byte = letter as usize;
                json.push_str("\\u00");
                json.extend([DIGITS[byte >> 4], DIGITS[byte & 15]].map(char::from));
            }
            letter => json.push(letter),
        }
    }
    json.push('"');
    json
}

fn is_number(text: &str) -> bool {
    matches!(content_at(text, &Path::root()), Ok(Some(Content::Number(_))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const INT32: Control = Control::Integer { min: i32::MIN as i64, max: i32::MAX as u64, is_string: false };
    const INT64: Control = Control::Integer { min: i64::MIN, max: i64::MAX as u64, is_string: true };

    /// The text after it went through JSON, as the input shows it.
    fn round_trip(control: &Control, text: &str) -> String {
        let json = json_of(control, text).unwrap();
        text_of(content_at(&json, &Path::root()).unwrap().as_ref())
    }

    #[test]
    fn numbers_are_numbers_and_long_ones_are_strings() {
        assert_eq!(json_of(&INT32, " 7 ").as_deref(), Some("7"));
        assert_eq!(json_of(&INT64, "7").as_deref(), Some("\"7\""));
        assert_eq!(json_of(&Control::Float, "1.5e3").as_deref(), Some("1.5e3"));
        assert_eq!(json_of(&Control::Float, "NaN").as_deref(), Some("\"NaN\""));
        assert_eq!(json_of(&Control::Float, "-Infinity").as_deref(), Some("\"-Infinity\""));
    }

    #[test]
    fn an_empty_number_is_no_value_and_an_empty_text_is_one() {
        assert_eq!(json_of(&INT32, " "), None);
        assert_eq!(json_of(&Control::Text, "").as_deref(), Some("\"\""));
    }

    #[test]
    fn an_input_shows_what_was_typed() {
        for text in ["1", "-", "1.", "0x1", "soon", "1 2", "007"] {
            assert_eq!(round_trip(&INT32, text), text);
            assert_eq!(round_trip(&INT64, text), text);
        }
        for text in ["", " a ", "\"\\", "a\nb\tc\u{1}", "世界 🌍", "${x}"] {
            assert_eq!(round_trip(&Control::Text, text), text);
        }
    }
}
