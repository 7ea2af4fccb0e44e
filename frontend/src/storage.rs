//! The browser's local storage. Where it is not available (private windows, blocked cookies) nothing is stored, and nothing fails.

fn local_storage() -> Option<web_sys::Storage> {
    web_sys::window()?.local_storage().ok()?
}

/// The value of a key.
pub(crate) fn get(key: &str) -> Option<String> {
    local_storage()?.get_item(key).ok()?
}

/// Stores a value. Returns whether that succeeded.
pub(crate) fn set(key: &str, value: &str) -> bool {
    local_storage().is_some_and(|storage| storage.set_item(key, value).is_ok())
}

/// Removes a key.
pub(crate) fn remove(key: &str) {
    if let Some(storage) = local_storage() {
        // It fails only where nothing could be stored.
        storage.remove_item(key).ok();
    }
}

/// The keys with a prefix.
pub(crate) fn keys(prefix: &str) -> Vec<String> {
    let Some(storage) = local_storage() else { return Vec::new() };
    let length = storage.length().unwrap_or_default();
    (0..length).filter_map(|index| storage.key(index).ok()?).filter(|key| key.starts_with(prefix)).collect()
}
