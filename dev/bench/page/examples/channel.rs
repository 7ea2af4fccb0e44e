//! The jobs with tonic-web-channel.
#![cfg(target_arch = "wasm32")]

use bench_page::Received;
use tonic_web_channel::Channel;
use wasm_bindgen::prelude::*;

fn transport(origin: String) -> Result<Channel, JsError> {
    Ok(Channel::builder(origin).build()?)
}

/// Unary calls, one after the other.
#[wasm_bindgen]
pub async fn unary(origin: String, count: u32) -> Received {
    bench_page::unary(transport(origin)?, count).await
}

/// Unary calls at once.
#[wasm_bindgen]
pub async fn concurrent(origin: String, count: u32) -> Received {
    bench_page::concurrent(transport(origin)?, count).await
}

/// One stream.
#[wasm_bindgen]
pub async fn stream(origin: String, count: u32, size: u32) -> Received {
    bench_page::stream(transport(origin)?, count, size).await
}
