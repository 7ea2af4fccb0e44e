//! Access to JavaScript objects by name.

use js_sys::{Function, Object, Reflect, global};
use wasm_bindgen::{JsCast as _, JsValue};

/// A property of the global object; `undefined` if there is none.
pub(crate) fn global_property(name: &str) -> JsValue {
    get(&global(), name)
}

/// A property; `undefined` if there is none, or if `object` is no object.
pub(crate) fn get(object: &JsValue, name: &str) -> JsValue {
    Reflect::get(object, &name.into()).unwrap_or(JsValue::UNDEFINED)
}

/// Sets a property of a plain object, which always succeeds.
pub(crate) fn set(object: &Object, name: &str, value: &JsValue) {
    Reflect::set(object, &name.into(), value).ok();
}

/// A plain object.
pub(crate) fn object<const N: usize>(properties: [(&str, JsValue); N]) -> Object {
    let object = Object::new();
    for (name, value) in properties {
        set(&object, name, &value);
    }
    object
}

/// Calls a method with two arguments. None if there is no such method, or if it throws.
pub(crate) fn call(object: &JsValue, name: &str, arguments: [&JsValue; 2]) -> Option<JsValue> {
    let [first, second] = arguments;
    get(object, name).dyn_ref::<Function>()?.call2(object, first, second).ok()
}
