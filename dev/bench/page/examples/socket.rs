//! The jobs with tonic-web-channel over a WebSocket, which is opened for the first job and kept.
#![cfg(target_arch = "wasm32")]

use std::cell::OnceCell;

use bench_page::Received;
use tonic_web_channel::{Channel, Socket};
use wasm_bindgen::prelude::*;

thread_local! {
    static CHANNEL: OnceCell<Channel> = const { OnceCell::new() };
}

fn transport(origin: &str) -> Result<Channel, JsError> {
    let channel = Channel::with_transport(Socket::new(origin.parse()?)).build()?;
    Ok(CHANNEL.with(|opened| opened.get_or_init(|| channel).clone()))
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
