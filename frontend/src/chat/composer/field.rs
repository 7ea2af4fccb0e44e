//! The composer's field: its height, its focus, and its keys.

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{HtmlElement, HtmlTextAreaElement, KeyboardEvent};

/// Key code that browsers report while an input method composes.
const COMPOSING_KEY: u32 = 229;

/// The effect of Enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Enter {
    /// It sends the message.
    Sends,
    /// It is left to the browser, which breaks the line.
    BreaksLine,
}

impl Enter {
    /// The effect of a key; `None` unless it is Enter, or while an input method is composing. Where the pointer is coarse there is no
    /// Shift for a second line, so Enter alone breaks the line.
    pub(super) fn of(event: &KeyboardEvent) -> Option<Enter> {
        if event.key() != "Enter" || is_composing(event) || event.alt_key() {
            return None;
        }
        let commanded = event.ctrl_key() || event.meta_key();
        Some(match event.shift_key() {
            true => Enter::BreaksLine,
            false if commanded || !has_touch() => Enter::Sends,
            false => Enter::BreaksLine,
        })
    }
}

/// Whether a key outside of a field types into the composer: a character, or a paste.
pub(crate) fn is_typing(event: &KeyboardEvent) -> bool {
    let key = event.key();
    let commanded = event.ctrl_key() || event.meta_key();
    // Space scrolls, and the question mark lists the keys.
    let is_character = key.chars().count() == 1 && !matches!(key.as_str(), " " | "?");
    let is_paste = commanded && key.eq_ignore_ascii_case("v");
    !is_composing(event) && !event.alt_key() && (is_paste || is_character && !commanded)
}

/// Makes the field as high as its text, in browsers that do not do so by the style sheet, which limits the height. While the text is measured, the box around keeps its height:
/// otherwise the list above would grow for a moment, and its end would leave the view.
pub(super) fn fit_height(field: &HtmlTextAreaElement) {
    if web_sys::css::supports_with_value("field-sizing", "content").unwrap_or(false) {
        return;
    }
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

/// Whether the main pointer is a finger.
pub(super) fn has_touch() -> bool {
    matches_media("(pointer: coarse)")
}

/// Whether the main pointer is a mouse, so that taking the focus shows no on-screen keyboard.
pub(super) fn has_mouse() -> bool {
    matches_media("(pointer: fine)")
}

fn matches_media(query: &str) -> bool {
    window().match_media(query).ok().flatten().is_some_and(|query| query.matches())
}

fn is_composing(event: &KeyboardEvent) -> bool {
    event.is_composing() || event.key_code() == COMPOSING_KEY
}

fn set_height(element: &HtmlElement, height: &str) {
    // Setting a known property does not fail.
    HtmlElement::style(element).set_property("block-size", height).ok();
}
