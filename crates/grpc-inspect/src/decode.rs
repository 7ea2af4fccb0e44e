//! A message's bytes as Protocol Buffers' JSON, by a descriptor of a [`crate::pool::Pool`].
//!
//! Any bytes give valid JSON: decoding ends, does not panic, and names the first problem with its place. The decoder of static tables,
//! [`crate::json`], is a separate one, so that a page that shows its own contract alone does not carry this one.

mod raw;
mod scalar;
mod special;
mod unknown;

use raw::RawField;
use scalar::fits;

use crate::descriptor::{FieldKind, Shape};
use crate::json::{JsonOptions, Problem, ProblemKind};
use crate::json_writer::JsonWriter;
use crate::pool::{Field, Kind, Message};
use crate::well_known::Special;
use crate::wire::{Slice, WireValue};

pub use unknown::{MAX_UNKNOWN_FIELDS, UnknownField, UnknownValue};

/// Nesting depth up to which messages are decoded, as in Protocol Buffers' own libraries. Deeper ones are shown empty.
pub const MAX_DEPTH: usize = 100;

/// Length of the JSON, in bytes, from which on nothing is added but closing brackets.
pub const MAX_JSON_BYTES: usize = 64 * 1024 * 1024;

/// A decoded message.
#[derive(Clone, Debug, PartialEq)]
pub struct DecodedMessage {
    /// Everything that could be read. Always valid JSON: an object, or the form of a well-known type.
    pub json: String,
    /// The first problem.
    pub problem: Option<Problem>,
    /// The first [`MAX_UNKNOWN_FIELDS`] fields that the descriptors lack.
    pub unknown_fields: Vec<UnknownField>,
    /// The number of fields that the descriptors lack.
    pub unknown_field_count: usize,
    /// Full names of messages in an `Any` that the pool lacks, each once. Their bytes are shown in base64, as `value`.
    pub unknown_types: Vec<String>,
    /// Whether the JSON would have been longer than [`MAX_JSON_BYTES`].
    pub is_shortened: bool,
}

/// Decodes `bytes` as a `message`. [`JsonOptions::unknown_fields`] also shows unknown fields in the JSON, by their number.
pub fn to_json(message: Message<'_>, bytes: &[u8], options: &JsonOptions) -> DecodedMessage {
    let mut decoder = Decoder::new(options);
    let mut fields = Vec::new();
    decoder.read_fields(Slice { bytes, offset: 0 }, &mut fields);
    decoder.message(message, fields, 0);
    DecodedMessage {
        json: decoder.json.finish(),
        problem: decoder.problem,
        unknown_fields: decoder.unknown.fields,
        unknown_field_count: decoder.unknown.count,
        unknown_types: decoder.unknown_types,
        is_shortened: decoder.is_shortened,
    }
}

struct Decoder<'a> {
    json: JsonWriter,
    options: JsonOptions,
    problem: Option<Problem>,
    unknown: unknown::Unknown<'a>,
    unknown_types: Vec<String>,
    is_shortened: bool,
}

impl<'a> Decoder<'a> {
    fn new(options: &JsonOptions) -> Decoder<'a> {
        Decoder {
            json: JsonWriter::new(options.indent),
            options: *options,
            problem: None,
            unknown: unknown::Unknown::default(),
            unknown_types: Vec::new(),
            is_shortened: false,
        }
    }

    fn report(&mut self, offset: usize, kind: ProblemKind) {
        self.problem.get_or_insert(Problem { offset, kind });
    }

    /// Reads the fields of `input` up to its end or the first invalid byte.
    fn read_fields(&mut self, mut input: Slice<'a>, fields: &mut Vec<RawField<'a>>) {
        while !input.bytes.is_empty() {
            let offset = input.offset;
            match RawField::read(&mut input) {
                Ok((field, is_truncated)) => {
                    if is_truncated {
                        self.report(offset, ProblemKind::Truncated);
                    }
                    fields.push(field);
                }
                Err(kind) => return self.report(offset, kind),
            }
        }
    }

    /// Whether nothing more should be written.
    fn is_full(&mut self) -> bool {
        self.is_shortened |= self.json.len() >= MAX_JSON_BYTES;
        self.is_shortened
    }

    /// Writes a message as a value.
    fn message(&mut self, message: Message<'a>, fields: Vec<RawField<'a>>, depth: usize) {
        match Special::of(message.full_name()) {
            Some(special) => self.special(special, message, fields, depth),
            None => {
                self.json.open('{');
                self.members(message, fields, depth);
                self.json.close('}');
            }
        }
    }

    /// Writes the fields of a message as members of an open object, in the order of the .proto file.
    fn members(&mut self, message: Message<'a>, fields: Vec<RawField<'a>>, depth: usize) {
        let mut unknown = Vec::new();
        for (field, values) in raw::by_field(message, fields, &mut unknown) {
            if self.is_full() {
                break;
            }
            self.json.key(field.json_name());
            self.unknown.enter_field(field);
            self.field(field, &values, depth);
            self.unknown.leave();
        }
        self.unknown_fields(&unknown);
    }

    fn field(&mut self, field: Field<'a>, values: &[RawField<'a>], depth: usize) {
        match field.shape() {
            Shape::Single => self.single(field.kind(), values, depth),
            Shape::Repeated => {
                self.json.open('[');
                self.items(field, values, depth);
                self.json.close(']');
            }
            Shape::Map => {
                self.json.open('{');
                self.entries(field, values, depth);
                self.json.close('}');
            }
        }
    }

    fn items(&mut self, field: Field<'a>, values: &[RawField<'a>], depth: usize) {
        let kind = field.kind();
        let is_length_prefixed = matches!(kind, FieldKind::String | FieldKind::Bytes | FieldKind::Message(_));
        let mut index = 0;
        for value in values {
            match value.value {
                WireValue::Bytes(slice) if !is_length_prefixed => self.packed(kind, slice),
                _ => {
                    if self.is_full() {
                        return;
                    }
                    self.json.item();
                    self.unknown.enter_item(index);
                    self.single(kind, std::slice::from_ref(value), depth);
                    self.unknown.leave();
                    index += 1;
                }
            }
        }
    }

    fn packed(&mut self, kind: Kind<'a>, mut input: Slice<'a>) {
        while !input.bytes.is_empty() && !self.is_full() {
            let offset = input.offset;
            match input.packed_value(kind) {
                Ok(value) => {
                    self.json.item();
                    self.scalar(kind, value);
                }
                Err(kind) => return self.report(offset, kind),
            }
        }
    }

    /// Writes a single value: the last one, or all messages merged.
    fn single(&mut self, kind: Kind<'a>, values: &[RawField<'a>], depth: usize) {
        let Some(last) = values.last() else { return };
        let FieldKind::Message(message) = kind else { return self.scalar(kind, last.value) };
        let mut fields = Vec::new();
        if depth < MAX_DEPTH {
            for value in values {
                if let WireValue::Bytes(slice) = value.value {
                    self.read_fields(slice, &mut fields);
                }
            }
        } else {
            self.report(last.offset, ProblemKind::TooDeep);
        }
        self.message(message, fields, depth + 1);
    }

    /// Writes the entries of a map. Of entries with one key the last counts.
    fn entries(&mut self, field: Field<'a>, values: &[RawField<'a>], depth: usize) {
        let Some((key_field, value_field)) = field.map_entry() else { return };
        let mut entries = Vec::new();
        for value in values {
            let WireValue::Bytes(slice) = value.value else { continue };
            let mut fields = Vec::new();
            self.read_fields(slice, &mut fields);
            let key = fields.iter().rfind(|raw| raw.number == 1 && fits(key_field, raw));
            let key = key.map_or_else(|| WireValue::default_of(key_field.kind()), |raw| raw.value);
            fields.retain(|raw| raw.number == 2 && fits(value_field, raw));
            if fields.is_empty() {
                let default = WireValue::default_of(value_field.kind());
                fields.push(RawField { number: 2, value: default, offset: slice.offset, is_group: false });
            }
            entries.push((self.key_text(key_field.kind(), key), fields));
        }
        let mut last: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
        for (index, (key, _)) in entries.iter().enumerate() {
            last.insert(key.clone(), index);
        }
        for (index, (key, fields)) in entries.into_iter().enumerate() {
            if last.get(&key) != Some(&index) {
                continue;
            }
            if self.is_full() {
                return;
            }
            self.json.key(&key);
            self.unknown.enter_key(key);
            self.single(value_field.kind(), &fields, depth);
            self.unknown.leave();
        }
    }
}
