//! Keys that work on the whole page, and the dialog that lists them.

use leptos::{ev, html, prelude::*};
use wasm_bindgen::JsCast;

use crate::{
    calls::use_calls,
    i18n::text,
    icon::{Icon, IconKind},
};

/// Opens the list of keys.
#[derive(Clone, Copy)]
pub struct KeysContext {
    dialog: NodeRef<html::Dialog>,
}

impl KeysContext {
    /// Shows the list, over everything else.
    pub fn open(self) {
        if let Some(dialog) = self.dialog.get_untracked().filter(|dialog| !dialog.open()) {
            // It fails only for a dialog that is open or not in the page.
            dialog.show_modal().ok();
        }
    }
}

/// The keys as a person presses them on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keys {
    /// Shows and hides the calls, as keys to read.
    pub calls: &'static str,
    /// The same for `aria-keyshortcuts`.
    pub calls_aria: &'static str,
    /// Jumps to a room.
    pub room: &'static str,
}

/// The keys of this machine: a Mac names them otherwise, and types letters with Option.
pub fn keys() -> Keys {
    if is_mac() {
        Keys { calls: "⌃⌥C", calls_aria: "Control+Alt+C", room: "⌘K" }
    } else {
        Keys { calls: "Alt+C", calls_aria: "Alt+C", room: "Ctrl+K" }
    }
}

/// Whether what has the focus takes letters, so that a plain letter is no command.
pub fn is_typing(event: &web_sys::Event) -> bool {
    let Some(element) = event.target().and_then(|target| target.dyn_into::<web_sys::HtmlElement>().ok())
    else {
        return false;
    };
    let choice = element
        .dyn_ref::<web_sys::HtmlInputElement>()
        .is_some_and(|input| matches!(input.type_().as_str(), "radio" | "checkbox" | "button" | "submit"));
    !choice
        && (element.is_content_editable()
            || matches!(element.tag_name().as_str(), "INPUT" | "TEXTAREA" | "SELECT"))
}

/// Listens for the page's keys. Call once, in the application's root.
pub(crate) fn provide_keys() -> KeysContext {
    let context = KeysContext { dialog: NodeRef::new() };
    provide_context(context);
    let calls = use_calls();
    let mac = is_mac();
    let listener = window_event_listener(ev::keydown, move |event| {
        if event.default_prevented() || event.is_composing() || event.repeat() {
            return;
        }
        let wants_calls = event.alt_key()
            && event.ctrl_key() == mac
            && !event.meta_key()
            && !event.shift_key()
            && event.code() == "KeyC";
        if wants_calls {
            event.prevent_default();
            calls.toggle();
        } else if event.key() == "?" && !is_typing(&event) && !(event.ctrl_key() || event.meta_key()) {
            event.prevent_default();
            context.open();
        }
    });
    on_cleanup(move || listener.remove());
    context
}

/// The list of keys, closed until it is asked for.
#[component]
pub(crate) fn KeysDialog() -> impl IntoView {
    let context = expect_context::<KeysContext>();
    let close = move |_| {
        if let Some(dialog) = context.dialog.get_untracked() {
            dialog.close();
        }
    };
    let names = keys();
    view! {
        <dialog class="dialog" node_ref=context.dialog aria-labelledby="keys-title">
            <header class="dialog__header">
                <h2 id="keys-title">{text(|m| m.keys_help)}</h2>
                <button type="button" class="button button--icon" aria-label=text(|m| m.close) on:click=close>
                    <Icon kind=IconKind::Close />
                </button>
            </header>
            <dl class="keys">
                <Key keys=names.room does=text(|m| m.key_room) />
                <Key keys=names.calls does=text(|m| m.key_calls) />
                <Key keys="?" does=text(|m| m.key_help) />
                <Key keys="Esc" does=text(|m| m.key_escape) />
                <Key keys="Enter" does=text(|m| m.key_send) />
                <Key keys="Shift+Enter" does=text(|m| m.key_newline) />
            </dl>
        </dialog>
    }
}

#[component]
fn Key(keys: &'static str, does: Signal<&'static str>) -> impl IntoView {
    view! {
        <div>
            <dt><kbd>{keys}</kbd></dt>
            <dd>{does}</dd>
        </div>
    }
}

fn is_mac() -> bool {
    window().navigator().platform().is_ok_and(|platform| platform.starts_with("Mac"))
}
