//! Scalars as JSON, and which values on the wire can belong to a field.

use std::borrow::Cow;

use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::Decoder;
use super::raw::RawField;
use crate::descriptor::{FieldKind, Shape};
use crate::json::ProblemKind;
use crate::pool::{Enum, Field, Kind};
use crate::well_known::is_null_value;
use crate::wire::{Slice, WireType, WireValue, zigzag};

/// Whether a value on the wire can belong to the field. A number that a closed enum lacks cannot.
pub(super) fn fits(field: Field<'_>, raw: &RawField<'_>) -> bool {
    let kind = field.kind();
    if let (FieldKind::Enum(descriptor), WireValue::Varint(number)) = (kind, raw.value)
        && descriptor.is_closed()
        && descriptor.value_by_number(number as i32).is_none()
    {
        return false;
    }
    if raw.is_group || field.is_delimited() {
        return raw.is_group && field.is_delimited();
    }
    let found = raw.value.wire_type();
    found == WireType::of(kind) || (found == WireType::Bytes && field.shape() == Shape::Repeated)
}

impl<'a> Decoder<'a> {
    pub(super) fn scalar(&mut self, kind: Kind<'a>, value: WireValue<'a>) {
        use FieldKind as Kind;
        match (kind, value) {
            (Kind::String, WireValue::Bytes(slice)) => {
                let text = self.text(slice);
                self.json.string(&text);
            }
            (_, WireValue::Bytes(slice)) => self.json.string(&BASE64_STANDARD.encode(slice.bytes)),
            (Kind::Enum(descriptor), WireValue::Varint(value)) => self.enum_value(descriptor, value as i32),
            (Kind::Double, WireValue::Fixed64(value)) => self.float(f64::from_bits(value), None),
            (Kind::Float, WireValue::Fixed32(value)) => {
                let value = f32::from_bits(value);
                self.float(f64::from(value), Some(value));
            }
            _ => {
                let text = integer_text(kind, value);
                // JSON numbers cannot hold 64 bits, so 64-bit integers are strings.
                match kind {
                    Kind::Int64 | Kind::Uint64 | Kind::Sint64 | Kind::Fixed64 | Kind::Sfixed64 => {
                        self.json.string(&text);
                    }
                    _ => self.json.plain(&text),
                }
            }
        }
    }

    /// The key of a map's entry. JSON keys are strings, whatever their type.
    pub(super) fn key_text(&mut self, kind: Kind<'a>, value: WireValue<'a>) -> String {
        match value {
            WireValue::Bytes(slice) => self.text(slice).into_owned(),
            value => integer_text(kind, value),
        }
    }

    pub(super) fn text(&mut self, slice: Slice<'a>) -> Cow<'a, str> {
        if let Err(error) = std::str::from_utf8(slice.bytes) {
            self.report(slice.offset + error.valid_up_to(), ProblemKind::InvalidUtf8);
        }
        String::from_utf8_lossy(slice.bytes)
    }

    fn enum_value(&mut self, descriptor: Enum<'a>, number: i32) {
        match descriptor.value_by_number(number) {
            Some(_) if is_null_value(descriptor.full_name()) => self.json.plain("null"),
            Some(value) => self.json.string(value.name()),
            None => self.json.plain(&number.to_string()),
        }
    }

    /// `single` is the same number where it is a `float`, whose shortest form has fewer digits.
    pub(super) fn float(&mut self, value: f64, single: Option<f32>) {
        let numbers = self.options.numbers;
        match value {
            value if value.is_nan() => self.json.string("NaN"),
            f64::INFINITY => self.json.string("Infinity"),
            f64::NEG_INFINITY => self.json.string("-Infinity"),
            value => self.json.plain(&single.map_or_else(|| (numbers.double)(value), numbers.float)),
        }
    }
}

/// An integer or a bool in JSON, without quotes.
fn integer_text<M, E>(kind: FieldKind<M, E>, value: WireValue<'_>) -> String {
    let bits = match value {
        WireValue::Varint(bits) | WireValue::Fixed64(bits) => bits,
        WireValue::Fixed32(bits) => u64::from(bits),
        WireValue::Bytes(_) => 0,
    };
    match kind {
        FieldKind::Bool => if bits == 0 { "false" } else { "true" }.to_owned(),
        FieldKind::Int32 | FieldKind::Sfixed32 => (bits as i32).to_string(),
        FieldKind::Sint32 => (zigzag(u64::from(bits as u32)) as i32).to_string(),
        FieldKind::Uint32 => (bits as u32).to_string(),
        FieldKind::Int64 | FieldKind::Sfixed64 => (bits as i64).to_string(),
        FieldKind::Sint64 => zigzag(bits).to_string(),
        _ => bits.to_string(),
    }
}
