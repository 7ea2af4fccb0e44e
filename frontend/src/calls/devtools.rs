//! Messages as the extensions of the browser's tools show them: objects.

use std::time::Duration;

use grpc_inspect::frame::{Direction, Frame};
use tonic_web_devtools::extension::{self, Message};
use wasm_bindgen::JsValue;

use super::{
    message::{Content, PRETTY, content},
    types::Types,
};

/// A message as an object; as base64 where it cannot be decoded.
pub(super) fn describe(message: Message<'_>) -> JsValue {
    let direction = match message.direction {
        extension::Direction::Request => Direction::Sent,
        extension::Direction::Response => Direction::Received,
    };
    let frame = Frame {
        number: 1,
        elapsed: Duration::ZERO,
        flags: message.flags,
        length: message.length,
        payload: message.content.clone(),
    };
    match content(&Types::of_contract(message.path), direction, &frame, &PRETTY) {
        // The decoder writes valid JSON only.
        Content::Decoded(decoded) => js_sys::JSON::parse(&decoded.json).ok(),
        _ => None,
    }
    .unwrap_or_else(|| extension::base64(message))
}
