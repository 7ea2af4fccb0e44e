//! Writes a JSON text with every field of a message.

use super::{Alternative, Template, default};
use crate::descriptor::{FieldKind, Shape};
use crate::json_text::{Path, Step};
use crate::json_writer::JsonWriter;
use crate::pool::{Field, Kind, Message};
use crate::well_known::Special;

/// Length of a template, in bytes, from which on messages inside are left out.
pub const MAX_TEMPLATE_BYTES: usize = 64 * 1024;

/// Nesting depth from which on messages inside are left out.
const MOST_DEPTH: usize = 16;

pub(super) struct Writer<'a> {
    json: JsonWriter,
    alternatives: Vec<Alternative>,
    path: Path,
    /// The messages around the field that is being written.
    around: Vec<Message<'a>>,
}

impl Default for Writer<'_> {
    fn default() -> Self {
        Writer {
            json: JsonWriter::new(true),
            alternatives: Vec::new(),
            path: Path::root(),
            around: Vec::new(),
        }
    }
}

impl<'a> Writer<'a> {
    pub(super) fn finish(mut self, message: Message<'a>) -> Template {
        if Special::of(message.full_name()).is_some() {
            let json = default::of_kind(Kind::Message(message));
            return Template { json, alternatives: Vec::new() };
        }
        self.message(message);
        Template { json: self.json.finish(), alternatives: self.alternatives }
    }

    fn message(&mut self, message: Message<'a>) {
        self.around.push(message);
        self.json.open('{');
        for field in message.fields() {
            let chosen = field.oneof().and_then(|oneof| {
                let member = oneof.fields().find(|member| !self.is_without_value(*member));
                member.map(|member| (oneof, member))
            });
            match chosen {
                Some((oneof, member)) if member != field => self.alternatives.push(Alternative {
                    path: self.path.then(step(field)),
                    oneof: oneof.name().to_owned(),
                    instead_of: member.json_name().to_owned(),
                    default_json: default::json(field),
                }),
                _ => self.field(field),
            }
        }
        self.json.close('}');
        self.around.pop();
    }

    fn field(&mut self, field: Field<'a>) {
        if self.is_without_value(field) {
            return;
        }
        let value = field.map_entry().map_or(field, |(_, value)| value);
        let inner = plain_message(value);
        let is_left_out = inner.is_some_and(|message| self.is_left_out(message));
        self.json.key(field.json_name());
        self.path.0.push(step(field));
        match field.shape() {
            Shape::Single => self.value(value, inner),
            Shape::Repeated => {
                self.json.open('[');
                if !is_left_out {
                    self.json.item();
                    self.inside(Step::Item(0), value, inner);
                }
                self.json.close(']');
            }
            Shape::Map => {
                self.json.open('{');
                if !is_left_out {
                    let key = field.map_entry().map_or("key", |(key, _)| key_text(key.kind()));
                    self.json.key(key);
                    self.inside(Step::Key(key.to_owned()), value, inner);
                }
                self.json.close('}');
            }
        }
        self.path.0.pop();
    }

    fn inside(&mut self, step: Step, field: Field<'a>, message: Option<Message<'a>>) {
        self.path.0.push(step);
        self.value(field, message);
        self.path.0.pop();
    }

    fn value(&mut self, field: Field<'a>, message: Option<Message<'a>>) {
        match message {
            Some(message) => self.message(message),
            None => self.json.plain(&default::json(field)),
        }
    }

    /// Whether a single field is left out with its message.
    fn is_without_value(&self, field: Field<'a>) -> bool {
        let is_left_out = plain_message(field).is_some_and(|message| self.is_left_out(message));
        is_left_out && field.shape() == Shape::Single
    }

    /// Whether a message is inside of itself, or the text is long or deep enough without it.
    fn is_left_out(&self, message: Message<'a>) -> bool {
        self.around.contains(&message)
            || self.around.len() >= MOST_DEPTH
            || self.json.len() >= MAX_TEMPLATE_BYTES
    }
}

/// The message of a field that is written field by field.
fn plain_message(field: Field<'_>) -> Option<Message<'_>> {
    match field.kind() {
        FieldKind::Message(message) if Special::of(message.full_name()).is_none() => Some(message),
        _ => None,
    }
}

fn step(field: Field<'_>) -> Step {
    Step::Field { json_name: field.json_name().to_owned(), name: field.name().to_owned() }
}

/// A key to begin with.
fn key_text(kind: Kind<'_>) -> &'static str {
    match kind {
        FieldKind::String => "key",
        FieldKind::Bool => "false",
        _ => "0",
    }
}
