//! The fields of a descriptor's message, one after the other.

use super::error::PoolErrorKind;
use crate::wire::{Slice, WireField, WireValue};

pub(super) type Parsed<T> = Result<T, PoolErrorKind>;

/// The fields of a message, up to the first invalid one. Groups are skipped: custom options may have them.
pub(super) struct Fields<'a> {
    input: Slice<'a>,
}

impl<'a> Fields<'a> {
    pub(super) fn of(input: Slice<'a>) -> Fields<'a> {
        Fields { input }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Parsed<(u32, WireValue<'a>)>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.input.bytes.is_empty() {
                return None;
            }
            let offset = self.input.offset;
            let (field, group) = match WireField::read_with_groups(&mut self.input) {
                Ok((field, group)) if !field.is_truncated => (field, group),
                _ => {
                    self.input.bytes = &[];
                    return Some(Err(PoolErrorKind::InvalidBytes { offset }));
                }
            };
            if !group {
                return Some(Ok((field.number, field.value)));
            }
        }
    }
}

pub(super) fn text(slice: Slice<'_>) -> Parsed<&str> {
    std::str::from_utf8(slice.bytes).map_err(|_| PoolErrorKind::InvalidUtf8)
}
