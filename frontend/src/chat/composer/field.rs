//! The composer's field: its height, its focus, and the key that sends.

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{HtmlElement, HtmlTextAreaElement, KeyboardEvent};

/// Key code that browsers report while an input method composes.
const COMPOSING_KEY: u32 = 229;

/// Whether a key sends the message: Enter alone, unless an input method is composing.
pub(super) fn sends(event: &KeyboardEvent) -> bool {
    let composing = event.is_composing() || event.key_code() == COMPOSING_KEY;
    let modified = event.shift_key() || event.alt_key() || event.ctrl_key() || event.meta_key();
    event.key() == "Enter" && !composing && !modified
}

/// Makes the field as high as its text; the style sheet limits the height. While the text is measured, the box around keeps its height:
/// otherwise the list above would grow for a moment, and its end would leave the view.
pub(super) fn fit_height(field: &HtmlTextAreaElement) {
    let around = field.parent_element().and_then(|around| around.dyn_into::<HtmlElement>().ok());
    if let Some(around) = &around {
        set_height(around, &[&around.offset_height().to_string(), "px"].concat());
    }
    set_height(field, "auto");
    // An empty field has one line, however long its placeholder is.
    if !field.value().is_empty() {
        let height = field.scroll_height() + field.offset_height() - field.client_height();
        set_height(field, &[&height.to_string(), "px"].concat());
    }
    if let Some(around) = &around {
        set_height(around, "auto");
    }
}

/// Whether the main pointer is a mouse, so that taking the focus shows no on-screen keyboard.
pub(super) fn has_mouse() -> bool {
    window().match_media("(pointer: fine)").ok().flatten().is_some_and(|query| query.matches())
}

fn set_height(element: &HtmlElement, height: &str) {
    // Setting a known property does not fail.
    HtmlElement::style(element).set_property("block-size", height).ok();
}
