//! Errors of JSON texts in the page's language.

use grpc_inspect::json_text::{Due, Expected, JsonErrorKind};

use super::texts::Texts;
use crate::i18n::fill;

/// The reason in a sentence, without its place.
pub(super) fn json_error_text(t: &Texts, kind: &JsonErrorKind) -> String {
    match kind {
        JsonErrorKind::UnexpectedEnd(due) => fill(t.json_end, &[("due", &due_text(t, *due))]),
        JsonErrorKind::UnexpectedCharacter { found, due } => {
            fill(t.json_character, &[("found", &found.to_string()), ("due", &due_text(t, *due))])
        }
        JsonErrorKind::ControlCharacter(_) => t.json_control.to_owned(),
        JsonErrorKind::InvalidEscape => t.json_escape.to_owned(),
        JsonErrorKind::LoneSurrogate => t.json_surrogate.to_owned(),
        JsonErrorKind::InvalidNumber => t.json_number.to_owned(),
        JsonErrorKind::TooDeep(limit) => fill(t.json_deep, &[("limit", &limit.to_string())]),
        JsonErrorKind::DuplicateField(name) => fill(t.json_twice, &[("name", name)]),
        JsonErrorKind::DuplicateOneof { oneof, field, other } => {
            fill(t.json_oneof, &[("name", field), ("other", other), ("oneof", oneof)])
        }
        JsonErrorKind::UnknownField { name, message, nearest } => {
            let text = fill(t.json_unknown_field, &[("message", message), ("name", name)]);
            with_nearest(t, text, nearest.as_deref())
        }
        JsonErrorKind::UnknownEnumValue { name, enum_type, nearest } => {
            let text = fill(t.json_unknown_value, &[("message", enum_type), ("name", name)]);
            with_nearest(t, text, nearest.as_deref())
        }
        JsonErrorKind::UnknownType(name) => fill(t.json_unknown_type, &[("name", name)]),
        JsonErrorKind::WrongValue { expected, found } => {
            fill(t.json_wrong, &[("expected", &expected_text(t, expected)), ("found", found)])
        }
        JsonErrorKind::NoSuchPart(name) => fill(t.json_part, &[("name", name)]),
        // The enum may grow.
        other => other.to_string(),
    }
}

fn with_nearest(t: &Texts, text: String, nearest: Option<&str>) -> String {
    match nearest {
        Some(nearest) => [&text, " ", &fill(t.json_nearest, &[("name", nearest)])].concat(),
        None => text,
    }
}

fn due_text(t: &Texts, due: Due) -> String {
    let either = |one, other| fill(t.due_or, &[("one", one), ("other", other)]);
    match due {
        Due::Value => t.due_value.to_owned(),
        Due::Key => t.due_key.to_owned(),
        Due::Colon => ":".to_owned(),
        Due::CommaOrBrace => either(",", "}"),
        Due::CommaOrBracket => either(",", "]"),
        Due::Quote => "\"".to_owned(),
        Due::Digit => t.due_digit.to_owned(),
        Due::End => t.due_end.to_owned(),
    }
}

fn expected_text(t: &Texts, expected: &Expected) -> String {
    let text = match expected {
        Expected::Object => t.expects_object,
        Expected::List => t.expects_list,
        Expected::Map => t.expects_map,
        Expected::String => t.expects_string,
        Expected::Bool => t.expects_bool,
        Expected::Integer { min, max } => {
            return fill(t.expects_integer, &[("min", &min.to_string()), ("max", &max.to_string())]);
        }
        Expected::Float | Expected::Double => t.expects_float,
        Expected::Base64 => t.expects_base64,
        Expected::EnumValue { enum_type } => return fill(t.expects_enum, &[("name", enum_type)]),
        Expected::Timestamp => t.expects_timestamp,
        Expected::Duration => t.expects_duration,
        Expected::FieldMask => t.expects_field_mask,
        Expected::TypeUrl => t.expects_type_url,
        Expected::NotNull => t.expects_not_null,
        Expected::FiniteNumber => t.expects_finite,
        // The enum may grow.
        other => return other.to_string(),
    };
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use grpc_inspect::{encode::from_json, pool::Pool};

    use super::*;
    use crate::{explorer::texts::texts_in, i18n::Language};

    /// The reason why a text is no `SubscribeRequest`, in English.
    fn reason(json: &str) -> String {
        let pool = Pool::from_set(proto::FILE_DESCRIPTOR_SET).unwrap();
        let message = pool.message("chat.v1.SubscribeRequest").unwrap();
        json_error_text(texts_in(Language::English), &from_json(message, json).unwrap_err().kind)
    }

    #[test]
    fn an_error_of_each_depth_says_what_is_due() {
        assert_eq!(reason("{\"cursors\": "), "the text ends here, and a value is missing.");
        assert_eq!(reason("{\"cursors\" 1}"), "here stands 1, and : is due.");
        assert_eq!(reason("{\"cursors\": {}}"), "a list is due, and {} stands here.");
        let unknown = "chat.v1.Cursor has no field sek. Is it seq?";
        assert_eq!(reason("{\"cursors\": [{\"sek\": 1}]}"), unknown);
        assert_eq!(
            reason("{\"replayLimit\": -1}"),
            "a whole number from 0 to 4294967295 is due, and -1 stands here."
        );
    }

    #[test]
    fn no_sentence_has_a_placeholder_left() {
        let name = || "x".to_owned();
        let kinds = [
            JsonErrorKind::UnexpectedEnd(Due::CommaOrBrace),
            JsonErrorKind::UnexpectedCharacter { found: 'x', due: Due::Key },
            JsonErrorKind::ControlCharacter(7),
            JsonErrorKind::TooDeep(100),
            JsonErrorKind::DuplicateField(name()),
            JsonErrorKind::DuplicateOneof { oneof: name(), field: name(), other: name() },
            JsonErrorKind::UnknownField { name: name(), message: name(), nearest: Some(name()) },
            JsonErrorKind::UnknownEnumValue { name: name(), enum_type: name(), nearest: None },
            JsonErrorKind::UnknownType(name()),
            JsonErrorKind::WrongValue { expected: Expected::EnumValue { enum_type: name() }, found: name() },
            JsonErrorKind::NoSuchPart(name()),
        ];
        for language in Language::ALL {
            for kind in &kinds {
                let sentence = json_error_text(texts_in(language), kind);
                let without_brace = sentence.replace(", or }", "").replace(" 或 }", "").replace(" or }", "");
                assert!(!without_brace.contains(['{', '}']), "{sentence}");
            }
        }
    }
}
