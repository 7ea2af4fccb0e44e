//! Style sheets of parts, which come with their modules and not with the page.

use std::cell::RefCell;

use js_sys::{Array, Function, Reflect};
use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};

/// The content of the calls panel; the explorer shows bytes and metadata the same way.
pub(crate) const CALLS: &str = include_str!("../style/calls.css");

/// The cards of the Greeter, and a person's calls there and in the explorer.
pub(crate) const GREETER: &str = include_str!("../style/greeter.css");

/// The explorer.
pub(crate) const EXPLORER: &str = include_str!("../style/explorer.css");

thread_local! {
    static ADDED: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
}

/// Adds a style sheet to the document, once. A constructed style sheet needs no source in the content security policy.
pub(crate) fn add_style(style: &'static str) {
    let is_added = ADDED.with_borrow(|added| added.iter().any(|known| std::ptr::eq(*known, style)));
    if is_added {
        return;
    }
    ADDED.with_borrow_mut(|added| added.push(style));
    if add(style).is_err() {
        leptos::logging::warn!("a part's style sheet could not be added");
    }
}

fn add(style: &str) -> Result<(), JsValue> {
    let constructor: Function = Reflect::get(&window(), &"CSSStyleSheet".into())?.dyn_into()?;
    let sheet = Reflect::construct(&constructor, &Array::new())?;
    let replace: Function = Reflect::get(&sheet, &"replaceSync".into())?.dyn_into()?;
    replace.call1(&sheet, &style.into())?;
    let adopted = Reflect::get(&document(), &"adoptedStyleSheets".into())?;
    let all = Array::from(&adopted);
    all.push(&sheet);
    Reflect::set(&document(), &"adoptedStyleSheets".into(), &all).map(drop)
}
