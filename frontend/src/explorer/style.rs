//! The explorer's style sheet, which comes with its module and not with the page.

use std::cell::Cell;

use js_sys::{Array, Function, Reflect};
use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};

const STYLE: &str = include_str!("../../style/explorer.css");

thread_local! {
    static IS_ADDED: Cell<bool> = const { Cell::new(false) };
}

/// Adds the style sheet to the document, once. A constructed style sheet needs no source in the content security policy.
pub(super) fn add_style() {
    if !IS_ADDED.replace(true) && add().is_err() {
        leptos::logging::warn!("the explorer's style sheet could not be added");
    }
}

fn add() -> Result<(), JsValue> {
    let constructor: Function = Reflect::get(&window(), &"CSSStyleSheet".into())?.dyn_into()?;
    let sheet = Reflect::construct(&constructor, &Array::new())?;
    let replace: Function = Reflect::get(&sheet, &"replaceSync".into())?.dyn_into()?;
    replace.call1(&sheet, &STYLE.into())?;
    let adopted = Reflect::get(&document(), &"adoptedStyleSheets".into())?;
    let all = Array::from(&adopted);
    all.push(&sheet);
    Reflect::set(&document(), &"adoptedStyleSheets".into(), &all).map(drop)
}
