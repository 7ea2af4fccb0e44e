//! A page that makes one unary call over a WebSocket, to be weighed.
#![cfg(target_arch = "wasm32")]

use tonic_web_channel::{Channel, Socket};
use wasm_bindgen::prelude::*;

/// The greeting.
#[wasm_bindgen]
pub async fn greet(origin: String) -> Result<String, JsError> {
    bench_page::one_call(Channel::with_transport(Socket::new(origin.parse()?)).build()?).await
}
