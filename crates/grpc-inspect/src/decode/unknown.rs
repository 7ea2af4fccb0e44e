//! Fields that a descriptor lacks, with the path of their message.

use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::Decoder;
use super::raw::RawField;
use crate::json_text::{Path, Step};
use crate::pool::Field;
use crate::wire::WireValue;

/// Unknown fields that are kept of one message. More are counted and not kept.
pub const MAX_UNKNOWN_FIELDS: usize = 1000;

/// A field that the descriptor lacks, or has with another type.
#[derive(Clone, Debug, PartialEq)]
pub struct UnknownField {
    /// The message that has it, as a path in the JSON.
    pub path: Path,
    /// The number on the wire.
    pub number: u32,
    /// Offset of its tag in the outermost message, in bytes.
    pub offset: usize,
    /// The value.
    pub value: UnknownValue,
}

/// A value of unknown type.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "named as the wire types of the encoding")]
pub enum UnknownValue {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    /// A string, bytes, a message or a packed list.
    Bytes(Vec<u8>),
    /// The bytes between the two tags of a group.
    Group(Vec<u8>),
}

/// The unknown fields found so far, and the place of the value that is being written.
#[derive(Default)]
pub(super) struct Unknown<'a> {
    pub(super) fields: Vec<UnknownField>,
    pub(super) count: usize,
    path: Vec<Part<'a>>,
}

/// A step of a path, which becomes text only where there is an unknown field.
enum Part<'a> {
    Field(Field<'a>),
    Item(usize),
    Key(String),
}

impl<'a> Unknown<'a> {
    pub(super) fn enter_field(&mut self, field: Field<'a>) {
        self.path.push(Part::Field(field));
    }

    pub(super) fn enter_item(&mut self, index: usize) {
        self.path.push(Part::Item(index));
    }

    pub(super) fn enter_key(&mut self, key: String) {
        self.path.push(Part::Key(key));
    }

    pub(super) fn leave(&mut self) {
        self.path.pop();
    }

    pub(super) fn add(&mut self, raw: &RawField<'_>) {
        self.count += 1;
        if self.fields.len() == MAX_UNKNOWN_FIELDS {
            return;
        }
        let steps = self.path.iter().map(|part| match part {
            Part::Field(field) => Step::Key(field.json_name().to_owned()),
            Part::Item(index) => Step::Item(*index),
            Part::Key(key) => Step::Key(key.clone()),
        });
        let value = match raw.value {
            WireValue::Varint(value) => UnknownValue::Varint(value),
            WireValue::Fixed64(value) => UnknownValue::Fixed64(value),
            WireValue::Fixed32(value) => UnknownValue::Fixed32(value),
            WireValue::Bytes(slice) if raw.is_group => UnknownValue::Group(slice.bytes.to_vec()),
            WireValue::Bytes(slice) => UnknownValue::Bytes(slice.bytes.to_vec()),
        };
        let path = Path(steps.collect());
        self.fields.push(UnknownField { path, number: raw.number, offset: raw.offset, value });
    }
}

impl Decoder<'_> {
    /// Keeps unknown fields, and writes them as members of an open object where that is asked for: without a type, only bits are known.
    pub(super) fn unknown_fields(&mut self, fields: &[RawField<'_>]) {
        for raw in fields {
            self.unknown.add(raw);
            if !self.options.unknown_fields || self.is_full() {
                continue;
            }
            self.json.key(&raw.number.to_string());
            match raw.value {
                WireValue::Fixed32(value) => self.json.plain(&value.to_string()),
                WireValue::Varint(value) | WireValue::Fixed64(value) => self.json.string(&value.to_string()),
                WireValue::Bytes(slice) => self.json.string(&BASE64_STANDARD.encode(slice.bytes)),
            }
        }
    }
}
