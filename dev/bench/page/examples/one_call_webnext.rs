//! A page that makes one unary call with grpc-webnext-client, to be weighed.
#![cfg(target_arch = "wasm32")]

use grpc_webnext_client::connect;
use wasm_bindgen::prelude::*;

/// The greeting.
#[wasm_bindgen]
pub async fn greet(origin: String) -> Result<String, JsError> {
    let client = connect(&origin).map_err(|status| JsError::new(&status.message))?;
    bench_page::one_call(client.into_tonic()).await
}
