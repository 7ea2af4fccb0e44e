//! Helpers for JavaScript values, shared by the files that use them. Only in the browser.

use js_sys::{Reflect, global};
use wasm_bindgen::JsValue;

/// A property of the global object, `undefined` when it is missing.
pub(crate) fn of_global(name: &str) -> JsValue {
    get(&global(), name)
}

/// A property, `undefined` when it is missing or `object` is not an object.
pub(crate) fn get(object: &JsValue, name: &str) -> JsValue {
    Reflect::get(object, &name.into()).unwrap_or_default()
}

/// The message of a thrown value.
pub(crate) fn message(thrown: &JsValue) -> String {
    let message = get(thrown, "message").as_string().or_else(|| thrown.as_string());
    message.unwrap_or_else(|| "no reason given".into())
}
