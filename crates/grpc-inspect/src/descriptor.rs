//! Types for static tables that describe messages.
//!
//! A code generator writes the tables as `static`s, so nothing is parsed or built at run time. They hold only what [`crate::json`]
//! needs of a `google.protobuf.DescriptorProto`.

/// A message type.
#[derive(Debug)]
pub struct MessageDescriptor {
    /// `package.Message`.
    pub name: &'static str,
    /// The fields, by ascending number.
    pub fields: &'static [FieldDescriptor],
}

/// A field of a message. A member of a `oneof` is described like any other field, because it looks the same on the wire and in JSON.
#[derive(Debug)]
pub struct FieldDescriptor {
    /// The number on the wire.
    pub number: u32,
    /// The name in Protocol Buffers' JSON.
    pub json_name: &'static str,
    /// How many values the field has.
    pub shape: Shape,
    /// The type of a value.
    pub kind: FieldKind,
}

/// How many values a field has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One. When it occurs repeatedly, the last occurrence counts, and messages are merged.
    Single,
    /// Any number. Numbers may be packed.
    Repeated,
    /// Any number of entries, each a message with the key in field 1 and the value in field 2.
    Map,
}

/// The type of a field's value, named as in the .proto language. `M` and `E` describe messages and enums: static tables here, and the
/// handles of a [`crate::pool::Pool`] there.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "named as the types of the .proto language")]
pub enum FieldKind<M = &'static MessageDescriptor, E = &'static EnumDescriptor> {
    Double,
    Float,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Sint64,
    Fixed32,
    Fixed64,
    Sfixed32,
    Sfixed64,
    Bool,
    String,
    Bytes,
    Enum(E),
    Message(M),
}

impl<M, E> FieldKind<M, E> {
    /// The same kind with other descriptions of messages and enums.
    pub(crate) fn map<N, F>(
        self,
        message: impl FnOnce(M) -> N,
        of_enum: impl FnOnce(E) -> F,
    ) -> FieldKind<N, F> {
        match self {
            FieldKind::Double => FieldKind::Double,
            FieldKind::Float => FieldKind::Float,
            FieldKind::Int32 => FieldKind::Int32,
            FieldKind::Int64 => FieldKind::Int64,
            FieldKind::Uint32 => FieldKind::Uint32,
            FieldKind::Uint64 => FieldKind::Uint64,
            FieldKind::Sint32 => FieldKind::Sint32,
            FieldKind::Sint64 => FieldKind::Sint64,
            FieldKind::Fixed32 => FieldKind::Fixed32,
            FieldKind::Fixed64 => FieldKind::Fixed64,
            FieldKind::Sfixed32 => FieldKind::Sfixed32,
            FieldKind::Sfixed64 => FieldKind::Sfixed64,
            FieldKind::Bool => FieldKind::Bool,
            FieldKind::String => FieldKind::String,
            FieldKind::Bytes => FieldKind::Bytes,
            FieldKind::Enum(descriptor) => FieldKind::Enum(of_enum(descriptor)),
            FieldKind::Message(descriptor) => FieldKind::Message(message(descriptor)),
        }
    }
}

/// An enum type.
#[derive(Debug)]
pub struct EnumDescriptor {
    /// `package.Enum`.
    pub name: &'static str,
    /// Number and name of every value, in the order of the .proto file.
    pub values: &'static [(i32, &'static str)],
}
