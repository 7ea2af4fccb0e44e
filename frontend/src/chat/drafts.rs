//! What was written and not sent, one per room, kept over a reload.

use crate::storage;

const PREFIX: &str = "chinwag.draft.";

/// The draft of a room, or nothing.
pub(crate) fn load(room_id: &str) -> String {
    storage::get(&key(room_id)).unwrap_or_default()
}

/// Keeps a room's draft. One of white space only is forgotten.
pub(crate) fn keep(room_id: &str, text: &str) {
    if text.trim().is_empty() {
        storage::remove(&key(room_id));
    } else {
        storage::set(&key(room_id), text);
    }
}

fn key(room_id: &str) -> String {
    [PREFIX, room_id].concat()
}
