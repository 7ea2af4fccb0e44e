//! The browser's local storage. Where it is not available (private windows, blocked cookies) nothing is stored, and nothing fails.
//!
//! Keys are those of this server: under a base path they begin with it in the browser.

use crate::base::own_name;

fn local_storage() -> Option<web_sys::Storage> {
    web_sys::window()?.local_storage().ok()?
}

/// The value of a key.
pub(crate) fn get(key: &str) -> Option<String> {
    local_storage()?.get_item(&own_name(key)).ok()?
}

/// Stores a value. Returns whether that succeeded.
pub(crate) fn set(key: &str, value: &str) -> bool {
    local_storage().is_some_and(|storage| storage.set_item(&own_name(key), value).is_ok())
}

/// Removes a key.
pub(crate) fn remove(key: &str) {
    if let Some(storage) = local_storage() {
        // It fails only where nothing could be stored.
        storage.remove_item(&own_name(key)).ok();
    }
}

/// The keys with a prefix.
pub(crate) fn keys(prefix: &str) -> Vec<String> {
    let Some(storage) = local_storage() else { return Vec::new() };
    let length = storage.length().unwrap_or_default();
    let keys = (0..length).filter_map(|index| own_key(&storage.key(index).ok()??));
    keys.filter(|key| key.starts_with(prefix)).collect()
}

/// The key that another tab has changed, if it is this server's.
pub(crate) fn changed_key(event: &web_sys::StorageEvent) -> Option<String> {
    own_key(&event.key()?)
}

/// A key of this server from its name in the browser.
fn own_key(name: &str) -> Option<String> {
    name.strip_prefix(&own_name("")).map(str::to_owned)
}
