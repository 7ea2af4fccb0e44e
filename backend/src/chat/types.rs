//! The chat's words as types: what exists of them is valid.
//!
//! Knows nothing of storage or wire. A refusal names the field as the contract does and says in a
//! sentence what is allowed.

use std::fmt;
use std::sync::Arc;

use super::text::{self, NameFault};

/// The most characters (Unicode scalar values) of a person's name.
pub const MAX_USER_NAME_CHARS: usize = 40;

/// The most characters (Unicode scalar values) of a room's name.
pub const MAX_ROOM_NAME_CHARS: usize = 60;

/// The most characters (Unicode scalar values) of a message.
pub const MAX_MESSAGE_CHARS: usize = 4_000;

/// A field that broke its rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub(super) struct InvalidField {
    /// The field's name in the contract.
    pub(super) field: &'static str,
    /// What is wrong, for a person.
    pub(super) sentence: String,
}

impl InvalidField {
    pub(super) fn new(field: &'static str, sentence: impl Into<String>) -> Self {
        Self { field, sentence: sentence.into() }
    }

    fn name(field: &'static str, what: &str, max_chars: usize, fault: NameFault) -> Self {
        let sentence = match fault {
            NameFault::Empty => format!("{what} needs at least one visible character."),
            NameFault::TooLong => format!("{what} can have at most {max_chars} characters."),
            NameFault::Character => {
                format!("{what} cannot contain line breaks, control characters or invisible characters.")
            }
        };
        Self { field, sentence }
    }
}

/// What a person is called: tidied, 1 to [`MAX_USER_NAME_CHARS`] characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UserName(Arc<str>);

impl UserName {
    /// Tidies `raw` and checks it.
    pub(super) fn parse(raw: &str) -> Result<Self, InvalidField> {
        text::tidy_name(raw, MAX_USER_NAME_CHARS)
            .map(|name| Self(name.into()))
            .map_err(|fault| InvalidField::name("name", "A name", MAX_USER_NAME_CHARS, fault))
    }

    /// The name as it is shown.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// What makes two names the same.
    pub(super) fn key(&self) -> String {
        text::name_key(&self.0)
    }
}

/// What a room is called: tidied, 1 to [`MAX_ROOM_NAME_CHARS`] characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RoomName(Arc<str>);

impl RoomName {
    /// Tidies `raw` and checks it.
    pub(super) fn parse(raw: &str) -> Result<Self, InvalidField> {
        text::tidy_name(raw, MAX_ROOM_NAME_CHARS)
            .map(|name| Self(name.into()))
            .map_err(|fault| InvalidField::name("name", "A room name", MAX_ROOM_NAME_CHARS, fault))
    }

    /// The name as it is shown.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// What makes two names the same.
    pub(super) fn key(&self) -> String {
        text::name_key(&self.0)
    }
}

/// A message's text: 1 to [`MAX_MESSAGE_CHARS`] characters, kept as it was written.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct MessageText(String);

impl MessageText {
    /// Checks `raw`, and changes nothing.
    pub(super) fn parse(raw: String) -> Result<Self, InvalidField> {
        let refuse = |sentence: String| Err(InvalidField::new("text", sentence));
        if raw.trim().is_empty() {
            return refuse("A message cannot be empty.".to_owned());
        }
        // The byte length settles it for nearly every message without counting.
        if raw.len() > MAX_MESSAGE_CHARS && raw.chars().count() > MAX_MESSAGE_CHARS {
            return refuse(format!("A message can have at most {MAX_MESSAGE_CHARS} characters."));
        }
        if raw.chars().any(text::is_refused_in_message) {
            return refuse(
                "A message cannot contain control characters other than line breaks and tabs.".to_owned(),
            );
        }
        Ok(Self(raw))
    }

    /// The text as it was written.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for MessageText {
    /// Only the length: what people write has no place in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageText({} bytes)", self.0.len())
    }
}

/// The client's id for one action of its user; the same on every repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct OperationId([u8; 16]);

impl OperationId {
    /// Checks the length; what the bytes are is the client's business.
    pub(super) fn parse(raw: &[u8]) -> Result<Self, InvalidField> {
        raw.try_into()
            .map(Self)
            .map_err(|_| InvalidField::new("operation_id", "An operation id has 16 bytes, a UUID."))
    }

    /// The sixteen bytes.
    pub(super) fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// A room's public id: opaque, safe in a URL's path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct RoomId(Arc<str>);

impl RoomId {
    /// The id of the room that is there from the first start.
    pub(super) const GENERAL: &str = "general";

    /// Takes an id as it is; whether there is such a room is another question.
    pub(super) fn named(id: impl Into<Arc<str>>) -> Self {
        Self(id.into())
    }

    /// The id as it stands in URLs.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for RoomId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// A room's number in this database: 1 for the first, one more for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct RoomKey(u32);

impl RoomKey {
    /// The key of the room at `index` in order of creation.
    pub(super) fn from_index(index: usize) -> Self {
        Self(u32::try_from(index + 1).expect("there are at most MAX_ROOMS rooms"))
    }

    /// The place in order of creation, from 0.
    pub(super) fn index(self) -> usize {
        self.0 as usize - 1
    }

    /// The number in the database.
    pub(super) fn number(self) -> u32 {
        self.0
    }
}

/// A user's number in this database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct UserKey(pub(super) i64);

/// A person who has joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct User {
    pub(super) key: UserKey,
    /// Opaque, never changes, never used again.
    pub(super) id: Arc<str>,
    /// What the person is called.
    pub(super) name: Arc<str>,
}

/// A room and where its log stands, as one user sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RoomView {
    pub(super) key: RoomKey,
    pub(super) id: RoomId,
    pub(super) name: Arc<str>,
    pub(super) created_at_ms: i64,
    pub(super) epoch: u64,
    pub(super) head: u64,
    /// Of the event at `head`.
    pub(super) fingerprint: u64,
    pub(super) read: u64,
    pub(super) unread: u32,
}

/// What the author of a message is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Receipt {
    pub(super) seq: u64,
    pub(super) epoch: u64,
    pub(super) created_at_ms: i64,
    pub(super) duplicate: bool,
}

/// Where a user's read marker stands in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marker {
    pub(super) read: u64,
    pub(super) unread: u32,
}

/// What a client says it knows of a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ClientCursor {
    pub(super) room: RoomId,
    pub(super) epoch: u64,
    pub(super) seq: u64,
    /// Of the event at `seq`; 0 when the client does not know it.
    pub(super) fingerprint: u64,
}

/// Which page of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PageRange {
    Newest,
    Before(u64),
    After(u64),
    Around(u64),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(raw: &str) -> Result<String, String> {
        MessageText::parse(raw.to_owned()).map(|text| text.0).map_err(|e| e.sentence)
    }

    #[test]
    fn messages_are_kept_as_written_or_refused_with_a_sentence() {
        for kept in ["hi", "  indented\n\ttwice  ", "你好，世界", "שלום", "👩\u{200D}💻", "\u{202E}abc"]
        {
            assert_eq!(message(kept), Ok(kept.to_owned()));
        }
        assert_eq!(message(""), Err("A message cannot be empty.".to_owned()));
        assert_eq!(message(" \n\t\u{3000}"), Err("A message cannot be empty.".to_owned()));
        for control in ["a\rb", "a\0b", "a\u{1b}[0m", "a\u{85}b"] {
            assert_eq!(
                message(control),
                Err("A message cannot contain control characters other than line breaks and tabs.".to_owned()),
                "{control:?}"
            );
        }
    }

    #[test]
    fn the_limit_of_a_message_counts_characters_and_not_bytes() {
        assert!(message(&"界".repeat(MAX_MESSAGE_CHARS)).is_ok());
        assert_eq!(
            message(&"界".repeat(MAX_MESSAGE_CHARS + 1)),
            Err("A message can have at most 4000 characters.".to_owned())
        );
    }

    #[test]
    fn a_refused_name_names_its_field() {
        assert_eq!(
            UserName::parse(&"x".repeat(41)).unwrap_err(),
            InvalidField::new("name", "A name can have at most 40 characters.")
        );
        assert_eq!(
            RoomName::parse(" ").unwrap_err(),
            InvalidField::new("name", "A room name needs at least one visible character.")
        );
        assert!(UserName::parse(&"x".repeat(40)).is_ok());
        assert!(RoomName::parse(&"界".repeat(60)).is_ok());
    }

    #[test]
    fn an_operation_id_has_sixteen_bytes() {
        assert!(OperationId::parse(&[7; 16]).is_ok());
        for wrong in [0, 15, 17, 36] {
            assert_eq!(OperationId::parse(&vec![7; wrong]).unwrap_err().field, "operation_id");
        }
    }
}
