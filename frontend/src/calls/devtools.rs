//! Messages as the extensions of the browser's tools show them: objects, once the decoder is loaded.

use std::{cell::Cell, time::Duration};

use futures_util::FutureExt as _;
use grpc_inspect::frame::{Direction, Frame};
use leptos::task::spawn_local;
use tonic_web_devtools::extension::{self, Message};
use wasm_bindgen::JsValue;

use super::{
    message::{Content, PRETTY, content},
    types::Types,
};
use crate::chunk::NotLoaded;

/// Turns messages into objects. Until the decoder's module is loaded, which the first message starts, and when a message
/// cannot be decoded, they are base64.
pub(crate) fn describe() -> impl Fn(Message<'_>) -> JsValue {
    let is_requested = Cell::new(false);
    move |message| {
        if !is_requested.replace(true) {
            // Whether it succeeds shows at the next message.
            spawn_local(async { drop(load_decoder().await) });
        }
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
        let decoded = decode(message.path.to_owned(), direction, frame).now_or_never();
        decoded.and_then(Result::ok).flatten().unwrap_or_else(|| extension::base64(message))
    }
}

#[cfg(feature = "split")]
#[wasm_split_helpers::wasm_split(calls, fallible, preload(load_decoder))]
fn decode(path: String, direction: Direction, frame: Frame) -> Result<Option<JsValue>, NotLoaded> {
    Ok(object(&path, direction, &frame))
}

#[cfg(not(feature = "split"))]
async fn decode(path: String, direction: Direction, frame: Frame) -> Result<Option<JsValue>, NotLoaded> {
    Ok(object(&path, direction, &frame))
}

#[cfg(not(feature = "split"))]
async fn load_decoder() -> Result<(), NotLoaded> {
    Ok(())
}

fn object(path: &str, direction: Direction, frame: &Frame) -> Option<JsValue> {
    match content(&Types::of_contract(path), direction, frame, &PRETTY) {
        // The decoder writes valid JSON only.
        Content::Decoded(decoded) => js_sys::JSON::parse(&decoded.json).ok(),
        _ => None,
    }
}
