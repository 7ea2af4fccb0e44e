//! Scalars from JSON.

use base64::engine::{DecodePaddingMode, Engine as _, GeneralPurpose, GeneralPurposeConfig};

use super::number::{integer, is_number};
use super::{Encoded, Encoder, nearest, push_double};
use crate::descriptor::FieldKind;
use crate::json_text::{Expected, JsonErrorKind, Node, Value};
use crate::pool::{Enum, Kind};
use crate::well_known::is_null_value;
use crate::wire_writer::push_varint;

/// Base64 with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

impl Encoder<'_> {
    /// Writes a scalar without a tag, and says whether it is the default one of its type.
    pub(super) fn scalar<'a>(&self, kind: Kind<'a>, node: &Node, into: &mut Vec<u8>) -> Encoded<bool> {
        let start = into.len();
        match (kind, &node.value) {
            (Kind::Enum(descriptor), _) => push_varint(self.enum_value(descriptor, node)? as u64, into),
            (Kind::Bool, Value::Bool(value)) => push_varint(u64::from(*value), into),
            (Kind::String, Value::String(value)) => push_length_prefixed(value.as_bytes(), into),
            (Kind::Bytes, Value::String(value)) => match self::bytes(value) {
                Some(bytes) => push_length_prefixed(&bytes, into),
                None => return Err(self.wrong(node, Expected::Base64)),
            },
            (Kind::Double | Kind::Float, Value::String(text)) => self.float(kind, text, node, into)?,
            (Kind::Double | Kind::Float, Value::Number) => {
                self.float(kind, &self.text[node.range.clone()], node, into)?;
            }
            (kind, Value::Number | Value::String(_)) if range(kind).is_some() => {
                let text = match &node.value {
                    Value::String(text) => text,
                    _ => &self.text[node.range.clone()],
                };
                push_integer(kind, text, into).map_err(|expected| self.wrong(node, expected))?;
            }
            (kind, _) => return Err(self.wrong(node, expected(kind))),
        }
        Ok(into[start..].iter().all(|byte| *byte == 0))
    }

    fn float(&self, kind: Kind<'_>, text: &str, node: &Node, into: &mut Vec<u8>) -> Encoded<()> {
        let is_double = matches!(kind, Kind::Double);
        let named = match text {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        };
        match (named, is_double) {
            (Some(value), true) => push_double(value, into),
            (Some(value), false) => into.extend_from_slice(&(value as f32).to_le_bytes()),
            (None, true) => match parse_finite(text) {
                Some(value) => push_double(value, into),
                None => return Err(self.wrong(node, Expected::Double)),
            },
            (None, false) => match text.parse::<f32>() {
                Ok(value) if value.is_finite() && is_number(text) => {
                    into.extend_from_slice(&value.to_le_bytes());
                }
                _ => return Err(self.wrong(node, Expected::Float)),
            },
        }
        Ok(())
    }

    fn enum_value(&self, descriptor: Enum<'_>, node: &Node) -> Encoded<i32> {
        let wrong = || self.wrong(node, Expected::EnumValue { enum_type: descriptor.full_name().to_owned() });
        match &node.value {
            Value::Null if is_null_value(descriptor.full_name()) => Ok(0),
            Value::String(name) => match descriptor.value_by_name(name) {
                Some(value) => Ok(value.number()),
                None => {
                    let nearest = nearest::enum_value(descriptor, name);
                    let (name, enum_type) = (name.clone(), descriptor.full_name().to_owned());
                    Err(self.error(node, JsonErrorKind::UnknownEnumValue { name, enum_type, nearest }))
                }
            },
            Value::Number => {
                let number = integer(&self.text[node.range.clone()]);
                let number = number.and_then(|number| i32::try_from(number).ok()).ok_or_else(wrong)?;
                let is_known = descriptor.value_by_number(number).is_some();
                if descriptor.is_closed() && !is_known { Err(wrong()) } else { Ok(number) }
            }
            _ => Err(wrong()),
        }
    }
}

/// Writes the key of a map's entry, or says what is expected.
pub(super) fn key(kind: Kind<'_>, text: &str, into: &mut Vec<u8>) -> Result<(), Expected> {
    match (kind, text) {
        (Kind::String, text) => push_length_prefixed(text.as_bytes(), into),
        (Kind::Bool, "false") => into.push(0),
        (Kind::Bool, "true") => into.push(1),
        (kind, text) => push_integer(kind, text, into)?,
    }
    Ok(())
}

fn push_integer(kind: Kind<'_>, text: &str, into: &mut Vec<u8>) -> Result<(), Expected> {
    let Some((min, max)) = range(kind) else { return Err(expected(kind)) };
    let value = integer(text).filter(|value| (i128::from(min)..=i128::from(max)).contains(value));
    let value = value.ok_or(Expected::Integer { min, max })?;
    // The range says that no bit is lost.
    match kind {
        Kind::Fixed32 | Kind::Sfixed32 => into.extend_from_slice(&(value as u32).to_le_bytes()),
        Kind::Fixed64 | Kind::Sfixed64 => into.extend_from_slice(&(value as u64).to_le_bytes()),
        Kind::Sint32 | Kind::Sint64 => {
            let value = value as i64;
            push_varint((value << 1 ^ value >> 63) as u64, into);
        }
        _ => push_varint(value as u64, into),
    }
    Ok(())
}

/// The least and the greatest value of an integer type.
pub(crate) fn range<M, E>(kind: FieldKind<M, E>) -> Option<(i64, u64)> {
    match kind {
        FieldKind::Int32 | FieldKind::Sint32 | FieldKind::Sfixed32 => {
            Some((i32::MIN.into(), i32::MAX as u64))
        }
        FieldKind::Int64 | FieldKind::Sint64 | FieldKind::Sfixed64 => Some((i64::MIN, i64::MAX as u64)),
        FieldKind::Uint32 | FieldKind::Fixed32 => Some((0, u32::MAX.into())),
        FieldKind::Uint64 | FieldKind::Fixed64 => Some((0, u64::MAX)),
        _ => None,
    }
}

fn expected(kind: Kind<'_>) -> Expected {
    match (range(kind), kind) {
        (Some((min, max)), _) => Expected::Integer { min, max },
        (_, Kind::Double) => Expected::Double,
        (_, Kind::Float) => Expected::Float,
        (_, Kind::Bool) => Expected::Bool,
        (_, Kind::String) => Expected::String,
        (_, Kind::Bytes) => Expected::Base64,
        (_, Kind::Enum(descriptor)) => Expected::EnumValue { enum_type: descriptor.full_name().to_owned() },
        _ => Expected::Object,
    }
}

/// Bytes in base64, of the standard or the URL's alphabet, with or without padding.
pub(super) fn bytes(text: &str) -> Option<Vec<u8>> {
    let standard: String = text
        .chars()
        .map(|letter| match letter {
            '-' => '+',
            '_' => '/',
            other => other,
        })
        .collect();
    BASE64.decode(standard).ok()
}

/// A finite number of JSON.
pub(crate) fn parse_finite(text: &str) -> Option<f64> {
    let value = is_number(text).then(|| text.parse().ok())??;
    f64::is_finite(value).then_some(value)
}

fn push_length_prefixed(bytes: &[u8], into: &mut Vec<u8>) {
    push_varint(bytes.len() as u64, into);
    into.extend_from_slice(bytes);
}
