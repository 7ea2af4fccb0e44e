//! Ctrl+K or ⌘K on every page: a dialog that jumps to a room by part of its name.

mod form;

use leptos::{ev, prelude::*};

use self::form::SwitcherForm;
use crate::{
    chunk::{ShowPart, part},
    dialog::{Dialog, DialogHandle},
    i18n::text,
    session_context::SessionContext,
};

part!(SWITCHER, dialogs: view! { <SwitcherForm /> });

/// The dialog, closed until its keys are pressed.
#[component]
pub(crate) fn Switcher() -> impl IntoView {
    let dialog = DialogHandle::with_part(SWITCHER);
    let session = expect_context::<SessionContext>();
    let listener = window_event_listener(ev::keydown, move |event| {
        let is_shortcut = (event.ctrl_key() || event.meta_key())
            && !event.alt_key()
            && !event.shift_key()
            && event.key().eq_ignore_ascii_case("k");
        let is_signed_in = session.user.with_untracked(Option::is_some);
        if is_shortcut && is_signed_in && !event.is_composing() {
            event.prevent_default();
            dialog.toggle();
        }
    });
    on_cleanup(move || listener.remove());
    view! {
        <Dialog handle=dialog class="dialog chat-switcher" label=text(|m| m.jump_title)>
            <ShowPart part=SWITCHER />
        </Dialog>
    }
}
