//! Errors of descriptors, with the file and the element that is wrong.

use std::fmt;

use thiserror::Error;

/// Descriptors that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct PoolError {
    /// Name of the .proto file; empty where even that could not be read.
    pub file: String,
    /// Full name of the message, field, enum, service or method; empty where the file as a whole is wrong.
    pub element: String,
    /// The reason.
    pub kind: PoolErrorKind,
}

impl PoolError {
    pub(super) fn new(file: &str, element: &str, kind: PoolErrorKind) -> PoolError {
        PoolError { file: file.to_owned(), element: element.to_owned(), kind }
    }
}

impl fmt::Display for PoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.file.is_empty() {
            write!(f, "{}: ", self.file)?;
        }
        if !self.element.is_empty() {
            write!(f, "{}: ", self.element)?;
        }
        self.kind.fmt(f)
    }
}

/// Reasons why descriptors cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PoolErrorKind {
    /// The bytes are not a descriptor.
    #[error("the bytes are no descriptor: byte {offset} begins no field, or the field is cut off")]
    InvalidBytes {
        /// Offset of the field in the bytes that were added.
        offset: usize,
    },
    /// A name is not UTF-8.
    #[error("a name is not UTF-8")]
    InvalidUtf8,
    /// The set has no file.
    #[error("there is no file in the set")]
    NoFile,
    /// The file has no name.
    #[error("the file has no name")]
    NoFileName,
    /// Two files have this name and different content.
    #[error("another file with this name has other content")]
    FileConflict,
    /// Files import each other.
    #[error("imports itself through other files")]
    ImportCircle,
    /// The edition is not supported.
    #[error("edition {0} is not supported: proto2, proto3, 2023 and 2024 are")]
    UnknownEdition(i32),
    /// The syntax is not supported.
    #[error("syntax \"{0}\" is not known: proto2, proto3 and editions are")]
    UnknownSyntax(String),
    /// An element has no name.
    #[error("an element has no name")]
    NoName,
    /// Two elements have this name.
    #[error("the name is used twice")]
    DuplicateName,
    /// A type is not in the pool.
    #[error("type \"{name}\" is not known{}", import_hint(missing))]
    UnknownType {
        /// Name of the type.
        name: String,
        /// Files that the file imports and that were not added.
        missing: Vec<String>,
    },
    /// The type has another kind than the field says, or a message is due.
    #[error("type \"{0}\" is of another kind")]
    WrongType(String),
    /// The number of the type is unknown.
    #[error("type number {0} is not known")]
    UnknownTypeNumber(i32),
    /// The field's number is out of range.
    #[error("field number {0} is not within 1 and 536,870,911")]
    InvalidFieldNumber(i64),
    /// Two fields have one number.
    #[error("field number {0} is used twice")]
    DuplicateFieldNumber(u32),
    /// The field names a oneof that its message lacks.
    #[error("the message has no oneof {0}")]
    UnknownOneof(i32),
    /// The entry of a map has no key of an allowed type in field 1 or no value in field 2.
    #[error(
        "the entry of a map needs a key in field 1, of an integer, bool or string type, and a value in field 2"
    )]
    InvalidMapEntry,
    /// The enum has no value.
    #[error("the enum has no value")]
    NoEnumValue,
    /// Messages are nested too deeply.
    #[error("messages are nested deeper than {0}")]
    TooDeep(usize),
    /// A full name is longer than a kibibyte, or all together are longer than 64 MiB.
    #[error("a full name is longer than 1 KiB, or all together are longer than 64 MiB")]
    NamesTooLong,
    /// There are more elements than a pool takes.
    #[error("there are more than {0} messages, fields, values and methods")]
    TooManyElements(usize),
}

fn import_hint(missing: &[String]) -> String {
    match missing {
        [] => String::new(),
        files => format!("; the file imports {}, which is missing", files.join(", ")),
    }
}
