//! The jobs with grpc-webnext-client, whose WebSocket is opened for the first job and kept.
#![cfg(target_arch = "wasm32")]

use std::cell::OnceCell;

use bench_page::Received;
use grpc_webnext_client::{TonicService, connect};
use wasm_bindgen::prelude::*;

thread_local! {
    static SERVICE: OnceCell<TonicService> = const { OnceCell::new() };
}

fn transport(origin: &str) -> Result<TonicService, JsError> {
    let client = connect(origin).map_err(|status| JsError::new(&status.message))?;
    Ok(SERVICE.with(|opened| opened.get_or_init(|| client.into_tonic()).clone()))
}

/// Unary calls, one after the other.
#[wasm_bindgen]
pub async fn unary(origin: String, count: u32) -> Received {
    bench_page::unary(transport(&origin)?, count).await
}

/// Unary calls at once.
#[wasm_bindgen]
pub async fn concurrent(origin: String, count: u32) -> Received {
    bench_page::concurrent(transport(&origin)?, count).await
}

/// One stream.
#[wasm_bindgen]
pub async fn stream(origin: String, count: u32, size: u32) -> Received {
    bench_page::stream(transport(&origin)?, count, size).await
}

/// One stream of requests.
#[wasm_bindgen]
pub async fn upload(origin: String, count: u32, size: u32) -> Received {
    bench_page::upload(transport(&origin)?, count, size).await
}

/// Messages back and forth on one bidirectional stream.
#[wasm_bindgen]
pub async fn ping_pong(origin: String, count: u32) -> Received {
    bench_page::ping_pong(transport(&origin)?, count).await
}
