//! Features of editions, and those that proto2 and proto3 stand for.
//!
//! [Feature settings for editions](https://protobuf.dev/editions/features/).

use super::error::PoolErrorKind;
use super::fields::{Fields, Parsed};
use crate::wire::{Slice, WireValue};

/// `google.protobuf.Edition`
const EDITION_2023: i32 = 1000;
const EDITION_2024: i32 = 1001;

/// A `google.protobuf.FeatureSet`: the numbers of the values, 0 where a feature is not set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FeatureSet {
    field_presence: u8,
    enum_type: u8,
    repeated_field_encoding: u8,
    utf8_validation: u8,
    message_encoding: u8,
}

impl FeatureSet {
    const PROTO2: FeatureSet = FeatureSet {
        field_presence: 1,
        enum_type: 2,
        repeated_field_encoding: 2,
        utf8_validation: 3,
        message_encoding: 1,
    };
    const PROTO3: FeatureSet = FeatureSet {
        field_presence: 2,
        enum_type: 1,
        repeated_field_encoding: 1,
        utf8_validation: 2,
        message_encoding: 1,
    };
    const EDITION_2023: FeatureSet = FeatureSet { field_presence: 1, ..FeatureSet::PROTO3 };

    /// The features of a file before its own options.
    pub(super) fn of_file(syntax: &str, edition: i32) -> Parsed<FeatureSet> {
        match (syntax, edition) {
            ("" | "proto2", _) => Ok(FeatureSet::PROTO2),
            ("proto3", _) => Ok(FeatureSet::PROTO3),
            ("editions", EDITION_2023 | EDITION_2024) => Ok(FeatureSet::EDITION_2023),
            ("editions", other) => Err(PoolErrorKind::UnknownEdition(other)),
            (other, _) => Err(PoolErrorKind::UnknownSyntax(other.to_owned())),
        }
    }

    /// Adds the features of a serialised set.
    pub(super) fn read(&mut self, slice: Slice<'_>) -> Parsed<()> {
        for field in Fields::of(slice) {
            let (number, value) = field?;
            let WireValue::Varint(value) = value else { continue };
            let value = u8::try_from(value).unwrap_or(0);
            match number {
                1 => self.field_presence = value,
                2 => self.enum_type = value,
                3 => self.repeated_field_encoding = value,
                4 => self.utf8_validation = value,
                5 => self.message_encoding = value,
                _ => {}
            }
        }
        Ok(())
    }

    /// These features, with `inner` ones of an element inside taking their place.
    pub(super) fn with(self, inner: FeatureSet) -> FeatureSet {
        let pick = |inner: u8, outer: u8| if inner == 0 { outer } else { inner };
        FeatureSet {
            field_presence: pick(inner.field_presence, self.field_presence),
            enum_type: pick(inner.enum_type, self.enum_type),
            repeated_field_encoding: pick(inner.repeated_field_encoding, self.repeated_field_encoding),
            utf8_validation: pick(inner.utf8_validation, self.utf8_validation),
            message_encoding: pick(inner.message_encoding, self.message_encoding),
        }
    }

    /// `IMPLICIT`: a default value is not sent.
    pub(super) fn has_implicit_presence(self) -> bool {
        self.field_presence == 2
    }

    /// `LEGACY_REQUIRED`
    pub(super) fn is_required(self) -> bool {
        self.field_presence == 3
    }

    /// `CLOSED`
    pub(super) fn is_closed(self) -> bool {
        self.enum_type == 2
    }

    /// `PACKED`
    pub(super) fn is_packed(self) -> bool {
        self.repeated_field_encoding == 1
    }

    /// `VERIFY`
    pub(super) fn checks_utf8(self) -> bool {
        self.utf8_validation == 2
    }

    /// `DELIMITED`
    pub(super) fn is_delimited(self) -> bool {
        self.message_encoding == 2
    }
}
