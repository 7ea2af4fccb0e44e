//! Random messages of any type, valid in JSON: well-known types are within their ranges, and no number is NaN, which equals nothing.

use std::collections::HashMap;

use prost::Message as _;
use prost_reflect::{
    Cardinality, DescriptorPool, DynamicMessage, EnumDescriptor, FieldDescriptor, Kind, MapKey,
    MessageDescriptor, ReflectMessage as _, Syntax, Value,
};

pub(crate) struct Random {
    rng: fastrand::Rng,
    /// Messages that an `Any` may hold.
    types: Vec<MessageDescriptor>,
}

impl Random {
    pub(crate) fn new(pool: &DescriptorPool, seed: u64) -> Random {
        let types = pool.all_messages().filter(|message| !message.is_map_entry());
        let is_usable = |message: &MessageDescriptor| {
            !message.full_name().starts_with("google.protobuf.") || special(message.full_name())
        };
        Random { rng: fastrand::Rng::with_seed(seed), types: types.filter(is_usable).collect() }
    }

    /// A message with nested ones to a depth.
    pub(crate) fn message(&mut self, descriptor: &MessageDescriptor, depth: usize) -> DynamicMessage {
        let mut message = DynamicMessage::new(descriptor.clone());
        if self.well_known(&mut message, depth) {
            return message;
        }
        // Few fields of large messages, so that combinations differ.
        let share = self.rng.u8(5..100);
        for field in descriptor.fields() {
            if self.rng.u8(0..100) < share && (depth > 0 || !is_message(field.kind(), &field)) {
                let value = self.field(&field, depth);
                message.set_field(&field, value);
            }
        }
        for extension in descriptor.extensions() {
            if self.rng.u8(0..100) < share / 2 && (depth > 0 || !matches!(extension.kind(), Kind::Message(_)))
            {
                let value = match extension.cardinality() {
                    Cardinality::Repeated => self.list(&extension.kind(), depth),
                    _ => self.value(&extension.kind(), depth),
                };
                message.set_extension(&extension, value);
            }
        }
        message
    }

    fn field(&mut self, field: &FieldDescriptor, depth: usize) -> Value {
        match field.kind() {
            Kind::Message(entry) if field.is_map() => {
                let (key, value) = (entry.map_entry_key_field().kind(), entry.map_entry_value_field().kind());
                let count = self.rng.usize(0..4);
                Value::Map((0..count).map(|_| (self.key(&key), self.value(&value, depth))).collect())
            }
            kind if field.is_list() => self.list(&kind, depth),
            kind => self.value(&kind, depth),
        }
    }

    fn list(&mut self, kind: &Kind, depth: usize) -> Value {
        let count = self.rng.usize(0..4);
        Value::List((0..count).map(|_| self.value(kind, depth)).collect())
    }

    fn value(&mut self, kind: &Kind, depth: usize) -> Value {
        match kind {
            Kind::Double => Value::F64(self.double()),
            Kind::Float => Value::F32(self.float()),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(self.integer() as i32),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(self.integer() as i64),
            Kind::Uint32 | Kind::Fixed32 => Value::U32(self.integer() as u32),
            Kind::Uint64 | Kind::Fixed64 => Value::U64(self.integer()),
            Kind::Bool => Value::Bool(self.rng.bool()),
            Kind::String => Value::String(self.string()),
            Kind::Bytes => Value::Bytes(self.bytes().into()),
            Kind::Enum(descriptor) => Value::EnumNumber(self.enum_number(descriptor)),
            Kind::Message(descriptor) => Value::Message(self.message(descriptor, depth.saturating_sub(1))),
        }
    }

    fn key(&mut self, kind: &Kind) -> MapKey {
        match self.value(kind, 0) {
            Value::Bool(key) => MapKey::Bool(key),
            Value::I32(key) => MapKey::I32(key),
            Value::I64(key) => MapKey::I64(key),
            Value::U32(key) => MapKey::U32(key),
            Value::U64(key) => MapKey::U64(key),
            Value::String(key) => MapKey::String(key),
            other => panic!("{other:?} is no key"),
        }
    }

    /// Small numbers and those at the limits as often as others.
    fn integer(&mut self) -> u64 {
        match self.rng.u8(0..4) {
            0 => self.rng.u64(0..200),
            1 => 0_u64.wrapping_sub(self.rng.u64(0..200)),
            2 => 1_u64.rotate_left(self.rng.u32(0..64)).wrapping_sub(self.rng.u64(0..2)),
            _ => self.rng.u64(..),
        }
    }

    fn double(&mut self) -> f64 {
        let value = match self.rng.u8(0..4) {
            0 => f64::from(self.rng.i16(..)) / 8.0,
            1 => [f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN_POSITIVE, -0.0][self.rng.usize(0..5)],
            _ => f64::from_bits(self.rng.u64(..)),
        };
        if value.is_nan() { 1.5 } else { value }
    }

    fn float(&mut self) -> f32 {
        let value = match self.rng.u8(0..3) {
            0 => f32::from(self.rng.i16(..)) / 8.0,
            // Not the greatest one, whose digits they take for a number beyond it.
            1 => [f32::INFINITY, f32::NEG_INFINITY, f32::MIN_POSITIVE, -0.0][self.rng.usize(0..4)],
            _ => f32::from_bits(self.rng.u32(..)),
        };
        if value.is_nan() { 1.5 } else { value }
    }

    fn string(&mut self) -> String {
        let count = self.rng.usize(0..8);
        let one = |rng: &mut fastrand::Rng| match rng.u8(0..4) {
            0 => ['"', '\\', '\n', '\u{1}', '/', '\u{7f}'][rng.usize(0..6)],
            1 => rng.char(..),
            _ => rng.alphanumeric(),
        };
        (0..count).map(|_| one(&mut self.rng)).collect()
    }

    fn bytes(&mut self) -> Vec<u8> {
        let count = self.rng.usize(0..8);
        (0..count).map(|_| self.rng.u8(..)).collect()
    }

    /// Closed enums have named numbers only.
    fn enum_number(&mut self, descriptor: &EnumDescriptor) -> i32 {
        let is_closed = descriptor.parent_file().syntax() == Syntax::Proto2;
        if !is_closed && descriptor.full_name() != "google.protobuf.NullValue" && self.rng.u8(0..10) == 0 {
            return self.rng.i32(..);
        }
        let values: Vec<i32> = descriptor.values().map(|value| value.number()).collect();
        values[self.rng.usize(0..values.len())]
    }

    /// Fills a well-known message; false if it is none.
    fn well_known(&mut self, message: &mut DynamicMessage, depth: usize) -> bool {
        let full_name = message.descriptor().full_name().to_owned();
        match full_name.as_str() {
            "google.protobuf.Timestamp" => {
                message
                    .set_field_by_name("seconds", Value::I64(self.rng.i64(-62_135_596_800..253_402_300_800)));
                let nanos = self.nanos();
                message.set_field_by_name("nanos", Value::I32(nanos));
            }
            "google.protobuf.Duration" => {
                let (seconds, nanos) = (self.rng.i64(0..315_576_000_000), self.nanos());
                let sign = if self.rng.bool() { 1 } else { -1 };
                message.set_field_by_name("seconds", Value::I64(seconds * i64::from(sign)));
                message.set_field_by_name("nanos", Value::I32(nanos * sign));
            }
            "google.protobuf.FieldMask" => {
                let paths = ["a", "foo_bar", "foo.bar_baz", "a_b_c"];
                let count = self.rng.usize(0..4);
                let paths = (0..count).map(|_| Value::String(paths[self.rng.usize(0..4)].to_owned()));
                message.set_field_by_name("paths", Value::List(paths.collect()));
            }
            // They write an infinite one as `null`.
            "google.protobuf.DoubleValue" => {
                message.set_field_by_name("value", Value::F64(f64::from(self.rng.i32(..)) / 8.0));
            }
            "google.protobuf.FloatValue" => {
                message.set_field_by_name("value", Value::F32(f32::from(self.rng.i16(..)) / 8.0));
            }
            "google.protobuf.Any" => self.any(message, depth),
            "google.protobuf.Value" => self.any_value(message, depth),
            "google.protobuf.Struct" => {
                let field = message.descriptor().get_field_by_name("fields").unwrap();
                let value = if depth > 0 { self.field(&field, depth) } else { Value::Map(HashMap::new()) };
                message.set_field(&field, value);
            }
            "google.protobuf.ListValue" => {
                let field = message.descriptor().get_field_by_name("values").unwrap();
                let value = if depth > 0 { self.field(&field, depth) } else { Value::List(Vec::new()) };
                message.set_field(&field, value);
            }
            _ => return false,
        }
        true
    }

    fn nanos(&mut self) -> i32 {
        let unit = [1_000_000_000, 1_000_000, 1000, 1][self.rng.usize(0..4)];
        self.rng.i32(0..1_000_000_000) / unit * unit
    }

    fn any(&mut self, message: &mut DynamicMessage, depth: usize) {
        let descriptor = self.types[self.rng.usize(0..self.types.len())].clone();
        let url = format!("type.googleapis.com/{}", descriptor.full_name());
        let content =
            if depth == 0 { Vec::new() } else { self.message(&descriptor, depth - 1).encode_to_vec() };
        message.set_field_by_name("type_url", Value::String(url));
        message.set_field_by_name("value", Value::Bytes(content.into()));
    }

    fn any_value(&mut self, message: &mut DynamicMessage, depth: usize) {
        let most = if depth > 0 { 6 } else { 4 };
        let (name, value) = match self.rng.u8(0..most) {
            0 => ("null_value", Value::EnumNumber(0)),
            1 => ("number_value", Value::F64(f64::from(self.rng.i16(..)) / 8.0)),
            2 => ("string_value", Value::String(self.string())),
            3 => ("bool_value", Value::Bool(self.rng.bool())),
            kind => {
                let name = if kind == 4 { "struct_value" } else { "list_value" };
                let field = message.descriptor().get_field_by_name(name).unwrap();
                (name, self.value(&field.kind(), depth))
            }
        };
        message.set_field_by_name(name, value);
    }
}

/// Whether the name is one of the messages with a form of their own that an `Any` may hold here. Of `Empty` in an `Any` libraries write
/// different forms.
fn special(full_name: &str) -> bool {
    ["Timestamp", "Duration", "FieldMask", "Struct", "Int32Value", "StringValue", "BytesValue"]
        .iter()
        .any(|name| full_name.strip_prefix("google.protobuf.") == Some(name))
}

/// Whether a field holds messages, also as values of a map.
fn is_message(kind: Kind, field: &FieldDescriptor) -> bool {
    match kind {
        Kind::Message(entry) if field.is_map() => {
            matches!(entry.map_entry_value_field().kind(), Kind::Message(_))
        }
        Kind::Message(_) => true,
        _ => false,
    }
}
