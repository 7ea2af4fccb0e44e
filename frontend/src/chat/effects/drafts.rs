//! Unsent texts, one per room, in the browser's storage.

use crate::storage;

const KEY_PREFIX: &str = "chinwag.draft.";

/// The draft of a room, or an empty text.
pub(crate) fn load(room_id: &str) -> String {
    storage::get(&key(room_id)).unwrap_or_default()
}

/// Stores a room's draft. A blank one is removed.
pub(crate) fn save(room_id: &str, text: &str) {
    if text.trim().is_empty() {
        storage::remove(&key(room_id));
    } else {
        storage::set(&key(room_id), text);
    }
}

fn key(room_id: &str) -> String {
    [KEY_PREFIX, room_id].concat()
}
