//! A page that makes one unary call with `tonic-web-wasm-client`, used as its README shows, to be weighed.
#![cfg(target_arch = "wasm32")]

use tonic_web_wasm_client::Client;
use wasm_bindgen::prelude::*;

/// The greeting.
#[wasm_bindgen]
pub async fn greet(origin: String) -> Result<String, JsError> {
    bench_page::one_call(Client::new(origin)).await
}
