//! The few things of JavaScript that more than one file here needs. Only in the browser.

use js_sys::{Reflect, global};
use wasm_bindgen::JsValue;

/// A property of the global object; `undefined` where there is none.
pub(crate) fn of_global(name: &str) -> JsValue {
    get(&global(), name)
}

/// A property; `undefined` where there is none, or nothing to have it.
pub(crate) fn get(object: &JsValue, name: &str) -> JsValue {
    Reflect::get(object, &name.into()).unwrap_or_default()
}

/// What an error says, whatever it is that was thrown.
pub(crate) fn message(thrown: &JsValue) -> String {
    let message = get(thrown, "message").as_string().or_else(|| thrown.as_string());
    message.unwrap_or_else(|| "no reason given".into())
}
