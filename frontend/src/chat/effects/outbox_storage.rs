//! The outbox in the browser's storage, so that a reload loses no message.

use chat_model::outbox::{KEY_PREFIX, StorageChange, StoredMessage};

use crate::storage;

/// All stored messages, of any user of this browser.
pub(super) fn load() -> Vec<StoredMessage> {
    let stored = storage::keys(KEY_PREFIX);
    let mut messages: Vec<StoredMessage> = Vec::with_capacity(stored.len());
    for message in stored.iter().filter_map(|key| StoredMessage::decode(key, &storage::get(key)?)) {
        // They are few, and Rust's sort is large.
        let place = messages.partition_point(|earlier| earlier.operation_id <= message.operation_id);
        messages.insert(place, message);
    }
    messages
}

/// Makes changes. Returns whether every message could be stored.
pub(super) fn apply(changes: &[StorageChange]) -> bool {
    let mut all_stored = true;
    for change in changes {
        match change {
            StorageChange::Put(message) => {
                let key = StoredMessage::key(&message.author.id, message.operation_id);
                all_stored &= storage::set(&key, &message.encode());
            }
            StorageChange::Remove { author_id, operation_id } => {
                storage::remove(&StoredMessage::key(author_id, *operation_id));
            }
            StorageChange::Discard { author_id, operation_id } => {
                let key = StoredMessage::key(author_id, *operation_id);
                // Other tabs see the value in their `storage` event; a removal alone tells them nothing.
                storage::set(&key, StoredMessage::discarded());
                storage::remove(&key);
            }
        }
    }
    all_stored
}
