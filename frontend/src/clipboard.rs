//! Copying to the clipboard, and the button's short answer.

use std::time::Duration;

use leptos::{prelude::*, task::spawn_local};

/// Time for which a button shows that the text was copied.
const COPIED_SHOWN: Duration = Duration::from_secs(2);

/// Copies a text. `copied` is true for a moment afterwards.
pub(crate) fn copy(text: &str, copied: RwSignal<bool>) {
    let written = window().navigator().clipboard().write_text(text);
    spawn_local(async move {
        // The browser may forbid copying; the text can still be selected.
        if wasm_bindgen_futures::JsFuture::from(written).await.is_ok() {
            copied.try_set(true);
            tonic_web_channel::rt::sleep(COPIED_SHOWN).await;
            copied.try_set(false);
        }
    });
}
