//! The fields of a message as a form shows them, and a JSON text with every field to start from.
//!
//! A form is kept in step with a JSON text by [`crate::json_text`]: each field has its step of a path, by which its value is read and set.

use crate::descriptor::Shape;
use crate::json_text::{Path, Step};
use crate::pool::Message;

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
    /// How many values it has.
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
        /// Its values in the order of the .proto file.
        values: Vec<EnumChoice>,
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

/// Messages of `google.protobuf` with a JSON form of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WellKnown {
    /// An object with `@type` and the fields of that message.
    Any,
    /// A string, `"2026-11-27T10:00:00Z"`.
    Timestamp,
    /// A string, `"1.5s"`.
    Duration,
    /// A string, `"name,author.id"`.
    FieldMask,
    /// An object with any members.
    Struct,
    /// Any JSON value.
    Value,
    /// A list of any JSON values.
    ListValue,
    /// `{}`.
    Empty,
}

/// A JSON text with every field of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// The text. Of each oneof it has the first member; a message inside of itself is left out.
    pub json: String,
    /// The other members of the oneofs in the text.
    pub alternatives: Vec<Alternative>,
}

/// A member of a oneof that a template does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alternative {
    /// Where the value would stand in the text.
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
    let _ = message;
    Vec::new()
}

/// A text to start a request from.
pub fn template(message: Message<'_>) -> Template {
    let _ = message;
    Template { json: "{}".to_owned(), alternatives: Vec::new() }
}
