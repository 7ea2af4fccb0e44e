//! A pending message as an entry of the browser's storage: its key and its text.
//!
//! Each message is an entry of its own, so that two tabs never overwrite each other's messages.

use uuid::Uuid;

use super::PendingMessage;
use crate::message::Author;

/// The prefix of every key.
pub const KEY_PREFIX: &str = "chinwag.outbox.";

/// The first line of a value. Values of other versions are ignored.
const VERSION: &str = "1";

/// A value that tells other tabs not to send the message, for the moment before the entry is removed.
const DISCARDED: &str = "discarded";

/// A message in the browser's storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredMessage {
    /// The operation id.
    pub operation_id: Uuid,
    /// The author.
    pub author: Author,
    /// The room.
    pub room_id: String,
    /// Time of writing, in milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// The text.
    pub text: String,
}

impl StoredMessage {
    pub(super) fn of(pending: &PendingMessage) -> StoredMessage {
        StoredMessage {
            operation_id: pending.operation_id,
            author: (*pending.author).clone(),
            room_id: pending.room_id.clone(),
            at_ms: pending.at_ms,
            text: pending.text.to_string(),
        }
    }

    /// The key of a message.
    pub fn key(author_id: &str, operation_id: Uuid) -> String {
        [KEY_PREFIX, author_id, ".", &operation_id.simple().to_string()].concat()
    }

    /// The value of a message that must not be sent.
    pub fn discarded() -> &'static str {
        DISCARDED
    }

    /// The value of this message.
    pub fn encode(&self) -> String {
        [VERSION, &self.at_ms.to_string(), &self.room_id, &self.author.name, &self.text].join("\n")
    }

    /// Reads an entry. `None` for entries of other kinds and versions.
    pub fn decode(key: &str, value: &str) -> Option<StoredMessage> {
        let (author_id, operation_id) = parse_key(key)?;
        // The text is last, because only the text has line breaks.
        let mut parts = value.splitn(5, '\n');
        (parts.next()? == VERSION).then_some(())?;
        let at_ms = parts.next()?.parse().ok()?;
        let room_id = parts.next()?.to_owned();
        let author = Author { id: author_id.to_owned(), name: parts.next()?.to_owned() };
        Some(StoredMessage { operation_id, author, room_id, at_ms, text: parts.next()?.to_owned() })
    }
}

/// A change that another tab made in the browser's storage.
#[derive(Debug, PartialEq, Eq)]
pub enum OtherTab {
    /// It stored a message.
    Stored(StoredMessage),
    /// Its user discarded a message.
    Discarded(Uuid),
}

impl OtherTab {
    /// Reads a `storage` event. A removed entry gives `None`: its message arrives by the stream.
    pub fn from_event(key: &str, value: Option<&str>) -> Option<OtherTab> {
        match value? {
            DISCARDED => Some(OtherTab::Discarded(parse_key(key)?.1)),
            value => StoredMessage::decode(key, value).map(OtherTab::Stored),
        }
    }
}

fn parse_key(key: &str) -> Option<(&str, Uuid)> {
    let (author_id, operation_id) = key.strip_prefix(KEY_PREFIX)?.rsplit_once('.')?;
    Some((author_id, Uuid::try_parse(operation_id).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> StoredMessage {
        StoredMessage {
            operation_id: Uuid::from_u128(7),
            author: Author { id: "u.1".to_owned(), name: "Ada Lovelace".to_owned() },
            room_id: "general".to_owned(),
            at_ms: 1_700_000_000_123,
            text: text.to_owned(),
        }
    }

    #[test]
    fn a_message_survives_encoding_and_decoding() {
        for text in ["hello", "", "two\nlines\n\n", "1\n2\n3\n4\n5\n6", "房间 🦀", DISCARDED] {
            let message = message(text);
            let key = StoredMessage::key(&message.author.id, message.operation_id);
            assert_eq!(StoredMessage::decode(&key, &message.encode()), Some(message.clone()));
            assert_eq!(OtherTab::from_event(&key, Some(&message.encode())), Some(OtherTab::Stored(message)));
        }
    }

    #[test]
    fn other_entries_and_versions_are_ignored() {
        let message = message("hello");
        let key = StoredMessage::key(&message.author.id, message.operation_id);
        assert_eq!(StoredMessage::decode(&key, "2\nsomething else"), None);
        assert_eq!(StoredMessage::decode(&key, ""), None);
        assert_eq!(StoredMessage::decode("chinwag.outbox.u.not-an-id", &message.encode()), None);
        assert_eq!(StoredMessage::decode("chinwag.theme", "dark"), None);
        assert_eq!(OtherTab::from_event("chinwag.theme", Some(DISCARDED)), None);
    }

    #[test]
    fn a_discarded_message_is_recognised() {
        let key = StoredMessage::key("u", Uuid::from_u128(9));
        assert_eq!(
            OtherTab::from_event(&key, Some(DISCARDED)),
            Some(OtherTab::Discarded(Uuid::from_u128(9)))
        );
        assert_eq!(OtherTab::from_event(&key, None), None);
    }
}
