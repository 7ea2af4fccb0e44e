//! Errors of a JSON text, with their place.

use std::fmt;

use thiserror::Error;

use super::path::Path;

/// A JSON text that is not well-formed, or does not fit its message.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct JsonError {
    /// Line in the text, from 1.
    pub line: usize,
    /// Column in the line, from 1, in characters.
    pub column: usize,
    /// Offset in the text, in bytes.
    pub offset: usize,
    /// The value that is wrong, or that has the wrong part.
    pub path: Path,
    /// The reason.
    pub kind: Box<JsonErrorKind>,
}

impl JsonError {
    pub(crate) fn new(text: &str, offset: usize, path: Path, kind: JsonErrorKind) -> JsonError {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.matches('\n').count() + 1;
        let column = before[line_start..].chars().count() + 1;
        JsonError { line, column, offset, path, kind: Box::new(kind) }
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}, {}: {}", self.line, self.column, self.path, self.kind)
    }
}

/// Reasons why a JSON text cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum JsonErrorKind {
    /// The text ends too early.
    #[error("the text ends here, and {0} is due")]
    UnexpectedEnd(Due),
    /// A character cannot stand here.
    #[error("found {found:?} where {due} is due")]
    UnexpectedCharacter {
        /// The character.
        found: char,
        /// The parts that are allowed here.
        due: Due,
    },
    /// A string has a character that needs an escape.
    #[error("a string needs an escape for the control character U+{0:04X}")]
    ControlCharacter(u32),
    /// An escape is unknown.
    #[error(
        "no escape of JSON: a backslash is followed by one of \" \\ / b f n r t, or by u and four hexadecimal digits"
    )]
    InvalidEscape,
    /// An escape is one half of a character.
    #[error("half of a surrogate pair")]
    LoneSurrogate,
    /// A number is not one of JSON.
    #[error("no number of JSON")]
    InvalidNumber,
    /// Objects and lists are nested too deeply.
    #[error("nested deeper than {0}")]
    TooDeep(usize),
    /// An object has two values for one field.
    #[error("field {0:?} has a value already")]
    DuplicateField(String),
    /// Two members of a oneof have values.
    #[error("{field:?} and {other:?} belong to oneof {oneof:?}, which takes one of them")]
    DuplicateOneof {
        /// The oneof.
        oneof: String,
        /// The second member.
        field: String,
        /// The member that has a value already.
        other: String,
    },
    /// The message does not have the field.
    #[error("{message} has no field {name:?}{}", hint(nearest))]
    UnknownField {
        /// The key in the text.
        name: String,
        /// Full name of the message.
        message: String,
        /// The known name that is most like it.
        nearest: Option<String>,
    },
    /// The enum does not have the value.
    #[error("{enum_type} has no value {name:?}{}", hint(nearest))]
    UnknownEnumValue {
        /// The string in the text.
        name: String,
        /// Full name of the enum.
        enum_type: String,
        /// The known name that is most like it.
        nearest: Option<String>,
    },
    /// The type of an `Any` is not in the pool.
    #[error("type {0:?} is not known")]
    UnknownType(String),
    /// An `Any` lacks the value of a message with a JSON form of its own.
    #[error("{0} needs a member \"value\"")]
    MissingValue(String),
    /// A value has the wrong type, or is out of range.
    #[error("expected {expected}, found {found}")]
    WrongValue {
        /// The values that the field takes.
        expected: Expected,
        /// The value, shortened.
        found: String,
    },
    /// The path of a change goes through a value that has no such part.
    #[error("there is no {0} here")]
    NoSuchPart(String),
}

/// The parts that are allowed at a place of a JSON text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as the parts of JSON")]
pub enum Due {
    Value,
    Key,
    Colon,
    CommaOrBrace,
    CommaOrBracket,
    Quote,
    Digit,
    End,
}

impl fmt::Display for Due {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Due::Value => "a value",
            Due::Key => "a key in double quotes",
            Due::Colon => "':'",
            Due::CommaOrBrace => "',' or '}'",
            Due::CommaOrBracket => "',' or ']'",
            Due::Quote => "'\"'",
            Due::Digit => "a digit",
            Due::End => "the end of the text",
        })
    }
}

/// The values that a field takes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as the types of the .proto language and of JSON")]
#[non_exhaustive]
pub enum Expected {
    Object,
    List,
    /// The object of a map.
    Map,
    String,
    Bool,
    /// An integer within a range, inclusive.
    Integer {
        min: i64,
        max: u64,
    },
    Float,
    Double,
    Base64,
    /// A name of the enum, or a number; of a closed enum only known numbers.
    EnumValue {
        enum_type: String,
    },
    Timestamp,
    Duration,
    FieldMask,
    /// `@type` of an `Any`, `type.googleapis.com/package.Message`.
    TypeUrl,
    /// A value that is not `null`.
    NotNull,
    /// A number that is neither NaN nor infinite.
    FiniteNumber,
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Expected::Object => "an object",
            Expected::List => "a list",
            Expected::Map => "an object with the entries of a map",
            Expected::String => "a string",
            Expected::Bool => "true or false",
            Expected::Integer { min, max } => return write!(f, "an integer from {min} to {max}"),
            Expected::Float => {
                "a number within the range of float, or \"NaN\", \"Infinity\" or \"-Infinity\""
            }
            Expected::Double => {
                "a number within the range of double, or \"NaN\", \"Infinity\" or \"-Infinity\""
            }
            Expected::Base64 => "bytes in base64",
            Expected::EnumValue { enum_type } => {
                return write!(f, "the name or number of a value of {enum_type}");
            }
            Expected::Timestamp => "a time as in \"2026-11-27T10:00:00.5Z\", from year 1 to 9999",
            Expected::Duration => "seconds as in \"1.5s\", at most 315576000000",
            Expected::FieldMask => "paths in lowerCamelCase, separated by commas, as in \"name,author.id\"",
            Expected::TypeUrl => "a member \"@type\" with a URL that ends in the message's name",
            Expected::NotNull => "a value that is not null",
            Expected::FiniteNumber => "a number that is neither NaN nor infinite",
        })
    }
}

fn hint(nearest: &Option<String>) -> String {
    nearest.as_ref().map_or_else(String::new, |name| format!("; did you mean {name:?}?"))
}
