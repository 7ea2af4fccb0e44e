//! Tests in a real browser: calls to a real server, and what only a browser has.
//!
//! `cargo test --target wasm32-unknown-unknown -p frontend` starts the browser and the server.

#![expect(clippy::unwrap_used, reason = "clippy knows only `#[test]` functions as tests")]

mod calls;
mod js_std;
mod page;

wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);
