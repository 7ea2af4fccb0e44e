//! The Chinese texts. In the optimised page they are a module of their own: a reader of English does not load them.

#[cfg(feature = "split")]
use std::sync::OnceLock;

use super::{Messages, zh};
use crate::chunk::NotLoaded;

/// The texts, once they are loaded.
#[cfg(feature = "split")]
static LOADED: OnceLock<&'static Messages> = OnceLock::new();

/// The texts; `None` before they are loaded.
#[cfg(feature = "split")]
pub(super) fn messages() -> Option<&'static Messages> {
    LOADED.get().copied()
}

/// Loads the texts.
#[cfg(feature = "split")]
pub(super) async fn load() -> Result<(), NotLoaded> {
    let messages = all().await?;
    LOADED.get_or_init(|| messages);
    Ok(())
}

#[cfg(feature = "split")]
#[wasm_split_helpers::wasm_split(chinese, fallible)]
fn all() -> Result<&'static Messages, NotLoaded> {
    Ok(&zh::MESSAGES)
}

#[cfg(not(feature = "split"))]
pub(super) fn messages() -> Option<&'static Messages> {
    Some(&zh::MESSAGES)
}

#[cfg(not(feature = "split"))]
pub(super) async fn load() -> Result<(), NotLoaded> {
    Ok(())
}
