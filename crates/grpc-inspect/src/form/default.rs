//! The JSON text of a field's default value.

use base64::prelude::{BASE64_STANDARD, Engine as _};

use crate::descriptor::FieldKind;
use crate::json_writer::JsonWriter;
use crate::pool::{Field, Kind};
use crate::well_known::{Special, WellKnown, is_null_value};

/// The default of the .proto file or of the type; of a message, an empty one. Of a list or a map it is the one of an item.
pub(super) fn json(field: Field<'_>) -> String {
    let kind = field.kind();
    field.default_text().and_then(|text| of_text(kind, text)).unwrap_or_else(|| of_kind(kind))
}

/// The JSON of a default that the .proto file gives; none if it does not fit the type.
fn of_text(kind: Kind<'_>, text: &str) -> Option<String> {
    match kind {
        FieldKind::String => Some(quoted(text)),
        FieldKind::Bytes => Some(quoted(&BASE64_STANDARD.encode(unescape(text)?))),
        FieldKind::Enum(descriptor) => descriptor.value_by_name(text).map(|value| quoted(value.name())),
        FieldKind::Bool => matches!(text, "true" | "false").then(|| text.to_owned()),
        // A `float` beyond its range is an infinity of the .proto file.
        FieldKind::Float if text.parse().is_ok_and(f32::is_infinite) && text.ends_with(char::is_numeric) => {
            None
        }
        FieldKind::Float | FieldKind::Double => Some(match text {
            "inf" => quoted("Infinity"),
            "-inf" => quoted("-Infinity"),
            "nan" | "-nan" => quoted("NaN"),
            number => return crate::encode::parse_finite(number).map(|_| number.to_owned()),
        }),
        FieldKind::Message(_) => None,
        kind => {
            let (min, max) = crate::encode::range(kind)?;
            let value = crate::encode::integer(text)?;
            let fits = (i128::from(min)..=i128::from(max)).contains(&value);
            fits.then(|| if is_64_bit(kind) { quoted(text) } else { text.to_owned() })
        }
    }
}

pub(super) fn of_kind(kind: Kind<'_>) -> String {
    match kind {
        FieldKind::String | FieldKind::Bytes => quoted(""),
        FieldKind::Bool => "false".to_owned(),
        FieldKind::Enum(descriptor) if is_null_value(descriptor.full_name()) => "null".to_owned(),
        FieldKind::Enum(descriptor) => {
            descriptor.values().next().map_or_else(|| "0".to_owned(), |value| quoted(value.name()))
        }
        FieldKind::Message(message) => match Special::of(message.full_name()) {
            Some(Special::Wrapper(kind)) => of_kind(kind.map(|never| match never {}, |never| match never {})),
            Some(Special::Form(WellKnown::Timestamp)) => quoted("1970-01-01T00:00:00Z"),
            Some(Special::Form(WellKnown::Duration)) => quoted("0s"),
            Some(Special::Form(WellKnown::FieldMask)) => quoted(""),
            Some(Special::Form(WellKnown::Value)) => "null".to_owned(),
            Some(Special::Form(WellKnown::ListValue)) => "[]".to_owned(),
            Some(Special::Form(WellKnown::Any | WellKnown::Struct)) | None => "{}".to_owned(),
        },
        kind if is_64_bit(kind) => quoted("0"),
        _ => "0".to_owned(),
    }
}

fn is_64_bit(kind: Kind<'_>) -> bool {
    use FieldKind as Kind;
    matches!(kind, Kind::Int64 | Kind::Uint64 | Kind::Sint64 | Kind::Fixed64 | Kind::Sfixed64)
}

fn quoted(text: &str) -> String {
    let mut json = JsonWriter::new(false);
    json.string(text);
    json.finish()
}

/// The bytes of a text with the escapes of C.
fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        if *first != b'\\' {
            bytes.push(*first);
            continue;
        }
        let (escape, behind) = rest.split_first()?;
        rest = behind;
        let (digits, radix, most) = match escape {
            b'n' => (0, b'\n', 0),
            b'r' => (0, b'\r', 0),
            b't' => (0, b'\t', 0),
            b'a' => (0, 7, 0),
            b'b' => (0, 8, 0),
            b'f' => (0, 12, 0),
            b'v' => (0, 11, 0),
            b'0'..=b'7' => (8, escape - b'0', 2),
            b'x' | b'X' => (16, 0, 2),
            other => (0, *other, 0),
        };
        let (byte, behind) = number(rest, digits, radix, most);
        bytes.push(byte);
        rest = behind;
    }
    Some(bytes)
}

/// Adds up to `most` digits of a radix to `value`.
fn number(mut rest: &[u8], radix: u32, mut value: u8, most: usize) -> (u8, &[u8]) {
    for _ in 0..most {
        let digit = rest.first().and_then(|byte| char::from(*byte).to_digit(radix));
        let Some(digit) = digit else { break };
        value = value.wrapping_mul(radix as u8).wrapping_add(digit as u8);
        rest = &rest[1..];
    }
    (value, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_of_bytes_are_those_of_c() {
        assert_eq!(unescape(r#"a\n\\\"\000\377\x41b"#).as_deref(), Some(b"a\n\\\"\0\xffAb".as_slice()));
        assert_eq!(unescape("\\"), None);
    }
}
