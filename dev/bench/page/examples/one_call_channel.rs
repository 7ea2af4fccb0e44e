//! A page that makes one unary call with tonic-web-channel, to be weighed.
#![cfg(target_arch = "wasm32")]

use tonic_web_channel::Channel;
use wasm_bindgen::prelude::*;

/// The greeting.
#[wasm_bindgen]
pub async fn greet(origin: String) -> Result<String, JsError> {
    bench_page::one_call(Channel::builder(origin).build()?).await
}
