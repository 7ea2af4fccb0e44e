//! A message's bytes as Protocol Buffers' JSON, by its descriptor.
//!
//! Any bytes give valid JSON: decoding ends, does not panic, and names the first problem with its place.

use base64::prelude::{BASE64_STANDARD, Engine as _};

use crate::descriptor::{EnumDescriptor, FieldDescriptor, FieldKind, MessageDescriptor, Shape};
use crate::json_writer::JsonWriter;
use crate::wire::{Slice, WireField, WireType, WireValue, zigzag};

/// Nesting depth up to which messages are decoded. Protocol Buffers' own libraries stop at 100.
pub const MAX_DEPTH: usize = 32;

/// A decoded message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// Everything that could be read. Always a valid JSON object.
    pub json: String,
    /// The first problem.
    pub problem: Option<Problem>,
    /// Whether the message has fields that its descriptor lacks.
    pub has_unknown_fields: bool,
}

/// A problem with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Offset in the message, in bytes.
    pub offset: usize,
    /// What is wrong there.
    pub kind: ProblemKind,
}

/// Kinds of problems.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// The bytes end inside a field.
    Truncated,
    /// These bytes are not a field.
    InvalidField,
    /// A string is not UTF-8. Invalid sequences are shown as U+FFFD.
    InvalidUtf8,
    /// Messages are nested deeper than [`MAX_DEPTH`]. Deeper ones are shown empty.
    TooDeep,
}

/// How the JSON is written.
#[derive(Clone, Copy, Debug)]
pub struct JsonOptions {
    /// One field a line, indented by two spaces; otherwise all on one line without spaces.
    pub indent: bool,
    /// Show fields that the descriptor lacks, by their number. Parsers that know the type refuse such fields.
    pub unknown_fields: bool,
    /// Formats floating-point numbers.
    pub numbers: NumberFormat,
}

impl JsonOptions {
    /// For people: indented, with unknown fields.
    pub fn pretty() -> JsonOptions {
        JsonOptions { indent: true, unknown_fields: true, numbers: NumberFormat::default() }
    }

    /// For programs that know the type: one line, known fields only.
    pub fn compact() -> JsonOptions {
        JsonOptions { indent: false, unknown_fields: false, numbers: NumberFormat::default() }
    }
}

/// Formats finite floating-point numbers: the fewest decimal digits that are read back as the same value.
///
/// The default is the standard library's formatting. A program in a browser can use JavaScript's, and leave the standard library's tables
/// out of its wasm module (about 10 KB).
#[derive(Clone, Copy, Debug)]
pub struct NumberFormat {
    /// Formats a `double`.
    pub double: fn(f64) -> String,
    /// Formats a `float`.
    pub float: fn(f32) -> String,
}

impl Default for NumberFormat {
    fn default() -> NumberFormat {
        NumberFormat { double: |value| value.to_string(), float: |value| value.to_string() }
    }
}

/// Decodes `bytes` as a `message`.
pub fn to_json(message: &'static MessageDescriptor, bytes: &[u8], options: &JsonOptions) -> Decoded {
    let mut decoder = Decoder {
        json: JsonWriter::new(options.indent),
        options: *options,
        problem: None,
        has_unknown_fields: false,
    };
    let mut fields = Vec::new();
    decoder.read_fields(Slice { bytes, offset: 0 }, &mut fields);
    decoder.message(message, &fields, 0);
    Decoded {
        json: decoder.json.finish(),
        problem: decoder.problem,
        has_unknown_fields: decoder.has_unknown_fields,
    }
}

struct Decoder {
    json: JsonWriter,
    options: JsonOptions,
    problem: Option<Problem>,
    has_unknown_fields: bool,
}

impl Decoder {
    fn report(&mut self, offset: usize, kind: ProblemKind) {
        self.problem.get_or_insert(Problem { offset, kind });
    }

    /// Reads the fields of `input` up to its end or the first invalid byte.
    fn read_fields<'a>(&mut self, mut input: Slice<'a>, fields: &mut Vec<WireField<'a>>) {
        while !input.bytes.is_empty() {
            let offset = input.offset;
            match WireField::read(&mut input) {
                Ok(field) => {
                    if field.is_truncated {
                        self.report(offset, ProblemKind::Truncated);
                    }
                    fields.push(field);
                }
                Err(kind) => return self.report(offset, kind),
            }
        }
    }

    fn message(&mut self, message: &'static MessageDescriptor, fields: &[WireField<'_>], depth: usize) {
        self.json.open('{');
        for descriptor in message.fields {
            let values: Vec<WireValue<'_>> = fields
                .iter()
                .filter(|field| field.number == descriptor.number && fits(descriptor, field.value))
                .map(|field| field.value)
                .collect();
            if !values.is_empty() {
                self.json.key(descriptor.json_name);
                self.field(descriptor, &values, depth);
            }
        }
        self.unknown_fields(message, fields);
        self.json.close('}');
    }

    fn field(&mut self, descriptor: &'static FieldDescriptor, values: &[WireValue<'_>], depth: usize) {
        match descriptor.shape {
            Shape::Single => self.single(descriptor.kind, values, depth),
            Shape::Repeated => {
                self.json.open('[');
                for value in values {
                    match *value {
                        WireValue::Bytes(packed) if WireType::of(descriptor.kind) != WireType::Bytes => {
                            self.packed(descriptor.kind, packed);
                        }
                        value => {
                            self.json.item();
                            self.single(descriptor.kind, &[value], depth);
                        }
                    }
                }
                self.json.close(']');
            }
            Shape::Map => {
                self.json.open('{');
                for value in values {
                    self.map_entry(descriptor.kind, *value, depth);
                }
                self.json.close('}');
            }
        }
    }

    /// One value out of all occurrences: messages are merged, otherwise the last one counts.
    fn single(&mut self, kind: FieldKind, values: &[WireValue<'_>], depth: usize) {
        let (FieldKind::Message(message), [first, ..]) = (kind, values) else {
            if let Some(last) = values.last() {
                self.scalar(kind, *last);
            }
            return;
        };
        let mut fields = Vec::new();
        if depth < MAX_DEPTH {
            for value in values {
                if let WireValue::Bytes(slice) = value {
                    self.read_fields(*slice, &mut fields);
                }
            }
        } else if let WireValue::Bytes(slice) = first {
            self.report(slice.offset, ProblemKind::TooDeep);
        }
        self.message(message, &fields, depth + 1);
    }

    fn packed(&mut self, kind: FieldKind, mut input: Slice<'_>) {
        while !input.bytes.is_empty() {
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

    /// A missing key or value has its default.
    fn map_entry(&mut self, kind: FieldKind, value: WireValue<'_>, depth: usize) {
        let (FieldKind::Message(entry), WireValue::Bytes(slice)) = (kind, value) else { return };
        let [key_field, value_field] = entry.fields else { return };
        let mut fields = Vec::new();
        self.read_fields(slice, &mut fields);
        let last = |descriptor: &FieldDescriptor| {
            let fitting = fields
                .iter()
                .rfind(|field| field.number == descriptor.number && fits(descriptor, field.value));
            fitting.map_or_else(|| WireValue::default_of(descriptor.kind), |field| field.value)
        };
        // JSON keys are strings, whatever the type of the map's key.
        let outer = std::mem::replace(&mut self.json, JsonWriter::new(false));
        self.scalar(key_field.kind, last(key_field));
        let key = std::mem::replace(&mut self.json, outer).finish();
        match key.starts_with('"') {
            true => self.json.quoted_key(&key),
            false => self.json.key(&key),
        }
        self.single(value_field.kind, &[last(value_field)], depth);
    }

    fn scalar(&mut self, kind: FieldKind, value: WireValue<'_>) {
        use FieldKind as Kind;
        match (kind, value) {
            (Kind::String, WireValue::Bytes(slice)) => {
                if let Err(error) = std::str::from_utf8(slice.bytes) {
                    self.report(slice.offset + error.valid_up_to(), ProblemKind::InvalidUtf8);
                }
                self.json.string(&String::from_utf8_lossy(slice.bytes));
            }
            (_, WireValue::Bytes(slice)) => self.json.string(&BASE64_STANDARD.encode(slice.bytes)),
            (Kind::Bool, WireValue::Varint(value)) => {
                self.json.plain(if value == 0 { "false" } else { "true" });
            }
            (Kind::Enum(descriptor), WireValue::Varint(value)) => self.enum_value(descriptor, value as i32),
            (Kind::Int32, WireValue::Varint(value)) => self.json.plain(&(value as i32).to_string()),
            (Kind::Uint32, WireValue::Varint(value)) => self.json.plain(&(value as u32).to_string()),
            (Kind::Sint32, WireValue::Varint(value)) => {
                self.json.plain(&(zigzag(u64::from(value as u32)) as i32).to_string());
            }
            (Kind::Sint64, WireValue::Varint(value)) => self.json.string(&zigzag(value).to_string()),
            (Kind::Int64, WireValue::Varint(value)) => self.json.string(&(value as i64).to_string()),
            (Kind::Sfixed64, WireValue::Fixed64(value)) => self.json.string(&(value as i64).to_string()),
            (Kind::Double, WireValue::Fixed64(value)) => self.float(f64::from_bits(value), None),
            (Kind::Sfixed32, WireValue::Fixed32(value)) => self.json.plain(&(value as i32).to_string()),
            (Kind::Float, WireValue::Fixed32(value)) => {
                let value = f32::from_bits(value);
                self.float(f64::from(value), Some(value));
            }
            (_, WireValue::Fixed32(value)) => self.json.plain(&value.to_string()),
            // JSON numbers cannot hold 64 bits, so 64-bit integers are strings.
            (_, WireValue::Varint(value) | WireValue::Fixed64(value)) => {
                self.json.string(&value.to_string());
            }
        }
    }

    fn enum_value(&mut self, descriptor: &EnumDescriptor, number: i32) {
        match descriptor.values.iter().find(|(known, _)| *known == number) {
            Some((_, name)) => self.json.string(name),
            None => self.json.plain(&number.to_string()),
        }
    }

    /// `single` is the same number where it is a `float`, whose shortest form has fewer digits.
    fn float(&mut self, value: f64, single: Option<f32>) {
        let numbers = self.options.numbers;
        match value {
            value if value.is_nan() => self.json.string("NaN"),
            f64::INFINITY => self.json.string("Infinity"),
            f64::NEG_INFINITY => self.json.string("-Infinity"),
            value => self.json.plain(&single.map_or_else(|| (numbers.double)(value), numbers.float)),
        }
    }

    /// Unknown fields by number, in the order of the wire.
    fn unknown_fields(&mut self, message: &MessageDescriptor, fields: &[WireField<'_>]) {
        for field in fields {
            let known = message.fields.iter().find(|descriptor| descriptor.number == field.number);
            if known.is_some_and(|descriptor| fits(descriptor, field.value)) {
                continue;
            }
            self.has_unknown_fields = true;
            if !self.options.unknown_fields {
                continue;
            }
            self.json.key(&field.number.to_string());
            // Without a type, only the bits of a number are known.
            match field.value {
                WireValue::Fixed32(value) => self.json.plain(&value.to_string()),
                value => self.scalar(FieldKind::Bytes, value),
            }
        }
    }
}

/// Whether a value on the wire can belong to the field.
fn fits(descriptor: &FieldDescriptor, value: WireValue<'_>) -> bool {
    let found = value.wire_type();
    found == WireType::of(descriptor.kind)
        || (found == WireType::Bytes && descriptor.shape == Shape::Repeated)
}
