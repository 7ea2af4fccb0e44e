//! Fields as they stand on the wire, groups included.

use std::collections::BTreeMap;

use super::scalar::fits;
use crate::json::ProblemKind;
use crate::pool::{Field, Message};
use crate::wire::{Slice, WireField, WireValue};

/// A field on the wire.
#[derive(Clone, Copy)]
pub(super) struct RawField<'a> {
    pub(super) number: u32,
    /// Of a group the bytes between its tags.
    pub(super) value: WireValue<'a>,
    /// Offset of its tag in the outermost message.
    pub(super) offset: usize,
    pub(super) is_group: bool,
}

impl<'a> RawField<'a> {
    /// Takes the next field off `input`, and says whether it is shorter than it should be.
    pub(super) fn read(input: &mut Slice<'a>) -> Result<(RawField<'a>, bool), ProblemKind> {
        let offset = input.offset;
        let (field, is_group) = WireField::read_with_groups(input)?;
        let raw = RawField { number: field.number, value: field.value, offset, is_group };
        Ok((raw, field.is_truncated))
    }
}

/// The values of each field of a message, in the order of the .proto file; other values go to `unknown`.
///
/// It looks at the fields on the wire and not at all those of the descriptor, of which there may be many more.
pub(super) fn by_field<'a>(
    message: Message<'a>,
    fields: Vec<RawField<'a>>,
    unknown: &mut Vec<RawField<'a>>,
) -> Vec<(Field<'a>, Vec<RawField<'a>>)> {
    let mut positions = BTreeMap::new();
    let mut found: Vec<(Field<'a>, Vec<RawField<'a>>)> = Vec::new();
    let mut oneofs: BTreeMap<u32, Newest> = BTreeMap::new();
    for raw in fields {
        let Some(field) = message.field_by_number(raw.number).filter(|field| fits(*field, &raw)) else {
            unknown.push(raw);
            continue;
        };
        let position = *positions.entry(raw.number).or_insert_with(|| {
            found.push((field, Vec::new()));
            found.len() - 1
        });
        found[position].1.push(raw);
        if let Some(oneof) = field.data().oneof {
            oneofs.entry(oneof).or_default().see(&raw);
        }
    }
    for (field, values) in &mut found {
        if let Some(newest) = field.data().oneof.and_then(|oneof| oneofs.get(&oneof)) {
            values.retain(|raw| newest.counts(raw));
        }
    }
    found.retain(|(_, values)| !values.is_empty());
    found.sort_by_key(|(field, _)| (field.is_extension(), field.position()));
    found
}

/// The member of a oneof that counts: the newest one, from the last value of another member on.
#[derive(Default)]
struct Newest {
    number: u32,
    /// Offset of the last value of another member.
    last_other: Option<usize>,
    last: usize,
}

impl Newest {
    /// Takes the next value, in the order of the wire.
    fn see(&mut self, raw: &RawField<'_>) {
        if self.number != raw.number {
            self.last_other = (self.number != 0).then_some(self.last);
            self.number = raw.number;
        }
        self.last = raw.offset;
    }

    fn counts(&self, raw: &RawField<'_>) -> bool {
        raw.number == self.number && self.last_other < Some(raw.offset)
    }
}
