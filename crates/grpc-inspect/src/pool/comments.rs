//! Comments of a .proto file, from its `google.protobuf.SourceCodeInfo`.

use std::collections::BTreeMap;

use super::fields::{Fields, Parsed, text};
use crate::wire::{Slice, WireValue};

/// Numbers in an element's path: a path is the numbers of fields of the descriptor, each with an index.
pub(super) mod path {
    pub(in crate::pool) const FILE_MESSAGE: u32 = 4;
    pub(in crate::pool) const FILE_ENUM: u32 = 5;
    pub(in crate::pool) const FILE_SERVICE: u32 = 6;
    pub(in crate::pool) const FILE_EXTENSION: u32 = 7;
    pub(in crate::pool) const MESSAGE_FIELD: u32 = 2;
    pub(in crate::pool) const MESSAGE_MESSAGE: u32 = 3;
    pub(in crate::pool) const MESSAGE_ENUM: u32 = 4;
    pub(in crate::pool) const MESSAGE_EXTENSION: u32 = 6;
    pub(in crate::pool) const MESSAGE_ONEOF: u32 = 8;
    pub(in crate::pool) const ENUM_VALUE: u32 = 2;
    pub(in crate::pool) const SERVICE_METHOD: u32 = 2;
}

/// Comments by the path of their element.
#[derive(Default)]
pub(super) struct Comments<'a> {
    by_path: BTreeMap<Vec<u32>, &'a str>,
}

impl<'a> Comments<'a> {
    /// Adds the comments of a serialised `SourceCodeInfo`.
    pub(super) fn read(&mut self, info: Slice<'a>) -> Parsed<()> {
        for field in Fields::of(info) {
            if let (1, WireValue::Bytes(location)) = field? {
                self.location(location)?;
            }
        }
        Ok(())
    }

    fn location(&mut self, location: Slice<'a>) -> Parsed<()> {
        let (mut path, mut leading, mut trailing) = (Vec::new(), "", "");
        for field in Fields::of(location) {
            match field? {
                (1, WireValue::Bytes(mut packed)) => {
                    while !packed.bytes.is_empty() {
                        path.push(packed.varint().unwrap_or_default() as u32);
                    }
                }
                (3, WireValue::Bytes(comment)) => leading = text(comment)?,
                (4, WireValue::Bytes(comment)) => trailing = text(comment)?,
                _ => {}
            }
        }
        let comment = if leading.is_empty() { trailing } else { leading };
        if !comment.is_empty() {
            self.by_path.insert(path, comment);
        }
        Ok(())
    }

    /// The comment of an element, without the space that stands behind the slashes of each line.
    pub(super) fn of(&self, path: &[u32]) -> Box<str> {
        let Some(comment) = self.by_path.get(path) else { return Box::default() };
        let lines = comment.lines().map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end());
        lines.collect::<Vec<_>>().join("\n").trim_matches('\n').into()
    }
}
