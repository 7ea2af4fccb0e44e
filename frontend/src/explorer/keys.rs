//! The explorer's keys: Ctrl+Enter sends, Escape cancels.

use leptos::ev::KeyboardEvent;

use super::{send, state::Explorer};

/// Handles a key inside of the explorer.
pub(super) fn on_key(explorer: Explorer, event: &KeyboardEvent) {
    if event.default_prevented() || event.is_composing() {
        return;
    }
    match event.key().as_str() {
        "Enter" if event.ctrl_key() || event.meta_key() => {
            event.prevent_default();
            if !event.repeat() {
                send::send(explorer);
            }
        }
        "Escape" if explorer.exchange.run.is_running_now() => {
            event.prevent_default();
            explorer.exchange.run.cancel();
        }
        _ => {}
    }
}
