//! Small choices kept in the browser. Where storing is forbidden (private windows, blocked
//! cookies) nothing is kept and nothing fails.

fn local_storage() -> Option<web_sys::Storage> {
    web_sys::window()?.local_storage().ok()?
}

/// What was kept under this key.
pub fn get(key: &str) -> Option<String> {
    local_storage()?.get_item(key).ok()?
}

/// Keeps a value under a key; whether it was kept.
pub fn set(key: &str, value: &str) -> bool {
    local_storage().is_some_and(|storage| storage.set_item(key, value).is_ok())
}

/// Forgets what was kept under a key.
pub fn remove(key: &str) {
    if let Some(storage) = local_storage() {
        // Removing fails only where nothing could be kept.
        storage.remove_item(key).ok();
    }
}

/// The keys that begin so.
pub fn keys(prefix: &str) -> Vec<String> {
    let Some(storage) = local_storage() else { return Vec::new() };
    let length = storage.length().unwrap_or_default();
    (0..length).filter_map(|index| storage.key(index).ok()?).filter(|key| key.starts_with(prefix)).collect()
}
