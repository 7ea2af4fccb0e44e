//! Unsent texts in the browser's storage: one for each person and room, so that nobody reads what another person of this browser
//! has written.

use leptos::{ev, prelude::*};

use crate::storage;

const KEY_PREFIX: &str = "chinwag.draft.";

/// The draft of one person in one room.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    key: String,
    /// The key of versions whose drafts belonged to nobody.
    old_key: String,
}

impl Draft {
    /// The draft of the person with this id.
    pub(crate) fn new(user_id: &str, room_id: &str) -> Draft {
        Draft { key: key(user_id, room_id), old_key: [KEY_PREFIX, room_id].concat() }
    }

    /// The text; empty without a draft.
    pub(crate) fn load(&self) -> String {
        if let Some(old) = storage::get(&self.old_key) {
            storage::remove(&self.old_key);
            if storage::get(&self.key).is_none() {
                self.save(&old);
            }
        }
        storage::get(&self.key).unwrap_or_default()
    }

    /// Stores a text. A blank one is removed.
    pub(crate) fn save(&self, text: &str) {
        if text.trim().is_empty() {
            storage::remove(&self.key);
        } else {
            storage::set(&self.key, text);
        }
    }

    /// Calls `changed` with the text when another tab changes the draft, until the current owner is cleaned up.
    pub(crate) fn follow(&self, changed: impl Fn(String) + 'static) {
        let key = self.key.clone();
        let listener = window_event_listener(ev::storage, move |event| {
            if storage::changed_key(&event).as_deref() == Some(key.as_str()) {
                changed(event.new_value().unwrap_or_default());
            }
        });
        on_cleanup(move || listener.remove());
    }
}

/// Removes all drafts of a person, and those of nobody.
pub(crate) fn remove_all(user_id: &str) {
    let own = key(user_id, "");
    for key in storage::keys(KEY_PREFIX) {
        // Ids contain no dot.
        let is_of_nobody = !key[KEY_PREFIX.len()..].contains('.');
        if is_of_nobody || key.starts_with(&own) {
            storage::remove(&key);
        }
    }
}

fn key(user_id: &str, room_id: &str) -> String {
    [KEY_PREFIX, user_id, ".", room_id].concat()
}
