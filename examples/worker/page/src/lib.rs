//! What the worker tells the page: the id of an element, and its new text.

use js_sys::Array;
use wasm_bindgen::JsValue;

/// New text for one element of the page.
#[derive(Debug)]
pub struct Text {
    pub id: String,
    pub text: String,
}

impl Text {
    /// As a message, which is copied from one thread to the other.
    pub fn to_message(&self) -> JsValue {
        Array::of2(&self.id.as_str().into(), &self.text.as_str().into()).into()
    }

    /// From a message; `None` when it is something else.
    pub fn from_message(message: &JsValue) -> Option<Self> {
        let parts = Array::from(message);
        Some(Self { id: parts.get(0).as_string()?, text: parts.get(1).as_string()? })
    }
}
