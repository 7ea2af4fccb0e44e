//! Keyboard shortcuts of the whole page, and the dialog that lists them.

mod dialog;
mod list;

use leptos::{ev, prelude::*};
use wasm_bindgen::JsCast;

pub(crate) use self::{
    dialog::{KEYS, KeysDialog},
    list::KeyList,
};
use crate::{calls::use_calls, dialog::DialogHandle};

/// The dialog that lists the keys.
#[derive(Clone, Copy)]
pub(crate) struct KeysContext {
    dialog: DialogHandle,
}

impl KeysContext {
    /// Opens the dialog.
    pub(crate) fn open(self) {
        self.dialog.open();
    }
}

/// The names of the keys on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Keys {
    /// Shows and hides the calls.
    pub(crate) calls: &'static str,
    /// The same, for `aria-keyshortcuts`.
    pub(crate) calls_aria: &'static str,
    /// Jumps to a room.
    pub(crate) room: &'static str,
    /// Sends the message, also where Enter alone does not.
    pub(crate) send: &'static str,
}

/// The names of the keys. A Mac has others, and types letters with Option.
pub(crate) fn keys() -> Keys {
    if is_mac() {
        Keys { calls: "⌃⌥C", calls_aria: "Control+Alt+C", room: "⌘K", send: "⌘Enter" }
    } else {
        Keys { calls: "Alt+C", calls_aria: "Alt+C", room: "Ctrl+K", send: "Ctrl+Enter" }
    }
}

/// Listens to the keys. Call once, in the application's root.
pub(crate) fn provide_keys() {
    let context = KeysContext { dialog: DialogHandle::with_part(KEYS) };
    provide_context(context);
    let calls = use_calls();
    let mac = is_mac();
    let listener = window_event_listener(ev::keydown, move |event| {
        if event.default_prevented() || event.is_composing() || event.repeat() {
            return;
        }
        let shows_calls = event.alt_key()
            && event.ctrl_key() == mac
            && !event.meta_key()
            && !event.shift_key()
            && event.code() == "KeyC";
        if shows_calls {
            event.prevent_default();
            calls.toggle();
        } else if event.key() == "?" && !is_typing(&event) && !(event.ctrl_key() || event.meta_key()) {
            event.prevent_default();
            context.open();
        }
    });
    on_cleanup(move || listener.remove());
}

/// Whether the focused element takes text, so that a letter alone is not a shortcut.
fn is_typing(event: &web_sys::Event) -> bool {
    let Some(element) = event.target().and_then(|target| target.dyn_into::<web_sys::HtmlElement>().ok())
    else {
        return false;
    };
    let takes_no_text = element
        .dyn_ref::<web_sys::HtmlInputElement>()
        .is_some_and(|input| matches!(input.type_().as_str(), "radio" | "checkbox" | "button" | "submit"));
    !takes_no_text
        && (element.is_content_editable()
            || matches!(element.tag_name().as_str(), "INPUT" | "TEXTAREA" | "SELECT"))
}

fn is_mac() -> bool {
    window().navigator().platform().is_ok_and(|platform| platform.starts_with("Mac"))
}
