//! A message's bytes as protobuf's JSON, by the contracts' tables: for reading, and for `grpcurl`.
//! Knows no document. Whatever the bytes are, it ends, does not panic, and says what is wrong.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use proto::schema::{Enum, Field, Kind, Message, Shape};

use super::json::Json;
use crate::lean;

/// How deep messages are followed into each other; protobuf's own libraries stop at 100.
const DEEPEST: usize = 32;

/// What became of a message's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decoded {
    /// What could be read, always valid JSON.
    pub(super) json: String,
    /// Where reading ended early, or what is not as it should be; the first of all.
    pub(super) problem: Option<Problem>,
    /// Whether there are fields that the contract does not have.
    pub(super) has_unknown: bool,
}

/// What is wrong with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    /// The byte of the message at which it was noticed.
    pub(super) at: usize,
    /// What it is.
    pub(super) kind: ProblemKind,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProblemKind {
    /// The bytes end inside a field.
    Ends,
    /// These bytes are no field of protobuf.
    NoField,
    /// A text is not UTF-8.
    NoText,
    /// Messages are nested deeper than they are followed.
    TooDeep,
}

/// For whom the JSON is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// For a person: one field on a line, unknown fields by their numbers.
    Lines,
    /// For a program that knows the contract: in one line, without what the contract does not have.
    OneLine,
}

/// Reads `bytes` as a `message`.
pub(super) fn decode(message: &'static Message, bytes: &[u8], style: Style) -> Decoded {
    let mut decoder =
        Decoder { json: Json::new(style == Style::Lines), problem: None, style, has_unknown: false };
    let mut records = Vec::new();
    decoder.read(Part { bytes, at: 0 }, &mut records);
    decoder.message(message, &records, 0);
    Decoded { json: decoder.json.finish(), problem: decoder.problem, has_unknown: decoder.has_unknown }
}

/// A piece of the message and its place.
#[derive(Clone, Copy)]
struct Part<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Part<'a> {
    /// Takes the next bytes, or what is left of them.
    fn take(&mut self, count: usize) -> Part<'a> {
        let (taken, rest) = self.bytes.split_at(count.min(self.bytes.len()));
        let part = Part { bytes: taken, at: self.at };
        *self = Part { bytes: rest, at: self.at + taken.len() };
        part
    }

    fn varint(&mut self) -> Result<u64, ProblemKind> {
        let mut value = 0;
        for shift in (0..70).step_by(7) {
            let [byte] = *self.take(1).bytes else { return Err(ProblemKind::Ends) };
            // The tenth byte has room for one bit; what is above it is dropped, as everywhere.
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(ProblemKind::NoField)
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], ProblemKind> {
        self.take(N).bytes.try_into().map_err(|_| ProblemKind::Ends)
    }
}

/// A field as it is on the wire.
struct Record<'a> {
    number: u32,
    value: Wire<'a>,
}

#[derive(Clone, Copy)]
enum Wire<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(Part<'a>),
}

struct Decoder {
    json: Json,
    problem: Option<Problem>,
    style: Style,
    has_unknown: bool,
}

impl Decoder {
    fn note(&mut self, at: usize, kind: ProblemKind) {
        self.problem.get_or_insert(Problem { at, kind });
    }

    /// Adds the fields of `part` up to its end, or to where it makes no sense.
    fn read<'a>(&mut self, mut part: Part<'a>, records: &mut Vec<Record<'a>>) {
        while !part.bytes.is_empty() {
            let at = part.at;
            match self.record(&mut part) {
                Ok(record) => records.push(record),
                Err(kind) => return self.note(at, kind),
            }
        }
    }

    fn record<'a>(&mut self, part: &mut Part<'a>) -> Result<Record<'a>, ProblemKind> {
        let at = part.at;
        let tag = part.varint()?;
        let number = u32::try_from(tag >> 3).map_err(|_| ProblemKind::NoField)?;
        let value = match tag & 7 {
            _ if number == 0 => return Err(ProblemKind::NoField),
            0 => Wire::Varint(part.varint()?),
            1 => Wire::Fixed64(u64::from_le_bytes(part.fixed()?)),
            5 => Wire::Fixed32(u32::from_le_bytes(part.fixed()?)),
            2 => {
                let length = usize::try_from(part.varint()?).unwrap_or(usize::MAX);
                if length > part.bytes.len() {
                    // What there is of it is shown all the same.
                    self.note(at, ProblemKind::Ends);
                }
                Wire::Bytes(part.take(length))
            }
            _ => return Err(ProblemKind::NoField),
        };
        Ok(Record { number, value })
    }

    fn message(&mut self, message: &'static Message, records: &[Record<'_>], depth: usize) {
        self.json.open('{');
        for field in message.fields {
            let values: Vec<Wire<'_>> = records
                .iter()
                .filter(|record| record.number == field.number && fits(field, record.value))
                .map(|record| record.value)
                .collect();
            if !values.is_empty() {
                self.json.key(field.json_name);
                self.field(field, &values, depth);
            }
        }
        self.unknown(message, records);
        self.json.close('}');
    }

    fn field(&mut self, field: &'static Field, values: &[Wire<'_>], depth: usize) {
        match field.shape {
            Shape::Single => self.single(field.kind, values, depth),
            Shape::Repeated => {
                self.json.open('[');
                for value in values {
                    match *value {
                        Wire::Bytes(packed) if is_number(field.kind) => self.packed(field.kind, packed),
                        value => {
                            self.json.item();
                            self.single(field.kind, &[value], depth);
                        }
                    }
                }
                self.json.close(']');
            }
            Shape::Map => {
                self.json.open('{');
                for value in values {
                    self.entry(field.kind, *value, depth);
                }
                self.json.close('}');
            }
        }
    }

    /// One value; of several, messages are merged and otherwise the last counts.
    fn single(&mut self, kind: Kind, values: &[Wire<'_>], depth: usize) {
        let (Kind::Message(message), [first, ..]) = (kind, values) else {
            if let Some(last) = values.last() {
                self.scalar(kind, *last);
            }
            return;
        };
        let mut records = Vec::new();
        if depth < DEEPEST {
            for value in values {
                if let Wire::Bytes(part) = value {
                    self.read(*part, &mut records);
                }
            }
        } else if let Wire::Bytes(part) = first {
            self.note(part.at, ProblemKind::TooDeep);
        }
        self.message(message, &records, depth + 1);
    }

    fn packed(&mut self, kind: Kind, mut part: Part<'_>) {
        while !part.bytes.is_empty() {
            let at = part.at;
            let value = match wire_type(kind) {
                1 => part.fixed().map(|bytes| Wire::Fixed64(u64::from_le_bytes(bytes))),
                5 => part.fixed().map(|bytes| Wire::Fixed32(u32::from_le_bytes(bytes))),
                _ => part.varint().map(Wire::Varint),
            };
            match value {
                Ok(value) => {
                    self.json.item();
                    self.scalar(kind, value);
                }
                Err(kind) => return self.note(at, kind),
            }
        }
    }

    /// An entry of a map. A key or value that is not there has its default.
    fn entry(&mut self, kind: Kind, value: Wire<'_>, depth: usize) {
        let (Kind::Message(entry), Wire::Bytes(part)) = (kind, value) else { return };
        let [key_field, value_field] = entry.fields else { return };
        let mut records = Vec::new();
        self.read(part, &mut records);
        let last = |field: &Field| {
            let fitting =
                records.iter().rfind(|record| record.number == field.number && fits(field, record.value));
            fitting.map_or_else(|| default(field.kind), |record| record.value)
        };
        // A key is a text in JSON, whatever it is in protobuf.
        let outside = std::mem::replace(&mut self.json, Json::new(false));
        self.scalar(key_field.kind, last(key_field));
        let key = std::mem::replace(&mut self.json, outside).finish();
        match key.starts_with('"') {
            true => self.json.quoted_key(&key),
            false => self.json.key(&key),
        }
        self.single(value_field.kind, &[last(value_field)], depth);
    }

    fn scalar(&mut self, kind: Kind, value: Wire<'_>) {
        match (kind, value) {
            (Kind::String, Wire::Bytes(part)) => {
                if let Err(error) = std::str::from_utf8(part.bytes) {
                    self.note(part.at + error.valid_up_to(), ProblemKind::NoText);
                }
                self.json.text(&String::from_utf8_lossy(part.bytes));
            }
            (_, Wire::Bytes(part)) => self.json.text(&BASE64_STANDARD.encode(part.bytes)),
            (Kind::Bool, Wire::Varint(value)) => self.json.plain(if value == 0 { "false" } else { "true" }),
            (Kind::Enum(names), Wire::Varint(value)) => self.enumeration(names, value as i32),
            (Kind::Int32, Wire::Varint(value)) => self.json.plain(&(value as i32).to_string()),
            (Kind::Uint32, Wire::Varint(value)) => self.json.plain(&(value as u32).to_string()),
            (Kind::Sint32, Wire::Varint(value)) => {
                self.json.plain(&(zigzag(u64::from(value as u32)) as i32).to_string());
            }
            (Kind::Sint64, Wire::Varint(value)) => self.json.text(&zigzag(value).to_string()),
            (Kind::Int64, Wire::Varint(value)) => self.json.text(&(value as i64).to_string()),
            (Kind::Sfixed64, Wire::Fixed64(value)) => self.json.text(&(value as i64).to_string()),
            (Kind::Double, Wire::Fixed64(value)) => self.float(f64::from_bits(value), None),
            (Kind::Sfixed32, Wire::Fixed32(value)) => self.json.plain(&(value as i32).to_string()),
            (Kind::Float, Wire::Fixed32(value)) => {
                let value = f32::from_bits(value);
                self.float(f64::from(value), Some(value));
            }
            (_, Wire::Fixed32(value)) => self.json.plain(&value.to_string()),
            (_, Wire::Varint(value) | Wire::Fixed64(value)) => self.json.text(&value.to_string()),
        }
    }

    fn enumeration(&mut self, names: &Enum, number: i32) {
        match names.values.iter().find(|(known, _)| *known == number) {
            Some((_, name)) => self.json.text(name),
            None => self.json.plain(&number.to_string()),
        }
    }

    /// A number of a kind that JSON has no word for all of. The shorter form where there is one.
    fn float(&mut self, value: f64, short: Option<f32>) {
        match value {
            value if value.is_nan() => self.json.text("NaN"),
            f64::INFINITY => self.json.text("Infinity"),
            f64::NEG_INFINITY => self.json.text("-Infinity"),
            value => self.json.plain(&short.map_or_else(|| lean::double(value), lean::float)),
        }
    }

    /// What the contract does not have, by number, in the order in which it came.
    fn unknown(&mut self, message: &Message, records: &[Record<'_>]) {
        for record in records {
            let known = message.fields.iter().find(|field| field.number == record.number);
            if known.is_some_and(|field| fits(field, record.value)) {
                continue;
            }
            self.has_unknown = true;
            if self.style == Style::OneLine {
                continue;
            }
            self.json.key(&record.number.to_string());
            // Of a number's meaning nothing is known but its bits.
            match record.value {
                Wire::Fixed32(value) => self.json.plain(&value.to_string()),
                value => self.scalar(Kind::Bytes, value),
            }
        }
    }
}

/// The wire type of one value: 0 variable, 1 of 64 bits, 2 with its length before it, 5 of 32 bits.
fn wire_type(kind: Kind) -> u8 {
    match kind {
        Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => 1,
        Kind::Float | Kind::Fixed32 | Kind::Sfixed32 => 5,
        Kind::String | Kind::Bytes | Kind::Message(_) => 2,
        _ => 0,
    }
}

fn is_number(kind: Kind) -> bool {
    wire_type(kind) != 2
}

/// Whether a value on the wire can be one of the field's.
fn fits(field: &Field, value: Wire<'_>) -> bool {
    let found = match value {
        Wire::Varint(_) => 0,
        Wire::Fixed64(_) => 1,
        Wire::Bytes(_) => 2,
        Wire::Fixed32(_) => 5,
    };
    found == wire_type(field.kind) || (found == 2 && field.shape == Shape::Repeated)
}

fn default<'a>(kind: Kind) -> Wire<'a> {
    match wire_type(kind) {
        1 => Wire::Fixed64(0),
        2 => Wire::Bytes(Part { bytes: &[], at: 0 }),
        5 => Wire::Fixed32(0),
        _ => Wire::Varint(0),
    }
}

fn zigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests;
