//! Helpers for JavaScript values, shared by the files that use them. Only in the browser.

use js_sys::{Function, Object, Reflect, global};
use wasm_bindgen::{JsCast as _, JsValue};

/// A property of the global object, `undefined` when it is missing.
pub(crate) fn of_global(name: &str) -> JsValue {
    get(&global(), name)
}

/// A property, `undefined` when it is missing or `object` is not an object.
pub(crate) fn get(object: &JsValue, name: &str) -> JsValue {
    Reflect::get(object, &name.into()).unwrap_or_default()
}

/// Calls a method with at most two arguments. `None` when it is missing or throws.
pub(crate) fn call(object: &JsValue, name: &str, arguments: [&JsValue; 2]) -> Option<JsValue> {
    let [first, second] = arguments;
    get(object, name).dyn_ref::<Function>()?.call2(object, first, second).ok()
}

/// The message of a thrown value.
pub(crate) fn message(thrown: &JsValue) -> String {
    let message = get(thrown, "message").as_string().or_else(|| thrown.as_string());
    message.unwrap_or_else(|| "no reason given".into())
}

/// A plain object.
pub(crate) fn object<const N: usize>(properties: [(&str, JsValue); N]) -> Object {
    let object = Object::new();
    for (name, value) in properties {
        set(&object, name, &value);
    }
    object
}

pub(crate) fn set(object: &Object, name: &str, value: &JsValue) {
    // A plain object takes every property.
    Reflect::set(object, &name.into(), value).ok();
}
