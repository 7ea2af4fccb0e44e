//! Links one field: its type, its shape and what its features mean.

use std::cmp::Ordering;

use super::data::{Data, FieldData, Symbol};
use super::error::{PoolError, PoolErrorKind};
use super::features::FeatureSet;
use super::fields::Parsed;
use super::link::{Scope, resolve};
use super::proto::FieldProto;
use crate::descriptor::{FieldKind, Shape};

/// The greatest number of a field.
const MAX_FIELD_NUMBER: i64 = (1 << 29) - 1;

/// `FieldDescriptorProto.Label`
const LABEL_REQUIRED: i32 = 2;
const LABEL_REPEATED: i32 = 3;

/// `FieldDescriptorProto.Type.TYPE_GROUP`
const TYPE_GROUP: i32 = 10;

/// A field with the elements around it.
pub(super) struct FieldContext<'a> {
    pub(super) scope: &'a Scope<'a>,
    /// The last two numbers of its path.
    pub(super) numbers: [u32; 2],
    pub(super) proto: &'a FieldProto<'a>,
    /// The message that has the field.
    pub(super) message: u32,
    pub(super) oneofs: &'a [(&'a str, FeatureSet)],
}

pub(super) fn field(data: &Data, context: &FieldContext<'_>, full_name: &str) -> Parsed<FieldData> {
    let FieldContext { scope, proto, .. } = *context;
    if !(1..=MAX_FIELD_NUMBER).contains(&proto.number) {
        return Err(PoolErrorKind::InvalidFieldNumber(proto.number));
    }
    let is_extension = !proto.extendee.is_empty();
    let oneof = oneof(context)?;
    let outer = oneof.map_or(scope.features, |index| scope.features.with(context.oneofs[index as usize].1));
    let features = outer.with(proto.features);
    let kind = kind(data, context)?;
    let shape = shape(data, proto, kind);
    let is_message = matches!(kind, FieldKind::Message(_));
    let is_entry = data.messages[context.message as usize].is_map_entry;
    let is_number = !matches!(kind, FieldKind::Message(_) | FieldKind::String | FieldKind::Bytes);
    let has_presence = is_message
        || oneof.is_some()
        || is_extension
        || !features.has_implicit_presence()
        || proto.is_proto3_optional;
    Ok(FieldData {
        common: scope.common(full_name, context.numbers, proto.is_deprecated),
        json_name: match (is_extension, proto.json_name) {
            (true, _) => ["[", full_name, "]"].concat().into(),
            (false, Some(name)) => name.into(),
            (false, None) => lower_camel_case(proto.name).into(),
        },
        number: proto.number as u32,
        shape,
        kind,
        message: context.message,
        oneof,
        default: proto.default.map(Into::into),
        has_presence: shape == Shape::Single && has_presence,
        is_required: proto.label == LABEL_REQUIRED || (shape == Shape::Single && features.is_required()),
        is_packed: shape == Shape::Repeated && is_number && proto.packed.unwrap_or(features.is_packed()),
        is_delimited: proto.type_number == TYPE_GROUP
            || (is_message && features.is_delimited() && shape != Shape::Map && !is_entry),
        is_extension,
        checks_utf8: features.checks_utf8(),
    })
}

/// Index of the field's oneof in its message.
fn oneof(context: &FieldContext<'_>) -> Parsed<Option<u32>> {
    let Some(index) = context.proto.oneof.filter(|_| context.proto.extendee.is_empty()) else {
        return Ok(None);
    };
    match u32::try_from(index) {
        Ok(position) if (position as usize) < context.oneofs.len() => Ok(Some(position)),
        _ => Err(PoolErrorKind::UnknownOneof(index)),
    }
}

fn shape(data: &Data, proto: &FieldProto<'_>, kind: FieldKind<u32, u32>) -> Shape {
    match kind {
        _ if proto.label != LABEL_REPEATED => Shape::Single,
        FieldKind::Message(index) if data.messages[index as usize].is_map_entry => Shape::Map,
        _ => Shape::Repeated,
    }
}

fn kind(data: &Data, context: &FieldContext<'_>) -> Parsed<FieldKind<u32, u32>> {
    let proto = context.proto;
    Ok(match proto.type_number {
        1 => FieldKind::Double,
        2 => FieldKind::Float,
        3 => FieldKind::Int64,
        4 => FieldKind::Uint64,
        5 => FieldKind::Int32,
        6 => FieldKind::Fixed64,
        7 => FieldKind::Fixed32,
        8 => FieldKind::Bool,
        9 => FieldKind::String,
        12 => FieldKind::Bytes,
        13 => FieldKind::Uint32,
        15 => FieldKind::Sfixed32,
        16 => FieldKind::Sfixed64,
        17 => FieldKind::Sint32,
        18 => FieldKind::Sint64,
        // A descriptor may leave the number out, since the name tells it.
        0 | TYPE_GROUP | 11 | 14 => match (resolve(data, context.scope, proto.type_name)?, proto.type_number)
        {
            (Symbol::Message(index), 0 | TYPE_GROUP | 11) => FieldKind::Message(index),
            (Symbol::Enum(index), 0 | 14) => FieldKind::Enum(index),
            _ => return Err(PoolErrorKind::WrongType(proto.type_name.to_owned())),
        },
        other => return Err(PoolErrorKind::UnknownTypeNumber(other)),
    })
}

/// Sorts the fields of a message and checks what concerns them together.
pub(super) fn finish_message(data: &mut Data, scope: &Scope<'_>, index: u32) -> Result<(), PoolError> {
    let message = &data.messages[index as usize];
    let field = |position: u32| &data.fields[position as usize];
    let by_number = sorted(&message.fields, &|a, b| field(a).number.cmp(&field(b).number));
    if let Some(pair) = by_number.windows(2).find(|pair| field(pair[0]).number == field(pair[1]).number) {
        let FieldData { common, number, .. } = field(pair[1]);
        return Err(scope.error(&common.full_name, PoolErrorKind::DuplicateFieldNumber(*number)));
    }
    let name = |position: u32| &*field(position).common.full_name;
    let by_name = sorted(&message.fields, &|a, b| name(a).cmp(name(b)));
    if let Some(pair) = by_name.windows(2).find(|pair| name(pair[0]) == name(pair[1])) {
        return Err(scope.error(name(pair[0]), PoolErrorKind::DuplicateName));
    }
    let by_json_name = sorted(&message.fields, &|a, b| field(a).json_name.cmp(&field(b).json_name));
    if message.is_map_entry && !is_valid_entry(data, &by_number) {
        return Err(scope.error(&message.common.full_name, PoolErrorKind::InvalidMapEntry));
    }
    let message = &mut data.messages[index as usize];
    (message.by_number, message.by_name, message.by_json_name) = (by_number, by_name, by_json_name);
    Ok(())
}

/// Sorts positions and keeps the order of equal ones. The comparison is no parameter of the type, because each copy of the standard
/// library's sort weighs kilobytes.
pub(super) fn sorted(positions: &[u32], compare: &dyn Fn(u32, u32) -> Ordering) -> Vec<u32> {
    let mut sorted = positions.to_vec();
    sorted.sort_by(|a, b| compare(*a, *b));
    sorted
}

fn is_valid_entry(data: &Data, by_number: &[u32]) -> bool {
    let [key, value] = *by_number else { return false };
    let (key, value) = (&data.fields[key as usize], &data.fields[value as usize]);
    let is_key = !matches!(
        key.kind,
        FieldKind::Double | FieldKind::Float | FieldKind::Bytes | FieldKind::Message(_) | FieldKind::Enum(_)
    );
    let is_single = key.shape == Shape::Single && value.shape == Shape::Single;
    (key.number, value.number) == (1, 2) && is_key && is_single
}

/// The name in JSON of a field without one, as compilers make it.
fn lower_camel_case(name: &str) -> String {
    let mut json_name = String::with_capacity(name.len());
    let mut is_after_underscore = false;
    for letter in name.chars() {
        match letter {
            '_' => is_after_underscore = true,
            letter if is_after_underscore => {
                json_name.push(letter.to_ascii_uppercase());
                is_after_underscore = false;
            }
            letter => json_name.push(letter),
        }
    }
    json_name
}
