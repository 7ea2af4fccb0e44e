//! Messages of `google.protobuf` whose JSON has a form of its own, found by their names.
//!
//! Their fields are read by the numbers of the public contract, whatever a descriptor of the same name says.

use std::convert::Infallible;

use crate::descriptor::FieldKind;

/// Messages of `google.protobuf` with a JSON form of their own, other than the wrappers.
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
}

/// A message with a JSON form of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Special {
    Form(WellKnown),
    /// A scalar in a message, so that it can be absent.
    Wrapper(ScalarKind),
}

/// The type of a scalar that is no enum.
pub(crate) type ScalarKind = FieldKind<Infallible, Infallible>;

impl Special {
    /// The form of a message by its full name.
    pub(crate) fn of(full_name: &str) -> Option<Special> {
        let name = full_name.strip_prefix("google.protobuf.")?;
        Some(match name {
            "Any" => Special::Form(WellKnown::Any),
            "Timestamp" => Special::Form(WellKnown::Timestamp),
            "Duration" => Special::Form(WellKnown::Duration),
            "FieldMask" => Special::Form(WellKnown::FieldMask),
            "Struct" => Special::Form(WellKnown::Struct),
            "Value" => Special::Form(WellKnown::Value),
            "ListValue" => Special::Form(WellKnown::ListValue),
            "DoubleValue" => Special::Wrapper(FieldKind::Double),
            "FloatValue" => Special::Wrapper(FieldKind::Float),
            "Int64Value" => Special::Wrapper(FieldKind::Int64),
            "UInt64Value" => Special::Wrapper(FieldKind::Uint64),
            "Int32Value" => Special::Wrapper(FieldKind::Int32),
            "UInt32Value" => Special::Wrapper(FieldKind::Uint32),
            "BoolValue" => Special::Wrapper(FieldKind::Bool),
            "StringValue" => Special::Wrapper(FieldKind::String),
            "BytesValue" => Special::Wrapper(FieldKind::Bytes),
            _ => return None,
        })
    }
}

/// The enum whose only value is `null` in JSON.
pub(crate) fn is_null_value(full_name: &str) -> bool {
    full_name == "google.protobuf.NullValue"
}

/// The name of the message in the URL of an `Any`.
pub(crate) fn type_of_url(url: &str) -> Option<&str> {
    url.rsplit_once('/').map(|(_, name)| name).filter(|name| !name.is_empty())
}
