//! The fields of a message as a form shows them, and a JSON text with every field to start from.
//!
//! A form is kept in step with a JSON text by [`crate::json_text`]: each field has its step of a path, by which its value is read and set.

mod default;
mod template;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::descriptor::{FieldKind, Shape};
use crate::encode::range;
use crate::json_text::{Path, Step};
use crate::pool::{EnumValue, Field, Kind, Message};
use crate::well_known::Special;

pub use crate::well_known::WellKnown;
pub use template::MAX_TEMPLATE_BYTES;

/// A field of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormField {
    /// The name in JSON.
    pub json_name: String,
    /// The name in the .proto file.
    pub name: String,
    /// The number on the wire.
    pub number: u32,
    /// The comment of the .proto file.
    pub comment: String,
    /// One value, a list or a map.
    pub shape: Shape,
    /// The input for a value: of a list for an item, of a map for the value of an entry.
    pub control: Control,
    /// The input for the key of a map's entry.
    pub key: Option<Control>,
    /// Name of the oneof; of its fields one has a value.
    pub oneof: Option<String>,
    /// The JSON text of a new value: of a list for an item, of a map for the value of an entry.
    pub default_json: String,
    /// Whether an absent value differs from the default one.
    pub has_presence: bool,
    /// Whether a message without it is invalid.
    pub is_required: bool,
    /// Whether it is marked as deprecated.
    pub is_deprecated: bool,
}

impl FormField {
    /// The step of a path that leads to the field.
    pub fn step(&self) -> Step {
        Step::Field { json_name: self.json_name.clone(), name: self.name.clone() }
    }
}

/// The input for a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// An integer within a range, inclusive. JSON has those of 64 bits as strings.
    Integer {
        /// The least value.
        min: i64,
        /// The greatest value.
        max: u64,
        /// Whether JSON has it as a string.
        is_string: bool,
    },
    /// A floating-point number, of which JSON has `"NaN"`, `"Infinity"` and `"-Infinity"` as strings.
    Float,
    /// `true` or `false`.
    Bool,
    /// A text.
    Text,
    /// Bytes, in base64.
    Bytes,
    /// A value of an enum, by its name.
    Enum {
        /// Full name of the enum.
        type_name: String,
        /// Its values in the order of the .proto file. All fields of a form share those of one enum.
        values: Arc<[EnumChoice]>,
    },
    /// A message with a form of its own: see [`fields`].
    Message {
        /// Full name of the message.
        type_name: String,
    },
    /// A message with a JSON form of its own.
    WellKnown(WellKnown),
    /// A wrapper (`google.protobuf.Int32Value`, ...): the value itself, or `null`.
    Wrapper(Box<Control>),
}

/// A value of an enum to choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnumChoice {
    /// The name, which JSON has.
    pub name: String,
    /// The number on the wire.
    pub number: i32,
    /// The comment of the .proto file.
    pub comment: String,
    /// Whether it is marked as deprecated.
    pub is_deprecated: bool,
}

/// A JSON text with every field of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// The text. A message inside of itself is left out. Of each oneof it has the first member that is not.
    pub json: String,
    /// The other members of the oneofs in the text.
    pub alternatives: Vec<Alternative>,
}

/// A member of a oneof that a template does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alternative {
    /// The place that the value would have in the text.
    pub path: Path,
    /// Name of the oneof.
    pub oneof: String,
    /// The JSON name of the member that the text has.
    pub instead_of: String,
    /// The JSON text of a value.
    pub default_json: String,
}

/// The fields of a message, in the order of the .proto file. The fields of messages inside are asked for by their names, so that recursive
/// types end.
pub fn fields(message: Message<'_>) -> Vec<FormField> {
    let mut choices = Choices::new();
    message.fields().map(|field| form_field(field, &mut choices)).collect()
}

/// A text to start a request from. [`crate::encode`] takes it.
pub fn template(message: Message<'_>) -> Template {
    template::Writer::default().finish(message)
}

/// The values of enums by their full names.
type Choices<'a> = BTreeMap<&'a str, Arc<[EnumChoice]>>;

fn form_field<'a>(field: Field<'a>, choices: &mut Choices<'a>) -> FormField {
    let (key, value) = match field.map_entry() {
        Some((key, value)) => (Some(control(key.kind(), choices)), value),
        None => (None, field),
    };
    FormField {
        json_name: field.json_name().to_owned(),
        name: field.name().to_owned(),
        number: field.number(),
        comment: field.comment().to_owned(),
        shape: field.shape(),
        control: control(value.kind(), choices),
        key,
        oneof: field.oneof().map(|oneof| oneof.name().to_owned()),
        default_json: default::json(value),
        has_presence: field.has_presence(),
        is_required: field.is_required(),
        is_deprecated: field.is_deprecated(),
    }
}

fn control<'a>(kind: Kind<'a>, choices: &mut Choices<'a>) -> Control {
    if let Some((min, max)) = range(kind) {
        let is_64_bit = min == i64::MIN || max > u32::MAX.into();
        return Control::Integer { min, max, is_string: is_64_bit };
    }
    match kind {
        FieldKind::Bool => Control::Bool,
        FieldKind::String => Control::Text,
        FieldKind::Bytes => Control::Bytes,
        FieldKind::Enum(descriptor) => Control::Enum {
            type_name: descriptor.full_name().to_owned(),
            values: choices
                .entry(descriptor.full_name())
                .or_insert_with(|| descriptor.values().map(choice).collect())
                .clone(),
        },
        FieldKind::Message(message) => match Special::of(message.full_name()) {
            Some(Special::Form(form)) => Control::WellKnown(form),
            Some(Special::Wrapper(kind)) => {
                let kind = kind.map(|never| match never {}, |never| match never {});
                Control::Wrapper(Box::new(control(kind, choices)))
            }
            None => Control::Message { type_name: message.full_name().to_owned() },
        },
        _ => Control::Float,
    }
}

fn choice(value: EnumValue<'_>) -> EnumChoice {
    EnumChoice {
        name: value.name().to_owned(),
        number: value.number(),
        comment: value.comment().to_owned(),
        is_deprecated: value.is_deprecated(),
    }
}
