//! Messages, fields, oneofs and enums of a pool, as a reader sees them.

use std::fmt;

use super::data::{Data, EnumData, EnumValueData, FieldData, MessageData, OneofData};
use crate::descriptor::{FieldKind, Shape};

/// The type of a field's value in a pool.
pub type Kind<'a> = FieldKind<Message<'a>, Enum<'a>>;

/// A message type.
#[derive(Clone, Copy)]
pub struct Message<'a> {
    pool: &'a Data,
    index: u32,
}

impl<'a> Message<'a> {
    pub(crate) fn new(pool: &'a Data, index: u32) -> Message<'a> {
        Message { pool, index }
    }

    /// `package.Message`, with the names of the messages around it: `package.Outer.Inner`.
    pub fn full_name(self) -> &'a str {
        &self.data().common.full_name
    }

    /// The last part of the full name.
    pub fn name(self) -> &'a str {
        last_part(self.full_name())
    }

    /// Name of the .proto file.
    pub fn file(self) -> &'a str {
        &self.pool.files[self.data().common.file as usize]
    }

    /// The comment before it in the .proto file, else the one behind it; empty without one.
    pub fn comment(self) -> &'a str {
        &self.data().common.comment
    }

    /// Whether it is marked as deprecated.
    pub fn is_deprecated(self) -> bool {
        self.data().common.is_deprecated
    }

    /// Whether it is the entry of a map: a key in field 1 and a value in field 2.
    pub fn is_map_entry(self) -> bool {
        self.data().is_map_entry
    }

    /// The fields in the order of the .proto file, without extensions.
    pub fn fields(self) -> impl ExactSizeIterator<Item = Field<'a>> + DoubleEndedIterator {
        self.data().fields.iter().map(move |index| Field::new(self.pool, *index))
    }

    /// The oneofs of the .proto file. Those that a compiler makes for `optional` fields are left out.
    pub fn oneofs(self) -> impl Iterator<Item = Oneof<'a>> {
        let all = (0..self.data().oneofs.len()).map(move |index| Oneof { message: self, index });
        all.filter(|oneof| !oneof.data().is_synthetic)
    }

    /// The extensions of this message in the pool, by ascending number.
    pub fn extensions(self) -> impl Iterator<Item = Field<'a>> {
        let of_message = self.pool.extensions.range((self.index, 0)..=(self.index, u32::MAX));
        of_message.map(move |(_, index)| Field::new(self.pool, *index))
    }

    /// The field or extension with this number.
    pub fn field_by_number(self, number: u32) -> Option<Field<'a>> {
        self.own_field(number).or_else(|| {
            let index = self.pool.extensions.get(&(self.index, number))?;
            Some(Field::new(self.pool, *index))
        })
    }

    /// The field with this number that is no extension.
    pub(super) fn own_field(self, number: u32) -> Option<Field<'a>> {
        let fields = &self.data().by_number;
        let position = fields.binary_search_by_key(&number, |index| self.pool.fields[*index as usize].number);
        position.ok().map(|position| Field::new(self.pool, fields[position]))
    }

    /// The field of this name, either the .proto file's or JSON's. An extension is `[package.name]`.
    pub fn field_by_name(self, name: &str) -> Option<Field<'a>> {
        if let Some(extension) = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
            return self.pool.extension(extension).filter(|field| field.data().message == self.index);
        }
        let find = |fields: &'a [u32], name_of: fn(Field<'a>) -> &'a str| {
            let position = fields.partition_point(|index| name_of(Field::new(self.pool, *index)) < name);
            let field = Field::new(self.pool, *fields.get(position)?);
            (name_of(field) == name).then_some(field)
        };
        find(&self.data().by_json_name, Field::json_name).or_else(|| find(&self.data().by_name, Field::name))
    }

    /// Another message of the same pool.
    pub(crate) fn sibling(self, full_name: &str) -> Option<Message<'a>> {
        self.pool.message(full_name)
    }

    pub(crate) fn data(self) -> &'a MessageData {
        &self.pool.messages[self.index as usize]
    }
}

impl PartialEq for Message<'_> {
    /// Whether both are the same type of the same pool.
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.pool, other.pool) && self.index == other.index
    }
}

impl Eq for Message<'_> {}

impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message({})", self.full_name())
    }
}

/// A field of a message, or an extension.
#[derive(Clone, Copy)]
pub struct Field<'a> {
    pool: &'a Data,
    index: u32,
}

impl<'a> Field<'a> {
    pub(crate) fn new(pool: &'a Data, index: u32) -> Field<'a> {
        Field { pool, index }
    }

    /// The name in the .proto file.
    pub fn name(self) -> &'a str {
        last_part(self.full_name())
    }

    /// `package.Message.field`; of an extension, the name with the scope that declares it.
    pub fn full_name(self) -> &'a str {
        &self.data().common.full_name
    }

    /// The name in JSON; `[package.name]` of an extension.
    pub fn json_name(self) -> &'a str {
        &self.data().json_name
    }

    /// The number on the wire.
    pub fn number(self) -> u32 {
        self.data().number
    }

    /// One value, a list or a map.
    pub fn shape(self) -> Shape {
        self.data().shape
    }

    /// The type of a value. A map's is the message of its entries; see [`Field::map_entry`].
    pub fn kind(self) -> Kind<'a> {
        let pool = self.pool;
        self.data().kind.map(|index| Message::new(pool, index), |index| Enum::new(pool, index))
    }

    /// The fields of key and value, where the field is a map.
    pub fn map_entry(self) -> Option<(Field<'a>, Field<'a>)> {
        match (self.shape(), self.kind()) {
            (Shape::Map, FieldKind::Message(entry)) => {
                Some((entry.field_by_number(1)?, entry.field_by_number(2)?))
            }
            _ => None,
        }
    }

    /// The message that has the field; of an extension the extended one.
    pub fn message(self) -> Message<'a> {
        Message::new(self.pool, self.data().message)
    }

    /// The oneof of the .proto file that it belongs to.
    pub fn oneof(self) -> Option<Oneof<'a>> {
        let oneof = Oneof { message: self.message(), index: self.data().oneof? as usize };
        (!oneof.data().is_synthetic).then_some(oneof)
    }

    /// The default of the .proto file, in its notation. Of a field of bytes it has escapes, as in C.
    pub fn default_text(self) -> Option<&'a str> {
        self.data().default.as_deref()
    }

    /// The comment before it in the .proto file, else the one behind it; empty without one.
    pub fn comment(self) -> &'a str {
        &self.data().common.comment
    }

    /// Whether it is marked as deprecated.
    pub fn is_deprecated(self) -> bool {
        self.data().common.is_deprecated
    }

    /// Whether an absent value differs from the default one. Lists and maps have none.
    pub fn has_presence(self) -> bool {
        self.data().has_presence
    }

    /// Whether a message without it is invalid (`required` of proto2).
    pub fn is_required(self) -> bool {
        self.data().is_required
    }

    /// Whether a list is written in one piece. Both forms are read.
    pub fn is_packed(self) -> bool {
        self.data().is_packed
    }

    /// Whether its messages stand between two tags, as groups of proto2 do, and not behind their length.
    pub fn is_delimited(self) -> bool {
        self.data().is_delimited
    }

    /// Whether a string that is not UTF-8 makes its message invalid.
    pub fn checks_utf8(self) -> bool {
        self.data().checks_utf8
    }

    /// Whether it is an extension.
    pub fn is_extension(self) -> bool {
        self.data().is_extension
    }

    /// Position among all fields of the pool. Fields of one message have the order of the .proto file.
    pub(crate) fn position(self) -> u32 {
        self.index
    }

    pub(crate) fn data(self) -> &'a FieldData {
        &self.pool.fields[self.index as usize]
    }
}

impl PartialEq for Field<'_> {
    /// Whether both are the same field of the same pool.
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.pool, other.pool) && self.index == other.index
    }
}

impl Eq for Field<'_> {}

impl fmt::Debug for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Field({})", self.full_name())
    }
}

/// A oneof of a message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Oneof<'a> {
    message: Message<'a>,
    index: usize,
}

impl<'a> Oneof<'a> {
    /// The name in the .proto file.
    pub fn name(self) -> &'a str {
        last_part(&self.data().common.full_name)
    }

    /// The comment before it in the .proto file, else the one behind it; empty without one.
    pub fn comment(self) -> &'a str {
        &self.data().common.comment
    }

    /// Its members, in the order of the .proto file.
    pub fn fields(self) -> impl Iterator<Item = Field<'a>> {
        self.data().fields.iter().map(move |index| Field::new(self.message.pool, *index))
    }

    fn data(self) -> &'a OneofData {
        &self.message.data().oneofs[self.index]
    }
}

impl fmt::Debug for Oneof<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Oneof({})", self.data().common.full_name)
    }
}

/// An enum type.
#[derive(Clone, Copy)]
pub struct Enum<'a> {
    pool: &'a Data,
    index: u32,
}

impl<'a> Enum<'a> {
    pub(crate) fn new(pool: &'a Data, index: u32) -> Enum<'a> {
        Enum { pool, index }
    }

    /// `package.Enum`, with the names of the messages around it.
    pub fn full_name(self) -> &'a str {
        &self.data().common.full_name
    }

    /// The last part of the full name.
    pub fn name(self) -> &'a str {
        last_part(self.full_name())
    }

    /// The comment before it in the .proto file, else the one behind it; empty without one.
    pub fn comment(self) -> &'a str {
        &self.data().common.comment
    }

    /// Whether it is marked as deprecated.
    pub fn is_deprecated(self) -> bool {
        self.data().common.is_deprecated
    }

    /// Whether numbers without a name are unknown fields, as in proto2, and not values.
    pub fn is_closed(self) -> bool {
        self.data().is_closed
    }

    /// The values in the order of the .proto file. Several may have one number; the first of them is the one that JSON has.
    pub fn values(self) -> impl ExactSizeIterator<Item = EnumValue<'a>> {
        self.data().values.iter().map(|data| EnumValue { data })
    }

    /// The first value with this number.
    pub fn value_by_number(self, number: i32) -> Option<EnumValue<'a>> {
        let EnumData { values, by_number, .. } = self.data();
        let position = by_number.partition_point(|position| values[*position as usize].number < number);
        let data = &values[*by_number.get(position)? as usize];
        (data.number == number).then_some(EnumValue { data })
    }

    /// The value of this name.
    pub fn value_by_name(self, name: &str) -> Option<EnumValue<'a>> {
        let EnumData { values, by_name, .. } = self.data();
        let position =
            by_name.binary_search_by(|position| (*values[*position as usize].name).cmp(name)).ok()?;
        Some(EnumValue { data: &values[by_name[position] as usize] })
    }

    fn data(self) -> &'a EnumData {
        &self.pool.enums[self.index as usize]
    }
}

impl fmt::Debug for Enum<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Enum({})", self.full_name())
    }
}

/// A value of an enum.
#[derive(Clone, Copy, Debug)]
pub struct EnumValue<'a> {
    data: &'a EnumValueData,
}

impl<'a> EnumValue<'a> {
    /// The name in the .proto file, which JSON has too.
    pub fn name(self) -> &'a str {
        &self.data.name
    }

    /// The number on the wire.
    pub fn number(self) -> i32 {
        self.data.number
    }

    /// The comment before it in the .proto file, else the one behind it; empty without one.
    pub fn comment(self) -> &'a str {
        &self.data.comment
    }

    /// Whether it is marked as deprecated.
    pub fn is_deprecated(self) -> bool {
        self.data.is_deprecated
    }
}

pub(super) fn last_part(full_name: &str) -> &str {
    full_name.rsplit('.').next().unwrap_or(full_name)
}
