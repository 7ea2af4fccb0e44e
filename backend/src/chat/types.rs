//! Validated types of the chat. A value of one of these types is valid.
//!
//! Knows neither storage nor wire. A refusal names the field as in the contract and says in a sentence what is allowed.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use proto::limits::chat::{
    GENERAL_ROOM, MAX_MESSAGE_CHARS, MAX_ROOM_NAME_CHARS, MAX_USER_NAME_CHARS, NAME_EMPTY, NAME_INVISIBLE,
    NAME_MIXES_SCRIPTS, NAME_TOO_LONG, OPERATION_ID_BYTES,
};

use super::text::{self, NameFault};

/// A field with an invalid value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub(super) struct InvalidField {
    /// The field's name in the contract.
    pub(super) field: &'static str,
    /// The reason, for the user.
    pub(super) sentence: String,
    /// The reason for programs; see the contract.
    pub(super) reason: Option<&'static str>,
}

impl InvalidField {
    pub(super) fn new(field: &'static str, sentence: impl Into<String>) -> Self {
        Self { field, sentence: sentence.into(), reason: None }
    }

    fn name(subject: &str, max_chars: usize, fault: NameFault) -> Self {
        let (reason, sentence) = match fault {
            NameFault::Empty => (NAME_EMPTY, format!("{subject} needs at least one visible character.")),
            NameFault::TooLong => {
                (NAME_TOO_LONG, format!("{subject} can have at most {max_chars} characters."))
            }
            NameFault::Invisible => (
                NAME_INVISIBLE,
                format!("{subject} cannot contain line breaks, control characters or invisible characters."),
            ),
            NameFault::MixesScripts => (
                NAME_MIXES_SCRIPTS,
                format!(
                    "{subject} cannot mix letters of different scripts in one word, such as Latin and Cyrillic."
                ),
            ),
        };
        Self { field: "name", sentence, reason: Some(reason) }
    }
}

/// The kinds of names, each with its limit.
pub(super) trait NameKind {
    /// The subject of a refusal's sentence.
    const SUBJECT: &'static str;
    /// Maximum number of characters (Unicode scalar values).
    const MAX_CHARS: usize;
}

/// Marks the name of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ForUser {}

impl NameKind for ForUser {
    const SUBJECT: &'static str = "A name";
    const MAX_CHARS: usize = MAX_USER_NAME_CHARS;
}

/// Marks the name of a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ForRoom {}

impl NameKind for ForRoom {
    const SUBJECT: &'static str = "A room name";
    const MAX_CHARS: usize = MAX_ROOM_NAME_CHARS;
}

/// A user's display name.
pub(super) type UserName = Name<ForUser>;

/// A room's display name.
pub(super) type RoomName = Name<ForRoom>;

/// A normalised name of 1 to [`NameKind::MAX_CHARS`] characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name<K>(Arc<str>, PhantomData<K>);

impl<K: NameKind> Name<K> {
    /// Normalises and validates `raw`.
    pub(super) fn parse(raw: &str) -> Result<Self, InvalidField> {
        match text::normalise_name(raw, K::MAX_CHARS) {
            Ok(name) => Ok(Self(name.into(), PhantomData)),
            Err(fault) => Err(InvalidField::name(K::SUBJECT, K::MAX_CHARS, fault)),
        }
    }

    /// The name as displayed.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Names with equal keys are equal; see [`text::name_key`].
    pub(super) fn key(&self) -> String {
        text::name_key(&self.0)
    }
}

/// A message's text: 1 to [`MAX_MESSAGE_CHARS`] characters, stored unchanged.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct MessageText(String);

impl MessageText {
    /// Validates `raw`; changes nothing.
    pub(super) fn parse(raw: String) -> Result<Self, InvalidField> {
        let refuse = |sentence: String| Err(InvalidField::new("text", sentence));
        if raw.trim().is_empty() {
            return refuse("A message cannot be empty.".to_owned());
        }
        // A short byte length proves a short text without counting characters.
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

    /// The text as written.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for MessageText {
    /// Prints the length only: message texts must not get into logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageText({} bytes)", self.0.len())
    }
}

/// The client's id for one user action; a repeat has the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct OperationId([u8; OPERATION_ID_BYTES]);

impl OperationId {
    /// Checks the length. The content is up to the client.
    pub(super) fn parse(raw: &[u8]) -> Result<Self, InvalidField> {
        raw.try_into()
            .map(Self)
            .map_err(|_| InvalidField::new("operation_id", "An operation id has 16 bytes, a UUID."))
    }

    /// The sixteen bytes.
    pub(super) fn as_bytes(&self) -> &[u8; OPERATION_ID_BYTES] {
        &self.0
    }
}

/// A room's public id: opaque, safe in a URL's path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct RoomId(Arc<str>);

impl RoomId {
    /// Id of the room that exists from the first start.
    pub(super) const GENERAL: &str = GENERAL_ROOM;

    /// Wraps an id; does not check that the room exists.
    pub(super) fn new(id: impl Into<Arc<str>>) -> Self {
        Self(id.into())
    }

    /// The id as used in URLs.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for RoomId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// A room's number in this database: 1, 2, 3, ... in order of creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct RoomKey(u32);

impl RoomKey {
    /// Key of the room at `index` in order of creation.
    pub(super) fn from_index(index: usize) -> Self {
        Self(u32::try_from(index + 1).expect("there are at most MAX_ROOMS rooms"))
    }

    /// The room with this number; `None` for 0, which no room has.
    pub(super) fn from_number(number: u32) -> Option<Self> {
        (number > 0).then_some(Self(number))
    }

    /// Index in order of creation, from 0.
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

/// A user who has joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct User {
    pub(super) key: UserKey,
    /// Opaque; never changes and is never reused.
    pub(super) id: Arc<str>,
    /// Display name.
    pub(super) name: Arc<str>,
}

impl User {
    /// Key of the name; see [`text::name_key`].
    pub(super) fn name_key(&self) -> String {
        text::name_key(&self.name)
    }
}

/// A room and its log's head as one user sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RoomView {
    pub(super) key: RoomKey,
    pub(super) id: RoomId,
    pub(super) name: Arc<str>,
    pub(super) created_at_ms: i64,
    pub(super) epoch: u64,
    pub(super) head: u64,
    /// Fingerprint of the event at `head`.
    pub(super) fingerprint: u64,
    /// Time of the event at `head`.
    pub(super) head_ms: i64,
    pub(super) read: u64,
    pub(super) unread: u32,
}

/// Acknowledgement of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Receipt {
    pub(super) seq: u64,
    pub(super) epoch: u64,
    pub(super) created_at_ms: i64,
    pub(super) duplicate: bool,
}

/// A user's read marker in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marker {
    pub(super) read: u64,
    pub(super) unread: u32,
}

/// A client's position in a room's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ClientCursor {
    pub(super) room: RoomId,
    pub(super) epoch: u64,
    pub(super) seq: u64,
    /// Fingerprint of the event at `seq`; 0 when the client does not know it.
    pub(super) fingerprint: u64,
}

/// The requested page of a log.
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
    fn messages_are_stored_unchanged_or_refused_with_a_sentence() {
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
    fn message_limit_counts_characters_not_bytes() {
        assert!(message(&"界".repeat(MAX_MESSAGE_CHARS)).is_ok());
        assert_eq!(
            message(&"界".repeat(MAX_MESSAGE_CHARS + 1)),
            Err("A message can have at most 4000 characters.".to_owned())
        );
    }

    #[test]
    fn refused_name_names_its_field() {
        assert_eq!(
            UserName::parse(&"x".repeat(41)).unwrap_err(),
            InvalidField {
                field: "name",
                sentence: "A name can have at most 40 characters.".to_owned(),
                reason: Some(NAME_TOO_LONG),
            }
        );
        assert_eq!(
            RoomName::parse(" ").unwrap_err(),
            InvalidField {
                field: "name",
                sentence: "A room name needs at least one visible character.".to_owned(),
                reason: Some(NAME_EMPTY),
            }
        );
        assert!(UserName::parse(&"x".repeat(40)).is_ok());
        assert!(RoomName::parse(&"界".repeat(60)).is_ok());
    }

    #[test]
    fn operation_id_has_sixteen_bytes() {
        assert!(OperationId::parse(&[7; 16]).is_ok());
        for wrong in [0, 15, 17, 36] {
            assert_eq!(OperationId::parse(&vec![7; wrong]).unwrap_err().field, "operation_id");
        }
    }
}
