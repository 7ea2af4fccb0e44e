//! Protocol Buffers' JSON as a message's bytes, by a descriptor of a [`crate::pool::Pool`].

mod nearest;
mod number;
mod scalar;
mod special;
mod structure;

use std::collections::{BTreeMap, BTreeSet};

use crate::decode::MAX_DEPTH;
use crate::descriptor::{FieldKind, Shape};
use crate::json_text::{Expected, JsonError, JsonErrorKind, Member, Node, Path, Step, Value, parse};
use crate::pool::{Field, Kind, Message};
use crate::well_known::{Special, WellKnown, is_null_value};
use crate::wire::WireType;
use crate::wire_writer::{push_bytes, push_group, push_tag, push_varint};

pub(crate) use number::integer;
pub(crate) use scalar::{parse_finite, range};

/// Encodes `text` as a `message`.
///
/// A field may have either of its names. `null` is an absent field. Fields are written by the order of their numbers. The message of an
/// `Any` may be one that the pool lacks: then it is its bytes in base64, as `value`, which is how [`crate::decode`] shows it.
///
/// # Errors
///
/// With the place in the text, the path and what was expected there: the text is no JSON, a field or an enum's value is unknown, a value
/// does not fit its field, or messages are nested deeper than [`MAX_DEPTH`]. A missing `required` field is no error.
pub fn from_json(message: Message<'_>, text: &str) -> Result<Vec<u8>, JsonError> {
    let root = parse(text)?;
    let mut encoder = Encoder { text, path: Vec::new(), depth: 0 };
    encoder.message(message, &root)
}

type Encoded<T> = Result<T, JsonError>;

/// The parts of a message, by the numbers of their fields.
type Parts = BTreeMap<u32, Vec<u8>>;

struct Encoder<'t> {
    text: &'t str,
    /// The value that is being encoded.
    path: Vec<Step>,
    /// Messages around it.
    depth: usize,
}

impl<'t> Encoder<'t> {
    fn message(&mut self, message: Message<'_>, node: &Node) -> Encoded<Vec<u8>> {
        if self.depth > MAX_DEPTH {
            return Err(self.error(node, JsonErrorKind::TooDeep(MAX_DEPTH)));
        }
        self.depth += 1;
        let bytes = match Special::of(message.full_name()) {
            Some(special) => self.special(special, message, node)?,
            None => {
                let Value::Object(members) = &node.value else {
                    return Err(self.wrong(node, Expected::Object));
                };
                self.members(message, members.iter())?
            }
        };
        self.depth -= 1;
        Ok(bytes)
    }

    /// The fields of a message from members of an object.
    fn members<'n>(
        &mut self,
        message: Message<'_>,
        members: impl Iterator<Item = &'n Member>,
    ) -> Encoded<Vec<u8>> {
        let mut parts = Parts::new();
        let mut seen = BTreeSet::new();
        let mut oneofs: BTreeMap<u32, &str> = BTreeMap::new();
        for member in members {
            let Some(field) = message.field_by_name(&member.key) else {
                let nearest = nearest::field(message, &member.key);
                let (name, message) = (member.key.clone(), message.full_name().to_owned());
                return Err(self.key_error(member, JsonErrorKind::UnknownField { name, message, nearest }));
            };
            if !seen.insert(field.number()) {
                let kind = JsonErrorKind::DuplicateField(field.json_name().to_owned());
                return Err(self.key_error(member, kind));
            }
            if matches!(member.node.value, Value::Null) && !takes_null(field) {
                continue;
            }
            if let Some(oneof) = field.oneof()
                && let Some(other) = oneofs.insert(field.data().oneof.unwrap_or_default(), field.json_name())
            {
                let [oneof, field, other] = [oneof.name(), field.json_name(), other].map(str::to_owned);
                return Err(self.key_error(member, JsonErrorKind::DuplicateOneof { oneof, field, other }));
            }
            self.path.push(Step::Key(member.key.clone()));
            let mut part = Vec::new();
            self.field(field, &member.node, &mut part)?;
            self.path.pop();
            parts.insert(field.number(), part);
        }
        Ok(parts.into_values().flatten().collect())
    }

    fn field(&mut self, field: Field<'_>, node: &Node, into: &mut Vec<u8>) -> Encoded<()> {
        match field.shape() {
            Shape::Single => {
                let start = into.len();
                let is_default = self.value(field, node, into)?;
                if is_default && !field.has_presence() {
                    into.truncate(start);
                }
                Ok(())
            }
            Shape::Repeated => self.list(field, node, into),
            Shape::Map => self.map(field, node, into),
        }
    }

    fn list(&mut self, field: Field<'_>, node: &Node, into: &mut Vec<u8>) -> Encoded<()> {
        let Value::List(items) = &node.value else { return Err(self.wrong(node, Expected::List)) };
        let mut packed = Vec::new();
        for (index, item) in items.iter().enumerate() {
            self.path.push(Step::Item(index));
            self.refuse_null(field, item)?;
            if field.is_packed() {
                self.scalar(field.kind(), item, &mut packed)?;
            } else {
                self.value(field, item, into)?;
            }
            self.path.pop();
        }
        if !packed.is_empty() {
            push_bytes(field.number(), &packed, into);
        }
        Ok(())
    }

    fn map(&mut self, field: Field<'_>, node: &Node, into: &mut Vec<u8>) -> Encoded<()> {
        let Value::Object(members) = &node.value else { return Err(self.wrong(node, Expected::Map)) };
        let Some((key_field, value_field)) = field.map_entry() else { return Ok(()) };
        let mut keys = BTreeSet::new();
        for member in members {
            let mut entry = Vec::new();
            push_tag(1, WireType::of(key_field.kind()), &mut entry);
            scalar::key(key_field.kind(), &member.key, &mut entry)
                .map_err(|expected| self.wrong_key(member, expected))?;
            if !keys.insert(entry.clone()) {
                return Err(self.key_error(member, JsonErrorKind::DuplicateField(member.key.clone())));
            }
            self.path.push(Step::Key(member.key.clone()));
            self.refuse_null(value_field, &member.node)?;
            self.value(value_field, &member.node, &mut entry)?;
            self.path.pop();
            push_bytes(field.number(), &entry, into);
        }
        Ok(())
    }

    /// One value with its tag; the answer is whether it is a scalar's default one.
    fn value(&mut self, field: Field<'_>, node: &Node, into: &mut Vec<u8>) -> Encoded<bool> {
        match field.kind() {
            FieldKind::Message(message) => {
                let content = self.message(message, node)?;
                match field.is_delimited() {
                    true => push_group(field.number(), &content, into),
                    false => push_bytes(field.number(), &content, into),
                }
                Ok(false)
            }
            kind => {
                push_tag(field.number(), WireType::of(kind), into);
                self.scalar(kind, node, into)
            }
        }
    }

    fn refuse_null(&self, field: Field<'_>, node: &Node) -> Encoded<()> {
        let is_refused = matches!(node.value, Value::Null) && !takes_null(field);
        if is_refused { Err(self.wrong(node, Expected::NotNull)) } else { Ok(()) }
    }

    fn error(&self, node: &Node, kind: JsonErrorKind) -> JsonError {
        JsonError::new(self.text, node.range.start, Path(self.path.clone()), kind)
    }

    fn key_error(&self, member: &Member, kind: JsonErrorKind) -> JsonError {
        let path = Path(self.path.clone()).key(&member.key);
        JsonError::new(self.text, member.key_start, path, kind)
    }

    fn wrong(&self, node: &Node, expected: Expected) -> JsonError {
        let found = shortened(&self.text[node.range.clone()]);
        self.error(node, JsonErrorKind::WrongValue { expected, found })
    }

    fn wrong_key(&self, member: &Member, expected: Expected) -> JsonError {
        let found = shortened(&self.text[member.key_start..member.node.range.start]);
        let found = found.trim_end().trim_end_matches(':').trim_end().to_owned();
        self.key_error(member, JsonErrorKind::WrongValue { expected, found })
    }
}

/// Whether `null` is a value of the field, and not its absence.
fn takes_null(field: Field<'_>) -> bool {
    match (field.shape(), field.kind()) {
        (Shape::Map, _) => false,
        (_, Kind::Enum(descriptor)) => is_null_value(descriptor.full_name()),
        (_, Kind::Message(message)) => {
            matches!(Special::of(message.full_name()), Some(Special::Form(WellKnown::Value)))
        }
        _ => false,
    }
}

/// The start of a value for an error, on one line.
fn shortened(value: &str) -> String {
    const MOST: usize = 40;
    let line: String = value.chars().take_while(|letter| *letter != '\n').take(MOST).collect();
    if line.len() == value.len() { line } else { line + "…" }
}

fn push_double(value: f64, into: &mut Vec<u8>) {
    into.extend_from_slice(&value.to_bits().to_le_bytes());
}

fn push_signed(value: i64, into: &mut Vec<u8>) {
    push_varint(value as u64, into);
}
