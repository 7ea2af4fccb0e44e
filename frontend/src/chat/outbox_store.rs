//! The outbox on disk: one entry of the browser's local storage per message, so that a reload and a
//! second tab lose nothing and overwrite nothing.

use uuid::Uuid;

use super::outbox::{Change, Kept, Pending};
use super::state::Author;
use crate::storage;

const PREFIX: &str = "chinwag.outbox.";

/// The first line of a value; another one is of another version and left alone.
const VERSION: &str = "1";

/// Says to other tabs, for the moment before it is removed, that a message must not be sent.
const DISCARDED: &str = "discarded";

/// What was kept, by any user of this browser.
pub(crate) fn load() -> Vec<Kept> {
    let mut kept: Vec<Kept> =
        storage::keys(PREFIX).iter().filter_map(|key| decode(key, &storage::get(key)?)).collect();
    kept.sort_by_key(|kept| kept.operation_id);
    kept
}

/// Brings the disk up to date. Whether everything could be kept.
pub(crate) fn write(changes: &[Change]) -> bool {
    let mut all_kept = true;
    for change in changes {
        match change {
            Change::Keep(pending) => {
                let kept = Kept {
                    operation_id: pending.operation_id,
                    author: (*pending.author).clone(),
                    room_id: pending.room_id.clone(),
                    at_ms: pending.at_ms,
                    text: pending.text.to_string(),
                };
                all_kept &= storage::set(&key(&kept.author.id, kept.operation_id), &encode(&kept));
            }
            Change::Forget { author_id, operation_id } => storage::remove(&key(author_id, *operation_id)),
            Change::Discard { author_id, operation_id } => {
                let key = key(author_id, *operation_id);
                storage::set(&key, DISCARDED);
                storage::remove(&key);
            }
        }
    }
    all_kept
}

/// The server has stored a message.
pub(crate) fn forget(pending: &Pending) {
    storage::remove(&key(&pending.author.id, pending.operation_id));
}

/// What another tab did to an entry.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Elsewhere {
    /// It keeps a message.
    Kept(Kept),
    /// Its person discarded one.
    Discarded(Uuid),
}

/// Reads a `storage` event. A removed entry says nothing: the message's event comes by the stream.
pub(crate) fn elsewhere(key: &str, value: Option<&str>) -> Option<Elsewhere> {
    match value? {
        DISCARDED => Some(Elsewhere::Discarded(parse_key(key)?.1)),
        value => decode(key, value).map(Elsewhere::Kept),
    }
}

fn key(author_id: &str, operation_id: Uuid) -> String {
    [PREFIX, author_id, ".", &operation_id.simple().to_string()].concat()
}

fn parse_key(key: &str) -> Option<(&str, Uuid)> {
    let (author_id, operation_id) = key.strip_prefix(PREFIX)?.rsplit_once('.')?;
    Some((author_id, Uuid::try_parse(operation_id).ok()?))
}

fn encode(kept: &Kept) -> String {
    [VERSION, &kept.at_ms.to_string(), &kept.room_id, &kept.author.name, &kept.text].join("\n")
}

fn decode(key: &str, value: &str) -> Option<Kept> {
    let (author_id, operation_id) = parse_key(key)?;
    // The text is last, because it alone has lines.
    let mut parts = value.splitn(5, '\n');
    (parts.next()? == VERSION).then_some(())?;
    let at_ms = parts.next()?.parse().ok()?;
    let room_id = parts.next()?.to_owned();
    let author = Author { id: author_id.to_owned(), name: parts.next()?.to_owned() };
    Some(Kept { operation_id, author, room_id, at_ms, text: parts.next()?.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(text: &str) -> Kept {
        Kept {
            operation_id: Uuid::from_u128(7),
            author: Author { id: "u.1".to_owned(), name: "Ada Lovelace".to_owned() },
            room_id: "general".to_owned(),
            at_ms: 1_700_000_000_123,
            text: text.to_owned(),
        }
    }

    #[test]
    fn a_message_is_read_back_as_it_was_kept() {
        for text in ["hello", "", "two\nlines\n\n", "1\n2\n3\n4\n5\n6", "房间 🦀", DISCARDED] {
            let kept = kept(text);
            let key = key(&kept.author.id, kept.operation_id);
            assert_eq!(decode(&key, &encode(&kept)), Some(kept.clone()));
            assert_eq!(elsewhere(&key, Some(&encode(&kept))), Some(Elsewhere::Kept(kept)));
        }
    }

    #[test]
    fn entries_of_others_and_of_later_versions_are_left_alone() {
        let kept = kept("hello");
        let key = key(&kept.author.id, kept.operation_id);
        assert_eq!(decode(&key, "2\nsomething else"), None);
        assert_eq!(decode(&key, ""), None);
        assert_eq!(decode("chinwag.outbox.u.not-an-id", &encode(&kept)), None);
        assert_eq!(decode("chinwag.theme", "dark"), None);
        assert_eq!(elsewhere("chinwag.theme", Some(DISCARDED)), None);
    }

    #[test]
    fn another_tab_can_say_that_a_message_was_discarded() {
        let key = key("u", Uuid::from_u128(9));
        assert_eq!(elsewhere(&key, Some(DISCARDED)), Some(Elsewhere::Discarded(Uuid::from_u128(9))));
        assert_eq!(elsewhere(&key, None), None);
    }
}
