//! The content of a [`super::Pool`]: linked elements in vectors, which refer to each other by index. Knows no bytes.

use std::collections::BTreeMap;

use grpc_wire::method::{Idempotency, MethodKind};

use crate::descriptor::{FieldKind, Shape};

/// An element that has a full name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Symbol {
    Message(u32),
    Enum(u32),
    Service(u32),
    Extension(u32),
}

/// Everything in a pool.
#[derive(Debug, Default)]
pub(crate) struct Data {
    pub(crate) files: Vec<Box<str>>,
    pub(crate) messages: Vec<MessageData>,
    pub(crate) fields: Vec<FieldData>,
    pub(crate) enums: Vec<EnumData>,
    pub(crate) services: Vec<ServiceData>,
    /// By full name.
    pub(crate) symbols: BTreeMap<Box<str>, Symbol>,
    /// Indices of fields, by the extended message and the number.
    pub(crate) extensions: BTreeMap<(u32, u32), u32>,
}

/// The parts that every named element has.
#[derive(Debug, Default)]
pub(crate) struct Common {
    pub(crate) full_name: Box<str>,
    /// Index of the file.
    pub(crate) file: u32,
    pub(crate) comment: Box<str>,
    pub(crate) is_deprecated: bool,
}

#[derive(Debug)]
pub(crate) struct MessageData {
    pub(crate) common: Common,
    /// Indices of the fields, in the order of the .proto file.
    pub(crate) fields: Vec<u32>,
    /// The same by ascending number.
    pub(crate) by_number: Vec<u32>,
    /// The same by name.
    pub(crate) by_name: Vec<u32>,
    /// The same by their names in JSON. Of equal names the first counts.
    pub(crate) by_json_name: Vec<u32>,
    pub(crate) oneofs: Vec<OneofData>,
    pub(crate) is_map_entry: bool,
}

#[derive(Debug)]
pub(crate) struct OneofData {
    pub(crate) common: Common,
    pub(crate) fields: Vec<u32>,
    /// Whether the compiler made it for an `optional` field of proto3.
    pub(crate) is_synthetic: bool,
}

#[derive(Debug)]
pub(crate) struct FieldData {
    pub(crate) common: Common,
    pub(crate) json_name: Box<str>,
    pub(crate) number: u32,
    pub(crate) shape: Shape,
    pub(crate) kind: FieldKind<u32, u32>,
    /// The message that has the field; of an extension the extended one.
    pub(crate) message: u32,
    /// Index among the oneofs of the message.
    pub(crate) oneof: Option<u32>,
    pub(crate) default: Option<Box<str>>,
    pub(crate) has_presence: bool,
    pub(crate) is_required: bool,
    pub(crate) is_packed: bool,
    pub(crate) is_delimited: bool,
    pub(crate) is_extension: bool,
    pub(crate) checks_utf8: bool,
}

#[derive(Debug)]
pub(crate) struct EnumData {
    pub(crate) common: Common,
    pub(crate) values: Vec<EnumValueData>,
    /// Positions of the values by number. Of equal numbers the first counts.
    pub(crate) by_number: Vec<u32>,
    /// Positions of the values by name.
    pub(crate) by_name: Vec<u32>,
    pub(crate) is_closed: bool,
}

#[derive(Debug)]
pub(crate) struct EnumValueData {
    pub(crate) name: Box<str>,
    pub(crate) number: i32,
    pub(crate) comment: Box<str>,
    pub(crate) is_deprecated: bool,
}

#[derive(Debug)]
pub(crate) struct ServiceData {
    pub(crate) common: Common,
    pub(crate) methods: Vec<MethodData>,
}

#[derive(Debug)]
pub(crate) struct MethodData {
    pub(crate) common: Common,
    pub(crate) kind: MethodKind,
    pub(crate) idempotency: Idempotency,
    pub(crate) request: u32,
    pub(crate) response: u32,
}
