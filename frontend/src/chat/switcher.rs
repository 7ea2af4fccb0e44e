//! Ctrl+K or ⌘K: a dialog that jumps to a room by part of its name.

mod form;

use leptos::{ev, prelude::*};

use self::form::SwitcherForm;
use crate::{
    dialog::{Dialog, DialogHandle},
    i18n::text,
};

/// The dialog, closed until its keys are pressed.
#[component]
pub(crate) fn Switcher(
    /// Called when a room is chosen.
    chosen: Callback<()>,
) -> impl IntoView {
    let dialog = DialogHandle::new();
    let listener = window_event_listener(ev::keydown, move |event| {
        let is_shortcut = (event.ctrl_key() || event.meta_key())
            && !event.alt_key()
            && !event.shift_key()
            && event.key().eq_ignore_ascii_case("k");
        if is_shortcut && !event.is_composing() {
            event.prevent_default();
            dialog.toggle();
        }
    });
    on_cleanup(move || listener.remove());
    view! {
        <Dialog handle=dialog class="dialog chat-switcher" label=text(|m| m.jump_title)>
            <SwitcherForm dialog chosen />
        </Dialog>
    }
}
