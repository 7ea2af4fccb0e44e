//! Reads `google.protobuf.FileDescriptorProto` and its parts, as far as a pool needs them. Knows no links between files.
//!
//! It is written by hand: prost-types 0.14 drops features and editions, without which a field's presence and encoding are unknown.

use super::comments::Comments;
use super::error::PoolErrorKind;
use super::features::FeatureSet;
use super::fields::{Fields, Parsed, text};
use crate::wire::{Slice, WireValue};

/// Messages, fields, enum values and methods that a pool takes, all together.
pub const MAX_ELEMENTS: usize = 500_000;

/// Messages that may be declared in each other. protoc allows 32.
pub(super) const MAX_NESTED_TYPES: usize = 64;

#[derive(Default)]
pub(super) struct FileProto<'a> {
    pub(super) name: &'a str,
    pub(super) package: &'a str,
    pub(super) dependencies: Vec<&'a str>,
    pub(super) syntax: &'a str,
    pub(super) edition: i32,
    pub(super) features: FeatureSet,
    pub(super) messages: Vec<MessageProto<'a>>,
    pub(super) enums: Vec<EnumProto<'a>>,
    pub(super) services: Vec<ServiceProto<'a>>,
    pub(super) extensions: Vec<FieldProto<'a>>,
    pub(super) comments: Comments<'a>,
}

#[derive(Default)]
pub(super) struct MessageProto<'a> {
    pub(super) name: &'a str,
    pub(super) fields: Vec<FieldProto<'a>>,
    pub(super) messages: Vec<MessageProto<'a>>,
    pub(super) enums: Vec<EnumProto<'a>>,
    pub(super) extensions: Vec<FieldProto<'a>>,
    /// Names and features.
    pub(super) oneofs: Vec<(&'a str, FeatureSet)>,
    pub(super) is_map_entry: bool,
    pub(super) is_deprecated: bool,
    pub(super) features: FeatureSet,
}

#[derive(Default)]
pub(super) struct FieldProto<'a> {
    pub(super) name: &'a str,
    pub(super) extendee: &'a str,
    pub(super) number: i64,
    pub(super) label: i32,
    pub(super) type_number: i32,
    pub(super) type_name: &'a str,
    pub(super) default: Option<&'a str>,
    pub(super) oneof: Option<i32>,
    pub(super) json_name: Option<&'a str>,
    pub(super) is_proto3_optional: bool,
    pub(super) packed: Option<bool>,
    pub(super) is_deprecated: bool,
    pub(super) features: FeatureSet,
}

#[derive(Default)]
pub(super) struct EnumProto<'a> {
    pub(super) name: &'a str,
    pub(super) values: Vec<EnumValueProto<'a>>,
    pub(super) is_deprecated: bool,
    pub(super) features: FeatureSet,
}

#[derive(Default)]
pub(super) struct EnumValueProto<'a> {
    pub(super) name: &'a str,
    pub(super) number: i32,
    pub(super) is_deprecated: bool,
}

#[derive(Default)]
pub(super) struct ServiceProto<'a> {
    pub(super) name: &'a str,
    pub(super) methods: Vec<MethodProto<'a>>,
    pub(super) is_deprecated: bool,
}

#[derive(Default)]
pub(super) struct MethodProto<'a> {
    pub(super) name: &'a str,
    pub(super) request: &'a str,
    pub(super) response: &'a str,
    pub(super) is_client_streaming: bool,
    pub(super) is_server_streaming: bool,
    pub(super) idempotency: u64,
    pub(super) is_deprecated: bool,
}

/// The files of a `google.protobuf.FileDescriptorSet`.
pub(super) fn files_of_set(bytes: &[u8]) -> Parsed<Vec<Slice<'_>>> {
    let mut files = Vec::new();
    for field in Fields::of(Slice { bytes, offset: 0 }) {
        if let (1, WireValue::Bytes(file)) = field? {
            files.push(file);
        }
    }
    Ok(files)
}

/// Reads descriptors, and counts their elements.
#[derive(Default)]
pub(super) struct Reader {
    elements: usize,
}

impl Reader {
    pub(super) fn file<'a>(&mut self, slice: Slice<'a>) -> Parsed<FileProto<'a>> {
        let mut file = FileProto::default();
        for field in Fields::of(slice) {
            match field? {
                (1, WireValue::Bytes(name)) => file.name = text(name)?,
                (2, WireValue::Bytes(package)) => file.package = text(package)?,
                (3, WireValue::Bytes(name)) => file.dependencies.push(text(name)?),
                (4, WireValue::Bytes(message)) => file.messages.push(self.message(message, 0)?),
                (5, WireValue::Bytes(slice)) => file.enums.push(self.enum_type(slice)?),
                (6, WireValue::Bytes(service)) => file.services.push(self.service(service)?),
                (7, WireValue::Bytes(field)) => file.extensions.push(self.field(field)?),
                (8, WireValue::Bytes(options)) => {
                    Options { features: 50, ..Options::NONE }.read(options, &mut file.features)?;
                }
                (9, WireValue::Bytes(info)) => file.comments.read(info)?,
                (12, WireValue::Bytes(syntax)) => file.syntax = text(syntax)?,
                (14, WireValue::Varint(edition)) => file.edition = edition as i32,
                _ => {}
            }
        }
        Ok(file)
    }

    fn message<'a>(&mut self, slice: Slice<'a>, depth: usize) -> Parsed<MessageProto<'a>> {
        self.count()?;
        if depth == MAX_NESTED_TYPES {
            return Err(PoolErrorKind::TooDeep(MAX_NESTED_TYPES));
        }
        let mut message = MessageProto::default();
        for field in Fields::of(slice) {
            match field? {
                (1, WireValue::Bytes(name)) => message.name = text(name)?,
                (2, WireValue::Bytes(field)) => message.fields.push(self.field(field)?),
                (3, WireValue::Bytes(inner)) => message.messages.push(self.message(inner, depth + 1)?),
                (4, WireValue::Bytes(slice)) => message.enums.push(self.enum_type(slice)?),
                (6, WireValue::Bytes(field)) => message.extensions.push(self.field(field)?),
                (7, WireValue::Bytes(options)) => {
                    let numbers = Options { features: 12, deprecated: 3, flag: 7, number: 0 };
                    let found = numbers.read(options, &mut message.features)?;
                    message.is_deprecated |= found.is_deprecated;
                    message.is_map_entry |= found.flag == Some(true);
                }
                (8, WireValue::Bytes(slice)) => message.oneofs.push(self.oneof(slice)?),
                _ => {}
            }
        }
        Ok(message)
    }

    fn oneof<'a>(&mut self, slice: Slice<'a>) -> Parsed<(&'a str, FeatureSet)> {
        self.count()?;
        let mut oneof = ("", FeatureSet::default());
        for field in Fields::of(slice) {
            match field? {
                (1, WireValue::Bytes(name)) => oneof.0 = text(name)?,
                (2, WireValue::Bytes(options)) => {
                    Options { features: 1, ..Options::NONE }.read(options, &mut oneof.1)?;
                }
                _ => {}
            }
        }
        Ok(oneof)
    }

    fn field<'a>(&mut self, slice: Slice<'a>) -> Parsed<FieldProto<'a>> {
        self.count()?;
        let mut proto = FieldProto::default();
        for field in Fields::of(slice) {
            match field? {
                (1, WireValue::Bytes(name)) => proto.name = text(name)?,
                (2, WireValue::Bytes(name)) => proto.extendee = text(name)?,
                (3, WireValue::Varint(number)) => proto.number = number as i64,
                (4, WireValue::Varint(label)) => proto.label = label as i32,
                (5, WireValue::Varint(number)) => proto.type_number = number as i32,
                (6, WireValue::Bytes(name)) => proto.type_name = text(name)?,
                (7, WireValue::Bytes(default)) => proto.default = Some(text(default)?),
                (8, WireValue::Bytes(options)) => {
                    let numbers = Options { features: 21, deprecated: 3, flag: 2, number: 0 };
                    let found = numbers.read(options, &mut proto.features)?;
                    proto.is_deprecated |= found.is_deprecated;
                    proto.packed = found.flag.or(proto.packed);
                }
                (9, WireValue::Varint(index)) => proto.oneof = Some(index as i32),
                (10, WireValue::Bytes(name)) => proto.json_name = Some(text(name)?),
                (17, WireValue::Varint(flag)) => proto.is_proto3_optional = flag != 0,
                _ => {}
            }
        }
        Ok(proto)
    }

    fn enum_type<'a>(&mut self, slice: Slice<'a>) -> Parsed<EnumProto<'a>> {
        self.count()?;
        let mut proto = EnumProto::default();
        for field in Fields::of(slice) {
            match field? {
                (1, WireValue::Bytes(name)) => proto.name = text(name)?,
                (2, WireValue::Bytes(value)) => proto.values.push(self.enum_value(value)?),
                (3, WireValue::Bytes(options)) => {
                    let numbers = Options { features: 7, deprecated: 3, ..Options::NONE };
                    proto.is_deprecated |= numbers.read(options, &mut proto.features)?.is_deprecated;
                }
                _ => {}
            }
        }
        Ok(proto)
    }

    fn enum_value<'a>(&mut self, slice: Slice<'a>) -> Parsed<EnumValueProto<'a>> {
        self.count()?;
        let mut value = EnumValueProto::default();
        for field in Fields::of(slice) {
            match field? {
                (1, WireValue::Bytes(name)) => value.name = text(name)?,
                (2, WireValue::Varint(number)) => value.number = number as i32,
                (3, WireValue::Bytes(options)) => {
                    let numbers = Options { deprecated: 1, ..Options::NONE };
                    value.is_deprecated |= numbers.read(options, &mut FeatureSet::default())?.is_deprecated;
                }
                _ => {}
            }
        }
        Ok(value)
    }

    fn service<'a>(&mut self, slice: Slice<'a>) -> Parsed<ServiceProto<'a>> {
        self.count()?;
        let mut service = ServiceProto::default();
        for field in Fields::of(slice) {
            match field? {
                (1, WireValue::Bytes(name)) => service.name = text(name)?,
                (2, WireValue::Bytes(method)) => service.methods.push(self.method(method)?),
                (3, WireValue::Bytes(options)) => {
                    let numbers = Options { deprecated: 33, ..Options::NONE };
                    service.is_deprecated |= numbers.read(options, &mut FeatureSet::default())?.is_deprecated;
                }
                _ => {}
            }
        }
        Ok(service)
    }

    fn method<'a>(&mut self, slice: Slice<'a>) -> Parsed<MethodProto<'a>> {
        self.count()?;
        let mut method = MethodProto::default();
        for field in Fields::of(slice) {
            match field? {
                (1, WireValue::Bytes(name)) => method.name = text(name)?,
                (2, WireValue::Bytes(name)) => method.request = text(name)?,
                (3, WireValue::Bytes(name)) => method.response = text(name)?,
                (4, WireValue::Bytes(options)) => {
                    let numbers = Options { deprecated: 33, number: 34, ..Options::NONE };
                    let found = numbers.read(options, &mut FeatureSet::default())?;
                    method.is_deprecated |= found.is_deprecated;
                    method.idempotency = found.number;
                }
                (5, WireValue::Varint(flag)) => method.is_client_streaming = flag != 0,
                (6, WireValue::Varint(flag)) => method.is_server_streaming = flag != 0,
                _ => {}
            }
        }
        Ok(method)
    }

    fn count(&mut self) -> Parsed<()> {
        self.elements += 1;
        match self.elements {
            MAX_ELEMENTS.. => Err(PoolErrorKind::TooManyElements(MAX_ELEMENTS)),
            _ => Ok(()),
        }
    }
}

/// The numbers of the options that are read; 0 where there is no such option.
struct Options {
    features: u32,
    deprecated: u32,
    flag: u32,
    number: u32,
}

#[derive(Default)]
struct Found {
    is_deprecated: bool,
    flag: Option<bool>,
    number: u64,
}

impl Options {
    const NONE: Options = Options { features: 0, deprecated: 0, flag: 0, number: 0 };

    fn read(&self, slice: Slice<'_>, features: &mut FeatureSet) -> Parsed<Found> {
        let mut found = Found::default();
        for field in Fields::of(slice) {
            match field? {
                (number, WireValue::Bytes(set)) if number == self.features => features.read(set)?,
                (number, WireValue::Varint(value)) if number == self.deprecated => {
                    found.is_deprecated = value != 0;
                }
                (number, WireValue::Varint(value)) if number == self.flag => found.flag = Some(value != 0),
                (number, WireValue::Varint(value)) if number == self.number => found.number = value,
                _ => {}
            }
        }
        Ok(found)
    }
}
